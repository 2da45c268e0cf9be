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
        return samples
