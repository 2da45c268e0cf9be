"""What answers a telephone, made by ourselves: voices of syllables, beeps, the tones of networks.

A voice here is a glottal pulse train with vibrato and three formants, cut into syllables: to a detector of
sound and tones it is a voice, and nobody's. Words are told beside it, as a recogniser would.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from telephony.audio.frame import RATE, Samples, silence, to_int16
from telephony.audio.tones import dual_tone, noise, sine

LETTERS_PER_S = 14.0
"""Of speech as people speak it."""


@dataclass(frozen=True)
class Voice:
    """Somebody: pitch in Hz, pace as a factor, level of the peak, 0 to 1."""

    pitch_hz: float = 120.0
    pace: float = 1.0
    amplitude: float = 0.25
    seed: int = 1

    def say(self, text: str) -> Samples:
        """As long as the text takes to be said."""
        return self.speak(len(text) / LETTERS_PER_S / self.pace)

    def speak(self, seconds: float) -> Samples:
        """Syllables for so long."""
        rng = np.random.default_rng(self.seed + round(seconds * 1000))
        pieces: list[Samples] = []
        left = seconds
        while left > 0.08:
            length = min(left, rng.uniform(0.12, 0.24))
            pieces.append(self._syllable(length, rng))
            pause = min(left - length, rng.uniform(0.02, 0.07))
            if pause > 0:
                pieces.append(silence(round(pause * RATE)))
            left -= length + max(0.0, pause)
        return np.concatenate(pieces) if pieces else silence(0)

    def _syllable(self, seconds: float, rng: np.random.Generator) -> Samples:
        count = round(seconds * RATE)
        time = np.arange(count) / RATE
        glide = rng.uniform(-0.15, 0.15)
        pitch = self.pitch_hz * (1 + glide * time / seconds + 0.02 * np.sin(2 * np.pi * 5.5 * time))
        phase = 2 * np.pi * np.cumsum(pitch) / RATE
        formants = (rng.uniform(350, 750), rng.uniform(1000, 1900), rng.uniform(2300, 2900))
        signal = np.zeros(count)
        for number in range(1, int(3300 / self.pitch_hz)):
            at = number * self.pitch_hz
            gain = sum(
                strength / (1 + ((at - middle) / 120) ** 2)
                for middle, strength in zip(formants, (1, 0.6, 0.3), strict=True)
            )
            signal += (gain + 0.02) * np.sin(number * phase)
        signal += 0.1 * rng.standard_normal(count)
        ramp = np.minimum(1.0, np.minimum(time, seconds - time) / 0.02)
        signal *= ramp
        return to_int16(self.amplitude * 32767 * signal / max(1e-9, float(np.abs(signal).max())))


@dataclass
class Line:
    """What comes over a line, piece by piece; ``words`` are when a recogniser tells them, in s of audio."""

    voice: Voice = field(default_factory=Voice)
    told_after_s: float = 0.4
    pieces: list[Samples] = field(default_factory=list)
    words: list[tuple[float, str]] = field(default_factory=list)

    @property
    def now_s(self) -> float:
        """Length so far."""
        return sum(piece.size for piece in self.pieces) / RATE

    def quiet(self, seconds: float) -> Line:
        """Nothing."""
        self.pieces.append(silence(round(seconds * RATE)))
        return self

    def say(self, text: str, *, seconds: float | None = None) -> Line:
        """A sentence; its words are told a moment after it."""
        self.pieces.append(self.voice.say(text) if seconds is None else self.voice.speak(seconds))
        self.words.append((self.now_s + self.told_after_s, text))
        return self

    def tone(self, hz: float, seconds: float, amplitude: float = 0.2) -> Line:
        """A sine."""
        self.pieces.append(sine(hz, seconds, amplitude=amplitude))
        return self

    def two_tones(self, low_hz: float, high_hz: float, seconds: float) -> Line:
        """Two sines."""
        self.pieces.append(dual_tone(low_hz, high_hz, seconds, amplitude=0.3))
        return self

    def cadence(self, hz: float, on_s: float, off_s: float, times: int) -> Line:
        """A tone again and again."""
        for _ in range(times):
            self.tone(hz, on_s, 0.1).quiet(off_s)
        return self

    def samples(self, noise_dbfs: float | None = -65.0, seed: int = 1) -> Samples:
        """All of it, over the line's noise."""
        clean = np.concatenate(self.pieces)
        if noise_dbfs is None:
            return clean
        hiss = noise(clean.size / RATE, noise_dbfs, np.random.default_rng(seed))[: clean.size]
        return to_int16(clean.astype(np.float64) + hiss)
