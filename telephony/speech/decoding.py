"""When to believe Whisper: how much it is shown, how long it may talk, and what is thrown away.

Pure. Whisper's encoder is trained on 30 s; showing it less makes it five times faster, but it then
tends to repeat itself, sometimes silently ("9 1 6 3 9 1 6 3"). So a short window is tried first and a
longer one whenever the result looks like a loop; the full one is believed. Whisper also invents polite
phrases when nobody spoke; its own probability of silence tells them apart, with the threshold of
openai/whisper's transcribe.py and a lower one for uncertain text.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

RATE = 16_000
"""What Whisper hears, in Hz."""
FULL_WINDOW_S = 30
"""What Whisper was trained on, in s."""
MIN_SPEECH_S = 0.2
"""Less audio than this holds no word, in s."""
MAX_PROMPT_TOKENS = 224
"""Longest prompt of Whisper's decoder, and likewise the longest text that it writes."""

_SHORT_WINDOW_S = 10
_MIDDLE_WINDOW_S = 20
_WINDOW_MARGIN_S = 3
_LONGEST_PIECE_S = 28.0
_CUT_WITHIN_S = 6.0
_CUT_FRAME_S = 0.1

_UNCERTAIN_LOGPROB = -1.0
_NO_SPEECH = 0.6
_NO_SPEECH_IF_UNCERTAIN = 0.4
_LEAST_DOUBLED = 4

_WORDS = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_BRACKETED = re.compile(r"^\s*[\[(*♪].*[\])*♪]\s*$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Pace:
    """How many tokens speech becomes: at most, and usually at most; a second of it, and beside that."""

    most: int
    spare: int
    likely: int
    likely_spare: int


_ENGLISH = _Pace(8, 10, 5, 8)
# Whisper's vocabulary cuts other languages' words into more pieces.
_OTHER = _Pace(12, 12, 9, 10)

_SUBTITLES = re.compile(
    r"(?:[\w ,-]*\bмузыка\b|аплодисменты|смех|субтитры?\b.*|редактор субтитров.*|.*dimatorzok.*|"
    r"продолжение следует|спасибо за просмотр|подписывайтесь на .*канал)[\s.!…]*",
    re.IGNORECASE | re.DOTALL,
)
"""What Whisper has learned from films to write where nobody speaks."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """One attempt of the decoder.

    ``token_limit`` is how many tokens it was allowed; ``avg_logprob`` the mean natural logarithm of a
    token's probability.
    """

    text: str
    tokens: int
    token_limit: int
    avg_logprob: float
    no_speech_prob: float

    @property
    def confidence(self) -> float:
        """The geometric mean of the tokens' probabilities, 0 to 1."""
        return min(1.0, math.exp(min(0.0, self.avg_logprob)))


def windows(duration_s: float) -> tuple[int, ...]:
    """How many seconds the encoder is shown, try after try, for audio of that length; the last is 30."""
    first = min(FULL_WINDOW_S, max(_SHORT_WINDOW_S, math.ceil(duration_s + _WINDOW_MARGIN_S)))
    return (first, *(window for window in (_MIDDLE_WINDOW_S, FULL_WINDOW_S) if window > first))


def token_limit(duration_s: float, language: str = "en") -> int:
    """How many tokens audio of that length may become; nobody speaks more than 8 English ones a second."""
    pace = _pace(language)
    return min(math.ceil(duration_s * pace.most) + pace.spare, MAX_PROMPT_TOKENS)


def sequence_limit(limit: int, prompt_tokens: int) -> int:
    """CTranslate2's ``max_length`` for at most ``limit`` new tokens after a prompt.

    It counts the prompt and allows the new ones no more than half of it (src/models/whisper.cc).
    """
    return max(2 * limit, limit + prompt_tokens)


def looks_looped(decoded: Decoded, duration_s: float, language: str = "en") -> bool:
    """Whether a short window's result must be decided by a longer one."""
    words = [word.casefold() for word in _WORDS.findall(decoded.text)]
    pace = _pace(language)
    return (
        decoded.tokens >= decoded.token_limit
        or decoded.tokens > duration_s * pace.likely + pace.likely_spare
        or decoded.avg_logprob < _UNCERTAIN_LOGPROB
        or _tail_repeats(words)
        or _is_doubled("".join(words))
        or _is_doubled("".join(char for char in decoded.text if char.isdigit()))
    )


def is_speech(decoded: Decoded) -> bool:
    """Whether somebody spoke, rather than the model filling a silence."""
    if decoded.no_speech_prob > _NO_SPEECH:
        return False
    return not (decoded.no_speech_prob > _NO_SPEECH_IF_UNCERTAIN and decoded.avg_logprob < _UNCERTAIN_LOGPROB)


def normalise(text: str) -> str:
    """The text on one line; nothing when it holds no letter or digit, or only describes a sound."""
    text = " ".join(text.split())
    if not any(char.isalnum() for char in text) or _BRACKETED.match(text) or _SUBTITLES.fullmatch(text):
        return ""
    return text


def split_long(samples: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Cut audio at 16 kHz into pieces of at most 28 s, each cut where it is quietest."""
    pieces = []
    longest, within = int(_LONGEST_PIECE_S * RATE), int(_CUT_WITHIN_S * RATE)
    while len(samples) > longest:
        cut = longest - within + _quietest(samples[longest - within : longest])
        pieces.append(samples[:cut])
        samples = samples[cut:]
    return [*pieces, samples]


def _quietest(samples: NDArray[np.float32]) -> int:
    frame = int(_CUT_FRAME_S * RATE)
    energy = np.square(samples[: len(samples) // frame * frame].reshape(-1, frame)).mean(axis=1)
    return int(np.argmin(energy)) * frame + frame // 2


def _pace(language: str) -> _Pace:
    return _ENGLISH if language == "en" else _OTHER


def _tail_repeats(words: Sequence[str]) -> bool:
    """Whether the end is one phrase said again: one or two words thrice, or a longer one twice."""
    for length in range(1, len(words) // 2 + 1):
        times = 3 if length <= 2 else 2
        if len(words) >= length * times:
            tail = list(words[-length:])
            if all(
                list(words[-length * n : len(words) - length * (n - 1)]) == tail for n in range(1, times + 1)
            ):
                return True
    return False


def _is_doubled(text: str) -> bool:
    half, odd = divmod(len(text), 2)
    return not odd and len(text) >= _LEAST_DOUBLED and text[:half] == text[half:]
