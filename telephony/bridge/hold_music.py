"""What a caller hears who is put on hold: a tune of our own, or the operator's file. Pure but for the file.

The tune is data: four chords, each broken into eight notes and played softly. It is rendered once for a
process; a call only keeps its place in it, so that a hold begins with the first bar, never stutters and goes
round without a seam.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np

from telephony.audio.frame import FRAME_SAMPLES, RATE, Samples, to_int16
from telephony.audio.resample import resample
from telephony.audio.wav import read_wav
from telephony.errors import AudioError, ConfigError

if TYPE_CHECKING:
    from pathlib import Path

LONGEST_S = 600.0
"""A file that is longer is refused when the bridge starts."""

_NOTE_S: Final = 0.36
_RING_S: Final = 1.4
_DECAY_S: Final = 0.45
_ATTACK_S: Final = 0.012
_PEAK: Final = 5200.0
_OVERTONES: Final = ((1, 1.0), (2, 0.28), (3, 0.09))

_CHORDS: Final = (
    (261.63, 329.63, 392.00, 523.25),
    (220.00, 261.63, 329.63, 440.00),
    (174.61 * 2, 261.63, 440.00, 523.25),
    (196.00 * 2, 246.94, 293.66, 493.88),
)
"""C, A minor, F and G, in Hz: within what a telephone carries."""

_FIGURE: Final = (0, 2, 1, 3, 2, 1, 2, 1)
"""The order of a chord's notes."""


@dataclass(frozen=True, slots=True)
class HoldMusic:
    """A tune that goes round; int16 at 8 kHz, a whole number of frames."""

    samples: Samples

    @classmethod
    def load(cls, path: Path | None = None) -> HoldMusic:
        """The file (WAV of 16 bits at any rate; the first channel counts), or the tune where there is none.

        Raises:
            ConfigError: the file cannot be read, is empty or too long.
        """
        return cls(_tune() if path is None else _whole_frames(_read(path)))

    def frame(self, number: int) -> Samples:
        """The 20 ms of this number since the hold began; it never ends."""
        at = number * FRAME_SAMPLES % len(self.samples)
        return self.samples[at : at + FRAME_SAMPLES]


@cache
def _tune() -> Samples:
    notes = [chord[step] for chord in _CHORDS for step in _FIGURE]
    spacing = round(_NOTE_S * RATE)
    length = _whole(len(notes) * spacing)
    total = np.zeros(length)
    for number, hertz in enumerate(notes):
        # The last notes ring into the first bar, so that the seam is not heard.
        at = (number * spacing + np.arange(round(_RING_S * RATE))) % length
        total[at] += _note(hertz)
    tune = to_int16(total / np.max(np.abs(total)) * _PEAK)
    tune.setflags(write=False)
    return tune


def _note(hertz: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    time = np.arange(round(_RING_S * RATE)) / RATE
    envelope = np.minimum(1.0, time / _ATTACK_S) * np.exp(-time / _DECAY_S)
    # To nothing at its end: what is cut off would click.
    envelope *= np.minimum(1.0, (_RING_S - time) / _ATTACK_S)
    tone = sum(share * np.sin(2 * np.pi * hertz * part * time) for part, share in _OVERTONES)
    return np.asarray(envelope * tone, dtype=np.float64)


def _whole(samples: int) -> int:
    return max(1, samples // FRAME_SAMPLES) * FRAME_SAMPLES


def _whole_frames(samples: Samples) -> Samples:
    length = _whole(len(samples))
    kept = np.zeros(length, np.int16)
    kept[: min(length, len(samples))] = samples[:length]
    kept.setflags(write=False)
    return kept


def _read(path: Path) -> Samples:
    try:
        channels, rate = read_wav(path)
    except (OSError, AudioError) as error:
        raise ConfigError(
            f"The music {path} cannot be read: {error}.",
            field="hold_music",
            fix="Give a WAV file of 16-bit PCM.",
        ) from error
    if not len(channels[0]) or len(channels[0]) > LONGEST_S * rate:
        raise ConfigError(f"The music {path} must last up to {LONGEST_S:.0f} s.", field="hold_music")
    return channels[0] if rate == RATE else resample(channels[0], rate, RATE)
