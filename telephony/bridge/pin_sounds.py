"""What a caller hears who is asked for a PIN: clips of the operator's, or tones that need no language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from telephony.audio.frame import FRAME_SAMPLES, RATE, Samples, silence
from telephony.audio.resample import resample
from telephony.audio.tones import sine
from telephony.audio.wav import read_wav
from telephony.errors import AudioError, ConfigError

if TYPE_CHECKING:
    from pathlib import Path

LONGEST_S = 60.0
"""A clip that is longer is refused when the bridge starts."""

_GAP_S = 0.06


def _notes(*notes: tuple[float, float]) -> Samples:
    gap = np.zeros(round(_GAP_S * RATE), np.int16)
    return np.concatenate(
        [part for hertz, seconds in notes for part in (sine(hertz, seconds, amplitude=0.2), gap)]
    )


_ASK = _notes((600, 0.12), (800, 0.12), (1000, 0.12))
_WRONG = _notes((300, 0.25), (300, 0.25))


@dataclass(frozen=True, slots=True)
class PinSounds:
    """int16 at 8 kHz.

    Args:
        ask: enter the PIN, and ``#``. Three rising notes by default.
        wrong: that was not it. Two low ones.
    """

    ask: Samples
    wrong: Samples

    @classmethod
    def load(cls, ask: Path | None = None, wrong: Path | None = None) -> PinSounds:
        """The clips (WAV of 16 bits at any rate; the first channel counts), or tones where there is none.

        Raises:
            ConfigError: a clip cannot be read.
        """
        return cls(
            _ASK if ask is None else _clip(ask, "pin.prompt"),
            _WRONG if wrong is None else _clip(wrong, "pin.wrong"),
        )


def _clip(path: Path, field: str) -> Samples:
    try:
        channels, rate = read_wav(path)
    except (OSError, AudioError) as error:
        raise ConfigError(
            f"The clip {path} cannot be read: {error}.", field=field, fix="Give a WAV file of 16-bit PCM."
        ) from error
    if len(channels[0]) > LONGEST_S * rate:
        raise ConfigError(f"The clip {path} is longer than {LONGEST_S:.0f} s.", field=field)
    return channels[0] if rate == RATE else resample(channels[0], rate, RATE)


class Announcement:
    """An audio path that plays clips to the phone and hears nothing; ``play`` on the media thread."""

    name = "prompt"

    def __init__(self) -> None:
        self._left: Samples = silence(0)

    def play(self, samples: Samples) -> None:
        """Play this from the next tick on, instead of what is playing; nothing = be quiet."""
        self._left = samples

    async def start(self) -> None:
        """Nothing needs to be made."""

    def release(self) -> None:
        """Nothing was collected."""

    def feed(self, frame: Samples) -> None:
        """Nobody listens yet."""

    def take(self) -> Samples:
        frame, self._left = self._left[:FRAME_SAMPLES], self._left[FRAME_SAMPLES:]
        return np.pad(frame, (0, FRAME_SAMPLES - len(frame))) if len(frame) < FRAME_SAMPLES else frame

    async def rejoined(self) -> None:
        """It is not in the room."""

    async def close(self) -> None:
        """Nothing was opened."""

    def statistics(self) -> dict[str, int]:
        return {}
