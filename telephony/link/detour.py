"""One session's speech on two ways while a call moves from its socket to the room.

Pure. Guarantee: every segment is spoken on one way only, from its first sample to its end: those that
had been begun when the call moved on the old one, all others on the new one, and not before the old one has
nothing more to say. ``drained`` is told once, when that is so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.link.messages import Clear, Finished, Flush, Pause, Resume, Speech

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.link.messages import Report, ToBridge
    from telephony.link.playout import Playout


class Detour:
    """The way of what a job says, once the call has begun to move.

    Args:
        newest: the last segment that was begun.
        open_segments: those that are not finished.
        old: sends to the bridge.
        new: plays into the room.
        drained: the old way is not needed any more.
    """

    def __init__(
        self,
        newest: int,
        open_segments: set[int],
        old: Callable[[ToBridge], None],
        new: Playout,
        drained: Callable[[], None],
    ) -> None:
        self._newest = newest
        self._open = set(open_segments)
        self._old = old
        self._new = new
        self._drained = drained
        self._told = False
        self._paused = False
        new.pause()
        self._look()

    def send(self, message: ToBridge) -> None:
        """Take what the session's segments have to say."""
        match message:
            case Speech() if message.segment > self._newest:
                self._new.push(message.segment, message.pcm)
            case Flush() if message.segment > self._newest:
                self._new.flush(message.segment)
            case Clear() if message.segment > self._newest:
                if self._open:
                    self._old(Clear(self._newest))
                self._new.clear(message.segment)
            case Pause():
                self._paused = True
                self._new.pause()
                self._old(message)
            case Resume():
                self._paused = False
                if self._told:
                    self._new.resume()
                self._old(message)
            case _:
                self._old(message)

    def told(self, report: Report) -> None:
        """The old way reports."""
        if isinstance(report, Finished):
            self._open.discard(report.segment)
            self._look()

    def _look(self) -> None:
        if not self._open and not self._told:
            self._told = True
            if not self._paused:
                self._new.resume()
            self._drained()
