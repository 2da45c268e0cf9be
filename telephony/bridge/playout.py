"""Frames that wait to be played: one short queue a track, and the mix of all.

Pure but for a lock: frames are pushed on the loop of the room and pulled on the media thread. Guarantee:
nothing said is dropped before the call is answered, a track that runs dry fades rather
than clicks, and delay is taken back (``telephony.bridge.delay``).
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from telephony.audio.frame import FRAME_SAMPLES, silence
from telephony.bridge.delay import DelayTrim, is_quiet

if TYPE_CHECKING:
    from telephony.audio.frame import Samples

MAX_RESERVE = 2
"""Frames that may wait all the time after the queue ran empty in speech; none before."""

CALM = 500
"""Frames played without starvation after which the reserve shrinks by one: ten seconds."""

CAP = 50
"""Frames after which the oldest are dropped, speech or not: one second behind is worse than a gap."""

_FADE = np.linspace(1.0, 0.0, FRAME_SAMPLES, dtype=np.float32)


class PlayoutQueue:
    """One track's frames, int16 of shape (160,), first in first out.

    Until ``release`` it only collects: quiet frames at its head are dropped, the first word and all that
    follows is kept.

    Args:
        lock: held while frames move; shared by the queues of one mix.

    Attributes:
        starved: pulls that found nothing after the first frame.
        overflowed: frames dropped because ``CAP`` were waiting.
    """

    def __init__(self, *, released: bool = True, lock: threading.Lock | None = None) -> None:
        self._lock = lock or threading.Lock()
        self._frames: deque[Samples] = deque()
        self._released = released
        self._trim = DelayTrim()
        self._started = False
        self._last: Samples | None = None
        self._calm = 0
        self.starved = 0
        self.overflowed = 0

    @property
    def depth(self) -> int:
        """Frames that wait."""
        return len(self._frames)

    @property
    def dropped(self) -> int:
        """Frames never played, to keep the delay short."""
        return self.overflowed + self._trim.trimmed

    def push(self, frame: Samples) -> None:
        """Add a frame that arrived."""
        with self._lock:
            if not self._released:
                while self._frames and is_quiet(self._frames[0]):
                    self._frames.popleft()
            elif len(self._frames) >= CAP:
                self._frames.popleft()
                self.overflowed += 1
            self._frames.append(frame)

    def release(self) -> None:
        """Play from now on."""
        self._released = True

    def pull(self) -> Samples | None:
        """The frame to play now, or None for nothing; call it each 20 ms.

        The first frame missing in speech is replaced by the last one fading out.
        """
        with self._lock:
            return self.pull_locked()

    def pull_locked(self) -> Samples | None:
        """The same for whoever holds the lock."""
        if not self._released:
            return None
        if len(self._frames) > 1 and self._trim.leaves_out(self._frames[0]):
            self._frames.popleft()
        if not self._frames:
            return self._starve()
        self._started = True
        self._last = self._frames.popleft()
        self._trim.observe(len(self._frames))
        self._calm += 1
        if self._calm >= CALM:
            self._calm = 0
            self._trim.wanted = max(0.0, self._trim.wanted - 1)
        return self._last

    def _starve(self) -> Samples | None:
        last, self._last = self._last, None
        if not self._started:
            return None
        self.starved += 1
        self._calm = 0
        self._trim.observe(0)
        if last is None or is_quiet(last):
            return None
        # The late frame will wait from now on; letting it do so is what keeps the next one from missing.
        self._trim.wanted = min(self._trim.wanted + 1, MAX_RESERVE)
        return (last * _FADE).astype(np.int16)


class Mixer:
    """The queues of all tracks, mixed to one frame."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queues: dict[str, PlayoutQueue] = {}
        self._released = False
        self._starved = 0
        self._dropped = 0

    def add(self, track: str) -> PlayoutQueue:
        """A queue for a track; an old one of the same name is replaced."""
        self.remove(track)
        with self._lock:
            queue = self._queues[track] = PlayoutQueue(released=self._released, lock=self._lock)
        return queue

    def remove(self, track: str) -> None:
        """Forget a track; harmless when unknown."""
        with self._lock:
            queue = self._queues.pop(track, None)
            if queue is not None:
                self._starved += queue.starved
                self._dropped += queue.dropped

    def release(self) -> None:
        """Play from now on."""
        with self._lock:
            self._released = True
            for queue in self._queues.values():
                queue.release()

    def pull(self) -> Samples:
        """The mix of this tick, int16 of shape (160,); silence when there is nothing."""
        with self._lock:
            pulled = [queue.pull_locked() for queue in self._queues.values()]
        frames = [frame for frame in pulled if frame is not None]
        if not frames:
            return silence()
        if len(frames) == 1:
            return frames[0]
        total = np.sum(np.stack(frames), axis=0, dtype=np.int32)
        return np.clip(total, -32768, 32767).astype(np.int16)

    @property
    def starved(self) -> int:
        """How often a track that played before had nothing to play."""
        return self._starved + sum(queue.starved for queue in self._queues.values())

    @property
    def dropped(self) -> int:
        """Frames never played, to keep the delay short."""
        return self._dropped + sum(queue.dropped for queue in self._queues.values())
