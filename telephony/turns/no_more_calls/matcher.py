"""Whether somebody has said that they do not want to be called again. Pure.

A phrase counts only as a demand of its own: not as somebody else's words ("he said don't call me again"),
not as a wish for another time ("не звоните мне после девяти"). Words are compared exactly, since in Russian
a letter makes another person of a verb. The lists are data: one YAML file a language.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import yaml

from telephony.turns.words import made_of, words_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from telephony.turns.words import Words

LIMIT_WITHIN = 4
"""So many words after a phrase may hold the word that limits it."""
LIMIT_BEFORE = 2
"""And so many before it."""
LONGEST = 2_000
"""Characters of an utterance that are looked at."""

_FOLDER = Path(__file__).parent
_SENTENCE = re.compile(r"[.!?;:…\n]+")
_PART = re.compile(r"\[[^\]]*\]|\S+")
_ELSEWHERE = "en"

Kind = Literal["otherwise", "anywhere", "closing"]
_KINDS: tuple[Kind, ...] = ("otherwise", "anywhere", "closing")


@dataclass(frozen=True, slots=True)
class Demand:
    """What was understood: the language, and the words that were."""

    language: str
    phrase: str


@dataclass(frozen=True, slots=True)
class Pattern:
    """Words one after another: ``a/b`` is either, ``[a/b]`` either or neither.

    Attributes:
        steps: for each place the words that may stand there, and whether it may be left out.
        kind: ``anywhere`` counts wherever it stands, ``closing`` at an end, ``otherwise`` never.
    """

    steps: tuple[tuple[frozenset[str], bool], ...]
    kind: Kind

    @classmethod
    def parse(cls, text: str, kind: Kind) -> Pattern:
        """Read the notation.

        Raises:
            ValueError: a choice is not one word.
        """
        steps = []
        for part in _PART.findall(text):
            spelled = [words_of(choice) for choice in part.strip("[]").split("/")]
            if any(len(words) != 1 for words in spelled):
                raise ValueError(f"{part!r} is not words joined by /")
            steps.append((frozenset(words[0] for words in spelled), part.startswith("[")))
        return cls(tuple(steps), kind)

    def first_words(self) -> Iterator[str]:
        """The words it may begin with."""
        for choices, optional in self.steps:
            yield from choices
            if not optional:
                return

    def end(self, words: Words, at: int, step: int = 0) -> int:
        """Where the longest match from a place on ends; 0 where there is none."""
        if step == len(self.steps):
            return at
        choices, optional = self.steps[step]
        with_it = self.end(words, at + 1, step + 1) if at < len(words) and words[at] in choices else 0
        return max(with_it, self.end(words, at, step + 1) if optional else 0)


@dataclass(frozen=True, slots=True)
class Wordings:
    """One language's.

    Attributes:
        acknowledgement: what the agent says.
        patterns: what counts, by the words it may begin with.
        tails: what may follow one at an end.
        limits: what makes it a wish for another time.
        reported: what makes it no demand when it stands right before.
    """

    language: str
    acknowledgement: str
    patterns: dict[str, list[Pattern]]
    tails: frozenset[Words]
    limits: frozenset[Words]
    reported: frozenset[Words]

    def found_in(self, text: str) -> str | None:
        """The words of a demand in an utterance; None where there is none."""
        for sentence in _SENTENCE.split(text[:LONGEST]):
            words = words_of(sentence)
            for start, end, pattern in self._matches(words):
                if pattern.kind != "otherwise" and self._counts(words, start, end, pattern):
                    return " ".join(words[start:end])
        return None

    def _matches(self, words: Words) -> Iterator[tuple[int, int, Pattern]]:
        """The phrases in a sentence from left to right, the longest at each place, none inside another."""
        at = 0
        while at < len(words):
            found = [(each.end(words, at), each) for each in self.patterns.get(words[at], ())]
            end, pattern = max(found, key=lambda match: match[0], default=(0, None))
            if pattern is None or not end:
                at += 1
                continue
            yield at, end, pattern
            at = end

    def _counts(self, words: Words, start: int, end: int, pattern: Pattern) -> bool:
        before, after = words[:start], words[end:]
        if any(before[-len(each) :] == each for each in self.reported):
            return False
        if pattern.kind == "closing" and after and not made_of(after, self.tails):
            return False
        near = after[: LIMIT_WITHIN + 2]
        if any(near[at : at + len(each)] == each for each in self.limits for at in range(LIMIT_WITHIN)):
            return False
        last = before[-LIMIT_BEFORE:]
        return not any(last[at : at + len(each)] == each for each in self.limits for at in range(len(last)))


def demand_in(text: str) -> Demand | None:
    """Whether an utterance demands, in any language, that its speaker is not called again."""
    for language in languages():
        phrase = wordings(language).found_in(text)
        if phrase is not None:
            return Demand(language, phrase)
    return None


def acknowledgement(language: str) -> str:
    """What is answered; in English where the language has no file.

    Args:
        language: a code or a tag, ``ru`` or ``ru-RU``.
    """
    code = language.casefold().partition("-")[0]
    return wordings(code if code in languages() else _ELSEWHERE).acknowledgement


@cache
def languages() -> tuple[str, ...]:
    """The languages in which a demand is understood."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))


@cache
def wordings(language: str) -> Wordings:
    """A language's phrases."""
    content = yaml.safe_load((_FOLDER / f"{language}.yaml").read_text(encoding="utf-8"))
    patterns: dict[str, list[Pattern]] = {}
    for kind in _KINDS:
        for text in content[kind]:
            pattern = Pattern.parse(text, kind)
            for word in set(pattern.first_words()):
                patterns.setdefault(word, []).append(pattern)
    return Wordings(
        language,
        content["acknowledgement"],
        patterns,
        _set(content["tails"]),
        _set(content["limits"]),
        _set(content["reported"]),
    )


def _set(texts: Sequence[str]) -> frozenset[Words]:
    return frozenset(words_of(text) for text in texts) - {()}
