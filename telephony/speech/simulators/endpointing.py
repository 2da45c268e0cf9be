"""Find utterances in a stream by loudness alone. Pure.

What a simulated recogniser needs: when somebody began to speak, and the samples once there was silence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from telephony.audio.level import dbfs

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK_S = 0.02


@dataclass(frozen=True, slots=True)
class SpeechBegan:
    """Somebody began to speak, ``at_s`` after the stream began."""

    at_s: float


@dataclass(frozen=True, slots=True)
class Utterance:
    """What was said from ``start_s`` after the stream began, without the silence after it."""

    start_s: float
    samples: NDArray[np.int16]


class Endpointer:
    """Cuts one stream into utterances.

    Args:
        rate: samples per second, in Hz.
        silence_s: silence that ends an utterance, in s.
        loud_dbfs: a block of 20 ms at least this loud is speech.
    """

    def __init__(self, rate: int, *, silence_s: float = 0.3, loud_dbfs: float = -45.0) -> None:
        self._block = round(rate * _BLOCK_S)
        self._silence_blocks = max(1, round(silence_s / _BLOCK_S))
        self._loud_dbfs = loud_dbfs
        self._rest = np.zeros(0, np.int16)
        self._blocks = 0
        self._spoken: list[NDArray[np.int16]] = []
        self._start = 0
        self._quiet = 0

    def feed(self, samples: NDArray[np.int16]) -> list[SpeechBegan | Utterance]:
        """Take the next samples, any number; give what became known by them."""
        found: list[SpeechBegan | Utterance] = []
        self._rest = np.concatenate([self._rest, samples])
        while len(self._rest) >= self._block:
            block, self._rest = self._rest[: self._block], self._rest[self._block :]
            found += self._take(block)
            self._blocks += 1
        return found

    def finish(self) -> Utterance | None:
        """End the utterance now, as if it had become silent; None when nobody speaks."""
        if not self._spoken:
            return None
        spoken = self._spoken[: len(self._spoken) - self._quiet]
        self._spoken, self._quiet = [], 0
        return Utterance(self._start * _BLOCK_S, np.concatenate(spoken))

    def _take(self, block: NDArray[np.int16]) -> list[SpeechBegan | Utterance]:
        if dbfs(block) >= self._loud_dbfs:
            self._quiet = 0
            self._spoken.append(block)
            if len(self._spoken) == 1:
                self._start = self._blocks
                return [SpeechBegan(self._start * _BLOCK_S)]
            return []
        if not self._spoken:
            return []
        self._quiet += 1
        self._spoken.append(block)
        if self._quiet < self._silence_blocks:
            return []
        utterance = self.finish()
        return [utterance] if utterance is not None else []
