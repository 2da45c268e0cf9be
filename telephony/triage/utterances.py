"""What is said on a line, as utterances: when each began and ended, by sound alone. Pure.

Steady tones are nobody's words, and a crackle is no utterance. The end of one is known
``APART_S`` after it; silence is counted from the last sound at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telephony.audio.frame import FRAME_S

if TYPE_CHECKING:
    from telephony.triage.sounds import Sound

APART_S = 0.3
"""A shorter pause is one between words."""
LEAST_S = 0.08
"""Sound within an utterance without which it was none."""
_EDGE_S = 1.5 * FRAME_S
"""A tone is recognised a frame after it began."""


@dataclass(slots=True)
class Utterance:
    """From its first sound to its last, in seconds of audio."""

    begin_s: float
    end_s: float
    sound_s: float = 0.0

    @property
    def length_s(self) -> float:
        """From its first sound to its last."""
        return self.end_s - self.begin_s

    @property
    def counts(self) -> bool:
        """Whether there was enough of it to be an utterance."""
        return self.sound_s >= LEAST_S


class Utterances:
    """What was said on one line since the last ``forget``."""

    def __init__(self) -> None:
        self._all: list[Utterance] = []

    def hear(self, sound: Sound) -> None:
        """The next 20 ms that belong to no steady tone."""
        if not sound.heard:
            return
        last = self._all[-1] if self._all else None
        if last is None or sound.at_s - last.end_s > APART_S:
            if last is not None and not last.counts:
                self._all.pop()
            last = Utterance(sound.at_s, sound.at_s)
            self._all.append(last)
        last.end_s = sound.at_s + FRAME_S
        last.sound_s += FRAME_S

    def take_back(self, since_s: float) -> None:
        """What began since then was the beginning of a tone."""
        self._all = [each for each in self._all if each.begin_s < since_s - _EDGE_S]

    def forget(self) -> None:
        """What was said so far belongs to somebody else."""
        self._all.clear()

    @property
    def heard(self) -> tuple[Utterance, ...]:
        """The utterances, the one under way included."""
        return tuple(each for each in self._all if each.counts)
