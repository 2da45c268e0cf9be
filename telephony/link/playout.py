"""What the caller hears from the job: the one authority on what was played, and how much of it.

Pure but for the clock, which only dates reports. The job pushes as fast as its voice delivers; ``take``
gives 20 ms at each tick. Segments are numbered and played in order.

Guarantees, in whatever order calls come: each segment that was pushed or flushed is reported finished
exactly once, started before that if a sample of it was played, and the stretches reported as played add
up to its samples; nothing of a cleared segment is played from the next tick on; nothing is played while
paused, and nothing is lost by it. After ``abandon`` nobody is told anything of what was before.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from telephony.audio.frame import FRAME_SAMPLES, RATE, Samples, silence
from telephony.link.messages import (
    SAMPLE_BYTES,
    Clear,
    Finished,
    Flush,
    Pause,
    Played,
    Resume,
    Speech,
    Started,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.clock import Clock
    from telephony.link.messages import Report, ToPlayout

MAX_QUEUED_S = 600
"""Audio that may wait; more is dropped and counted: no agent speaks for ten minutes."""

_FRAME_BYTES = FRAME_SAMPLES * SAMPLE_BYTES
_MAX_QUEUED = MAX_QUEUED_S * RATE * SAMPLE_BYTES
_SILENCE = silence()
_SILENCE.setflags(write=False)


class _Segment:
    def __init__(self, number: int) -> None:
        self.number = number
        self.waiting = bytearray()
        self.complete = False
        self.played = 0
        self.run_samples = 0
        self.run_at = 0.0

    @property
    def has_frame(self) -> bool:
        return len(self.waiting) >= _FRAME_BYTES or (self.complete and bool(self.waiting))

    @property
    def is_over(self) -> bool:
        return self.complete and not self.waiting


class Playout:
    """The queue of one call; it outlives the job that fills it.

    Args:
        report: told what became of segments; must not call back.

    Attributes:
        starved: ticks on which a segment that was being played had nothing to play.
        overflowed: bytes dropped because ``MAX_QUEUED_S`` were waiting.
    """

    def __init__(self, clock: Clock, report: Callable[[Report], None]) -> None:
        self._clock = clock
        self._report = report
        self._segments: deque[_Segment] = deque()
        self._newest = 0
        self._paused = False
        self._clip = b""
        self.starved = 0
        self.overflowed = 0

    @property
    def speaking(self) -> bool:
        """Whether there is anything of the job's still to be played, or on its way."""
        return bool(self._segments)

    @property
    def clip_playing(self) -> bool:
        """Whether a clip is being played."""
        return bool(self._clip)

    # What the job says

    def obey(self, message: ToPlayout) -> None:
        """Do what one message asks for."""
        match message:
            case Speech():
                self.push(message.segment, message.pcm)
            case Flush():
                self.flush(message.segment)
            case Clear():
                self.clear(message.segment)
            case Pause():
                self.pause()
            case Resume():
                self.resume()

    def push(self, number: int, pcm: bytes) -> None:
        """Add audio to a segment; that of a segment which is over or cleared is dropped."""
        segment = self._open(number)
        if segment is None or segment.complete:
            return
        if sum(len(each.waiting) for each in self._segments) + len(pcm) > _MAX_QUEUED:
            self.overflowed += len(pcm)
            return
        segment.waiting += pcm

    def flush(self, number: int) -> None:
        """A segment is complete; one without audio is over at once when its turn comes."""
        segment = self._open(number)
        if segment is not None:
            segment.complete = True
            self._finish_played()

    def clear(self, number: int) -> None:
        """Drop this segment and all before it; also those that have not come yet."""
        self._newest = max(self._newest, number)
        while self._segments and self._segments[0].number <= number:
            self._finish(self._segments.popleft(), interrupted=True)
        self._finish_played()

    def pause(self) -> None:
        """Play nothing from the next tick on."""
        self._paused = True
        if self._segments:
            self._end_run(self._segments[0])

    def resume(self) -> None:
        """Go on."""
        self._paused = False

    # What the bridge says

    def take(self) -> Samples:
        """The next 20 ms for the caller, int16 of shape (160,), not to be written to."""
        if self._clip:
            return self._take_clip()
        if self._paused or not self._segments:
            return _SILENCE
        segment = self._segments[0]
        if not segment.has_frame:
            if segment.run_samples:
                self._end_run(segment)
            if segment.played:
                self.starved += 1
            return _SILENCE
        frame = bytes(segment.waiting[:_FRAME_BYTES])
        del segment.waiting[:_FRAME_BYTES]
        self._count(segment, len(frame) // SAMPLE_BYTES)
        self._finish_played()
        return np.frombuffer(frame.ljust(_FRAME_BYTES, b"\0"), np.int16)

    def play_clip(self, pcm: bytes) -> None:
        """Play a clip from the next tick on, before anything of the job's, which waits."""
        self._clip = pcm
        if self._segments:
            self._end_run(self._segments[0])

    def abandon(self) -> None:
        """The job is gone: forget what it said; the next one numbers its segments from 1 again."""
        self._segments.clear()
        self._newest = 0
        self._paused = False

    # Segments

    def _open(self, number: int) -> _Segment | None:
        """The segment of that number, opened if it is new; None if it is over."""
        if number > self._newest:
            # A job begins a segment only when the one before has all its audio.
            for earlier in self._segments:
                earlier.complete = True
            self._newest = number
            self._segments.append(_Segment(number))
            self._finish_played()
        return next((each for each in self._segments if each.number == number), None)

    def _count(self, segment: _Segment, samples: int) -> None:
        if not segment.run_samples:
            segment.run_at = self._clock.now()
        if not segment.played:
            self._report(Started(segment.number, segment.run_at))
        segment.played += samples
        segment.run_samples += samples

    def _finish_played(self) -> None:
        while self._segments and self._segments[0].is_over:
            self._finish(self._segments.popleft(), interrupted=False)

    def _finish(self, segment: _Segment, *, interrupted: bool) -> None:
        self._end_run(segment)
        self._report(Finished(segment.number, segment.played, interrupted))

    def _end_run(self, segment: _Segment) -> None:
        samples, segment.run_samples = segment.run_samples, 0
        if samples:
            self._report(Played(segment.number, segment.played - samples, samples, segment.run_at))

    def _take_clip(self) -> Samples:
        frame, self._clip = self._clip[:_FRAME_BYTES], self._clip[_FRAME_BYTES:]
        return np.frombuffer(frame.ljust(_FRAME_BYTES, b"\0"), np.int16)
