"""The tones of a telephone network, and the beep of a mailbox, out of the sounds of a line. Pure.

Frequencies and cadences: ITU-T E.180 and its supplement 2 (Russia and Europe 425 Hz: ringing 0.8 to 1 s of
4 to 5 s, busy 0.3 to 0.5 s, congestion 0.15 to 0.25 s; North America: ringing 440 + 480, busy and reorder
480 + 620), the special information tone of E.180 section 6 (950, 1400, 1800 Hz), the tones of fax machines of
T.30. A mailbox's beep has no standard: one tone of 400 to 2000 Hz for 150 ms or more, flat in pitch and
level, with silence after it. What a network's tones explain is no beep.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from telephony.audio.frame import FRAME_S

if TYPE_CHECKING:
    from telephony.triage.sounds import Sound

ToneName = Literal["ringback", "busy", "congestion", "special_information", "beep", "fax"]

BEEP_HZ = (390.0, 2010.0)
BEEP_S = (0.15, 4.0)
_BEEP_SILENCE_S = 0.14
"""Silence after a beep that makes it one."""
_FLAT_HZ = 0.02
"""Share by which the pitch of a flat tone may vary."""
_FLAT_DB = 3.0
_LEAST_RUN_S = 0.08
_SOUNDING_S = 0.14
"""A voice holds no pitch for so long, or only in a song."""
_GAP_FRAMES = 1
"""Frames within a tone that may not be recognised as one."""
_NEAR = 0.025
_SIT_HZ = ((890.0, 1010.0), (1345.0, 1455.0), (1745.0, 1825.0))
_SIT_S = (0.2, 0.45)
_FAX_S = 0.45


@dataclass(frozen=True, slots=True)
class Run:
    """A steady tone from its first frame to its last; ``flat`` in pitch and level."""

    begin_s: float
    end_s: float
    tones: tuple[float, ...]
    flat: bool

    @property
    def length_s(self) -> float:
        """How long it sounded."""
        return self.end_s - self.begin_s

    def is_at(self, *frequencies_hz: float) -> bool:
        """Whether it is these frequencies and no other."""
        return len(self.tones) == len(frequencies_hz) and all(
            abs(own - wanted) <= _NEAR * wanted
            for own, wanted in zip(self.tones, frequencies_hz, strict=True)
        )


@dataclass(frozen=True, slots=True)
class Tone:
    """A tone with a meaning: its name, when it began and ended in seconds of audio, its pitch in Hz."""

    name: ToneName
    begin_s: float
    end_s: float
    hz: float

    @property
    def length_s(self) -> float:
        """How long it sounded."""
        return self.end_s - self.begin_s


class TonesHeard:
    """One line's."""

    def __init__(self) -> None:
        self._frames: list[Sound] = []
        self._gap = 0
        self._runs: list[Run] = []
        self._silent_s = 0.0
        self._judged = 0

    @property
    def sounding(self) -> bool:
        """Whether a steady tone sounds that is long enough to be no part of a voice."""
        return len(self._frames) * FRAME_S >= _SOUNDING_S

    @property
    def was_flat(self) -> bool:
        """Whether what ended last was a tone, and no voice that held its pitch for a moment."""
        return bool(self._runs) and self._runs[-1].flat

    @property
    def since_s(self) -> float:
        """When the tone that sounds began, in seconds of audio."""
        return self._frames[0].at_s if self._frames else 0.0

    def hear(self, sound: Sound) -> Tone | None:
        """The next sound; a tone that has just become known, if one has."""
        self._silent_s = 0.0 if sound.heard else self._silent_s + FRAME_S
        if sound.tones and (not self._frames or _same(self._frames[-1], sound)):
            self._frames.append(sound)
            self._gap = 0
            return self._fax()
        if self._frames:
            self._gap += 1
            if sound.tones or not sound.heard or self._gap > _GAP_FRAMES:
                self._end_run()
                if sound.tones:
                    self._frames.append(sound)
        return self._judge()

    def _end_run(self) -> None:
        frames, self._frames, self._gap = self._frames, [], 0
        # The first frame's window begins before the tone, and the last one's level is that of a part.
        if len(frames) * FRAME_S < _LEAST_RUN_S:
            return
        inner = frames[1:-1]
        pitches = np.array([frame.tones for frame in inner])
        levels = [frame.level_dbfs for frame in inner]
        middle = np.median(pitches, axis=0)
        flat = (
            bool(np.all(np.abs(pitches - middle) <= _FLAT_HZ * middle))
            and max(levels) - min(levels) <= _FLAT_DB
        )
        run = Run(frames[0].at_s, frames[-1].at_s + FRAME_S, tuple(map(float, middle)), flat)
        self._runs.append(run)

    def _fax(self) -> Tone | None:
        first, last = self._frames[0], self._frames[-1]
        length_s = last.at_s - first.at_s
        at_2100 = len(last.tones) == 1 and abs(last.tones[0] - 2100) <= 40
        if at_2100 and _FAX_S <= length_s < _FAX_S + 1.5 * FRAME_S:
            return Tone("fax", first.at_s, last.at_s, 2100.0)
        return None

    def _judge(self) -> Tone | None:
        """What the newest run is, once enough silence, or the next tone, has followed it."""
        if self._judged == len(self._runs):
            return None
        run = self._runs[-1]
        name = self._network(run)
        if name is None and self._silent_s < _BEEP_SILENCE_S:
            return None
        self._judged = len(self._runs)
        if name is not None:
            return Tone(name, run.begin_s, run.end_s, run.tones[0])
        if is_beep(run) and not self._is_part_of_sit(run):
            return Tone("beep", run.begin_s, run.end_s, run.tones[0])
        return None

    def _network(self, run: Run) -> ToneName | None:
        if not run.flat:
            return None
        if self._completes_sit():
            return "special_information"
        european, american_busy = run.is_at(425.0), run.is_at(480.0, 620.0)
        # Tones 40 Hz apart are one in 40 ms, in the middle between them.
        if run.is_at(440.0, 480.0) or run.is_at(400.0, 450.0) or _is_both(run):
            return "ringback"
        if european and run.length_s >= 0.7:
            return "ringback"
        if european or american_busy:
            return self._cadence(run)
        return None

    def _cadence(self, run: Run) -> ToneName | None:
        """Busy or congestion: by the lengths of this tone and the one before it, and the pause between."""
        earlier = [each for each in self._runs[:-1] if each.tones and _alike(each, run)]
        if not earlier:
            return None
        before = earlier[-1]
        pause_s = run.begin_s - before.end_s
        if not 0.5 <= pause_s / run.length_s <= 2.0 or not 0.7 <= before.length_s / run.length_s <= 1.4:
            return None
        return "congestion" if run.length_s < 0.29 else "busy"

    def _completes_sit(self) -> bool:
        if len(self._runs) < len(_SIT_HZ):
            return False
        last = self._runs[-3:]
        follows = all(after.begin_s - before.end_s < 0.1 for before, after in itertools.pairwise(last))
        return follows and all(
            len(run.tones) == 1 and low <= run.tones[0] <= high and _SIT_S[0] <= run.length_s <= _SIT_S[1]
            for run, (low, high) in zip(last, _SIT_HZ, strict=True)
        )

    def _is_part_of_sit(self, run: Run) -> bool:
        before = self._runs[-2] if len(self._runs) > 1 else None
        return before is not None and before.flat and 0 <= run.begin_s - before.end_s < 0.1


def _is_both(run: Run) -> bool:
    """Whether it is 440 and 480 Hz."""
    return len(run.tones) == 1 and abs(run.tones[0] - 460.0) <= 5.0 and run.length_s >= 1.0


def is_beep(run: Run) -> bool:
    """Whether a tone may be a mailbox's; 425 Hz alone is the network's."""
    return (
        run.flat
        and len(run.tones) == 1
        and BEEP_HZ[0] <= run.tones[0] <= BEEP_HZ[1]
        and BEEP_S[0] <= run.length_s <= BEEP_S[1]
        and not run.is_at(425.0)
    )


def _same(before: Sound, after: Sound) -> bool:
    if len(before.tones) != len(after.tones):
        return False
    return all(abs(a - b) <= 0.04 * b for a, b in zip(after.tones, before.tones, strict=True))


def _alike(one: Run, other: Run) -> bool:
    if len(one.tones) != len(other.tones):
        return False
    return all(abs(a - b) <= _NEAR * b for a, b in zip(one.tones, other.tones, strict=True))
