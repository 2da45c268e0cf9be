"""hibari's voice "heart": text in, samples at the line's rate out, in the caller's thread.

The same text, speed and seed give the same samples. English only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import soxr

from telephony.errors import DependencyError
from telephony.speech.models import INSTALL

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAD_S = 0.03
"""Silence kept before the first sound, in s: the voice itself puts 0.3 s there, and a caller would wait."""

TAIL_S = 0.18
"""Silence kept after the last sound, in s: the pause between two sentences, instead of half a second."""

_BLOCK_S = 0.01
_AUDIBLE_RMS = 40.0  # -58 dBFS: the softest consonants are above, the voice's own silence far below

NAME = "heart"
"""The one voice that hibari-tts carries; it would download any other."""


class HibariVoice:
    """A loaded voice.

    Raises:
        DependencyError: hibari-tts is not installed.
    """

    name = NAME

    def __init__(self) -> None:
        try:
            import hibari
        except ImportError as error:
            raise DependencyError(
                f"The offline voice needs a package that is not installed: {error.name}.", fix=INSTALL
            ) from error
        self._voice = hibari.Hibari(voice=NAME, threads=1)
        self._rate: int = hibari.SAMPLE_RATE

    def warm(self) -> None:
        """Speak once, which loads the dictionaries too."""
        self.speak("Hello, it is 9 o'clock.", rate=8000)

    def speak(self, text: str, *, rate: int, speed: float = 1.0, seed: int = 0) -> NDArray[np.int16]:
        """Synthesise one unit of text.

        Args:
            rate: samples per second wanted, in Hz.
            speed: pace, 0.5 to 2, 1 is the voice's own.
            seed: fixes the noise in the voice.

        Returns:
            Shape (n,), int16, mono; empty when the text holds nothing that can be said.
        """
        wave = self._voice(text, speed=speed, seed=seed)
        if not len(wave):
            return np.zeros(0, np.int16)
        wave = soxr.resample(wave, self._rate, rate)
        samples: NDArray[np.int16] = np.round(np.clip(wave, -1.0, 1.0) * 32767.0).astype(np.int16)
        return trim(samples, rate)


def trim(samples: NDArray[np.int16], rate: int) -> NDArray[np.int16]:
    """Cut the silence around speech down to ``LEAD_S`` and ``TAIL_S``.

    Args:
        samples: shape (n,), int16.
        rate: samples per second, in Hz.

    Returns:
        A part of ``samples``; all of them when nothing in them is audible.
    """
    block = int(rate * _BLOCK_S)
    whole = samples[: len(samples) // block * block].reshape(-1, block).astype(np.float64)
    audible = np.flatnonzero(np.sqrt(np.mean(whole**2, axis=1)) > _AUDIBLE_RMS)
    if not len(audible):
        return samples
    first = audible[0] * block - int(LEAD_S * rate)
    last = (audible[-1] + 1) * block + int(TAIL_S * rate)
    return samples[max(0, first) : last]
