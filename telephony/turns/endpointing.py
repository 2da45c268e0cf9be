"""How much silence ends the caller's turn, by what was asked and what was said so far. Pure.

A recogniser's text says more about the end of a turn than any pause: who says ``yes`` to a yes-or-no question
has answered, who says ``I would like to`` has not. It needs no model and works in each language that has a
list of words in ``endings.yaml``; in others the pause alone decides.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from telephony.turns.phrases import phrases_for
from telephony.turns.words import Words, made_of, opening, words_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telephony.turns.evidence import Question
    from telephony.turns.phrases import Phrases
    from telephony.turns.settings import ListName, PhraseChange

Ending = Literal["answered", "sentence", "open", "unfinished", "digits"]
"""What a text looks like: an answer; a whole sentence; anything; something that goes on; digits that do."""

MOST_PATIENT = 2.0
"""A caller who was cut off gets at most so many times the silence."""
_LEARN = 1.35
_FORGET = 0.93

_FILE = Path(__file__).parent / "endings.yaml"
_GOES_ON = re.compile(r"[,:;\-–—…]\s*$|\.\.\.\s*$")
_COMMA = re.compile(r",\s*$")
_SENTENCE_END = re.compile(r"[.?!]\s*$")
_NUMERAL = re.compile(r"\d")


class EndpointingSettings(BaseModel):
    """When the caller's turn is over."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)

    answer_ms: int = Field(default=160, ge=80, le=3000)
    """Silence after an answer to the question that was asked, such as "yes". Default 160: the longest stop
    consonant inside a word is shorter."""
    sentence_ms: int = Field(default=200, ge=80, le=5000)
    """Silence after a text that is a sentence with its mark, or as long as one. Default 200: pauses between
    words of one phrase are shorter."""
    silence_ms: int = Field(default=270, ge=80, le=5000)
    """Silence after any other text, counted from the last sound. Default 270: at fewer false ends than 300
    from where a voice activity detector ends speech, which is later."""
    unfinished_ms: int = Field(default=1000, ge=80, le=10_000)
    """Silence after a text that goes on, such as "I would like to". Default 1000: who looks for a word takes
    less."""
    digits_ms: int = Field(default=1200, ge=80, le=10_000)
    """Silence while digits, or an address, are still to come: people read them in groups. Default 1200."""
    learn: bool = True
    """Whether a caller who was cut off gets more silence for the rest of the call. Default true."""
    min_speech_ms: int | None = Field(default=None, ge=0, le=2000)
    """Sound of a voice that counts as speech. Default: the line's ``speech.vad.min_speech_ms``."""
    prefix_padding_ms: int | None = Field(default=None, ge=0, le=5000)
    """What the recogniser is given from before speech began. Default: the line's."""
    threshold: float | None = Field(default=None, gt=0, lt=1)
    """Probability from which a sound is a voice: higher where lines are noisy. Default: the line's."""
    gate_db: float | None = Field(default=None, ge=3.0, le=30.0)
    """So far above the noise of a noisy line a sound must be for the detector to be asked about it: 10 where
    other people talk in the background. Default: it is asked about every sound."""

    @model_validator(mode="after")
    def _in_order(self) -> EndpointingSettings:
        if not self.answer_ms <= self.silence_ms <= self.unfinished_ms:
            raise ValueError("answer_ms, silence_ms and unfinished_ms must not decrease in this order")
        return self

    @property
    def shortest_ms(self) -> int:
        """The least silence that may end a turn."""
        return min(self.answer_ms, self.sentence_ms, self.silence_ms)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the caller was asked.

    Attributes:
        kind: which answer it asks for; None where nothing is asked.
        digits: how many digits are to come; None where nobody knows.
    """

    kind: Question | None = None
    digits: int | None = None


@dataclass(frozen=True, slots=True)
class _Endings:
    unfinished: frozenset[Words]
    digits: frozenset[str]


class Endpointing:
    """One call's.

    Args:
        settings: the assistant's.
        language: a code or a tag, ``ru`` or ``ru-RU``.
        changes: of the assistant's to its phrases, by the name of a list.
        final_only: whether the recogniser tells of words only after a pause. Whoever writes down a piece of
            speech by itself, as Whisper does, ends it with a comma by chance: it says nothing then.
    """

    def __init__(
        self,
        settings: EndpointingSettings,
        language: str,
        changes: Mapping[ListName, PhraseChange] | None = None,
        *,
        final_only: bool = False,
    ) -> None:
        self._settings = settings
        self._final_only = final_only
        self._phrases: Phrases = phrases_for(language, changes)
        self._endings = _endings(language.casefold().partition("-")[0])
        self._patience = 1.0

    @property
    def patience(self) -> float:
        """How many times the silence this caller gets, 1 to ``MOST_PATIENT``."""
        return self._patience

    def ending(self, text: str, asked: Asked) -> Ending:
        """What a caller's text so far looks like."""
        words = words_of(text)
        if asked.kind == "digits" and not self._enough_digits(text, words, asked):
            return "digits"
        if asked.kind == "digits" and asked.digits:
            return "answered"
        if asked.kind in ("yes_no", "choice") and made_of(words, self._phrases.weightless):
            return "answered"
        if not words:
            return "open"
        # Recognisers set a full stop after anything, but a question mark only after a question.
        joins = any(words[-len(each) :] == each for each in self._endings.unfinished)
        marked = _GOES_ON.search(_COMMA.sub("", text) if self._final_only else text)
        if marked or (joins and not text.rstrip().endswith("?")):
            return "unfinished"
        return "sentence" if _SENTENCE_END.search(text) and len(words) > 1 else "open"

    def answer(self, text: str, asked: Asked) -> str:
        """The text where it is nothing but an answer to what was asked, such as "yes please"; or nothing."""
        phrases, words = self._phrases, words_of(text)
        given = opening(words, phrases.answers, phrases.fillers) and made_of(words, phrases.weightless)
        return text if given and asked.kind in ("yes_no", "choice", "open") else ""

    def silence_s(self, text: str, asked: Asked = Asked()) -> float:
        """Silence after which the turn is over, in s.

        Args:
            text: of the turn so far; empty where nothing was recognised yet.
        """
        settings, ending = self._settings, self.ending(text, asked)
        if ending == "answered":
            return settings.answer_ms / 1000
        ms = {
            "sentence": settings.sentence_ms,
            "open": settings.silence_ms,
            "unfinished": settings.unfinished_ms,
            "digits": settings.digits_ms,
        }[ending]
        return self._patience * ms / 1000

    def cut_off(self) -> None:
        """The caller went on although the turn was taken to be over."""
        if self._settings.learn:
            self._patience = min(MOST_PATIENT, self._patience * _LEARN)

    def went_well(self) -> None:
        """A turn was over when it was taken to be."""
        self._patience = max(1.0, self._patience * _FORGET)

    def _enough_digits(self, text: str, words: Words, asked: Asked) -> bool:
        told = len(_NUMERAL.findall(text)) + sum(word in self._endings.digits for word in words)
        if asked.digits is None:
            return bool(words) and not told
        return told >= asked.digits


@cache
def _endings(code: str) -> _Endings:
    content = yaml.safe_load(_FILE.read_text(encoding="utf-8")).get(code, {})
    return _Endings(
        frozenset(words_of(str(text)) for text in content.get("unfinished", ())) - {()},
        frozenset(word for text in content.get("digits", ()) for word in words_of(str(text))),
    )
