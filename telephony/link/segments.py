"""The job's side of playout: which segment is being spoken, and when its session is told what became of it.

Pure. livekit-agents pushes frames, flushes, and clears before or after the flush
(``livekit.agents.voice.io.AudioOutput``). Guarantees: each segment that was begun is reported finished
exactly once, by the bridge, or here when the bridge is gone; frames that come between a clear and its
flush go nowhere; reports wait, in order, until ``open_gate``.

The gate: a session that is told "playback started" before its ``start`` has returned sets the agent's
state to speaking and then to listening, and the caller's next sound stops the greeting at once. So
audio goes out as soon as it is there, and only what is *said* about it waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.link.messages import MAX_PCM, Clear, Finished, Flush, Speech

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.link.messages import Report, ToBridge


class Segments:
    """The segments of one job.

    Args:
        send: to the bridge.
        report: to the session.
    """

    def __init__(self, send: Callable[[ToBridge], None], report: Callable[[Report], None]) -> None:
        self._send = send
        self._report = report
        self._newest = 0
        self._capturing = False
        self._dropping = False
        self._open: set[int] = set()
        self._held: list[Report] | None = []
        self._lost = False

    @property
    def newest(self) -> int:
        """The number of the segment that was begun last; 0 before the first."""
        return self._newest

    @property
    def pending(self) -> set[int]:
        """Segments that are not reported finished."""
        return set(self._open)

    def capture(self, pcm: bytes) -> None:
        """The next audio of the segment that is being spoken; the first begins one."""
        begins = not self._capturing
        if begins:
            self._capturing, self._dropping = True, False
            self._newest += 1
            self._open.add(self._newest)
        if self._dropping or self._lost:
            return
        # Also without audio: the bridge reports only on what it has been told of.
        for at in range(0, len(pcm) or int(begins), MAX_PCM):
            self._send(Speech(self._newest, pcm[at : at + MAX_PCM]))

    def flush(self) -> None:
        """The segment is complete."""
        if not self._capturing:
            return
        self._capturing = False
        if self._lost:
            self._finish_all()
        elif not self._dropping:
            self._send(Flush(self._newest))

    def clear(self) -> None:
        """Forget all that was captured; the rest of an unfinished segment goes nowhere."""
        if not self._open:
            return
        self._dropping = self._capturing
        if self._lost:
            self._finish_all()
        else:
            self._send(Clear(self._newest))

    def told(self, report: Report) -> None:
        """The bridge reports; what it says of segments that are over already is passed over."""
        if report.segment not in self._open:
            return
        if isinstance(report, Finished):
            self._open.discard(report.segment)
        self._say(report)

    def lost(self) -> None:
        """The bridge is gone: what is open ends here, and so does what is still to come."""
        self._lost = True
        self._dropping = self._capturing
        self._finish_all()

    def open_gate(self) -> None:
        """The session may be told; harmless when repeated."""
        held, self._held = self._held or [], None
        for report in held:
            self._report(report)

    def _finish_all(self) -> None:
        for number in sorted(self._open):
            self._open.discard(number)
            self._say(Finished(number, 0, interrupted=True))

    def _say(self, report: Report) -> None:
        if self._held is None:
            self._report(report)
        else:
            self._held.append(report)
