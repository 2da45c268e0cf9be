"""What one call leaves behind: its events, its timing marks, and one log line.

Guarantee: a call that came in ends in exactly one of ``call.refused`` and ``call.ended``; a disk that
is full is logged and never ends a call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from telephony.logs import get_logger
from telephony.spool import EventSpool

if TYPE_CHECKING:
    from pathlib import Path

    from telephony.bridge.ending import Ending
    from telephony.bridge.refusal import Refusal
    from telephony.calls.events import EventType
    from telephony.clock import Clock

log = get_logger(__name__)


class CallRecord:
    """One call as it is told to others.

    Args:
        call_id: ours, such as ``call_abcDEF123456``.
        events_dir: where events are spooled; None = none are written.
    """

    def __init__(self, clock: Clock, call_id: str, *, direction: str, events_dir: Path | None) -> None:
        self.call_id = call_id
        self.fields: dict[str, Any] = {}
        """More fields for the log line, such as the trunk."""
        self.parties: dict[str, Any] = {}
        """Who calls whom, for the first event; numbers in clear, so never for the log."""
        self._clock = clock
        self._direction = direction
        self._events_dir = events_dir
        self._spool: EventSpool | None = None
        self._marks: dict[str, float] = {}

    def mark(self, name: str) -> None:
        """Note the time of a step; only the first time counts."""
        self._marks.setdefault(name, self._clock.now())

    def at(self, name: str) -> float | None:
        """Clock time of a mark, or None."""
        return self._marks.get(name)

    @property
    def marks_ms(self) -> dict[str, float]:
        """Milliseconds from the first mark to each, in order."""
        start = min(self._marks.values(), default=0.0)
        return {name: round((at - start) * 1000, 1) for name, at in self._marks.items()}

    @property
    def begun(self) -> bool:
        """Whether there is an event of the call already."""
        return self._spool is not None

    def emit(self, event_type: EventType, **data: Any) -> None:
        """Write an event down; ``data`` are JSON values."""
        if self._events_dir is None:
            return
        try:
            if self._spool is None:
                self._spool = EventSpool(self._events_dir, self.call_id, "bridge")
            self._spool.emit(event_type, **data)
        except OSError as error:
            log.error("event_not_written", call_id=self.call_id, type=event_type, reason=error.strerror)

    def refused(self, refusal: Refusal, *, with_event: bool = True) -> None:
        """The call was refused: its event and its log line."""
        self.mark("ended")
        if with_event:
            self.emit(
                "call.refused",
                status=refusal.status,
                field=refusal.field,
                sentence=refusal.sentence,
                **self.parties,
            )
        log.warning(
            "call_refused",
            call_id=self.call_id,
            direction=self._direction,
            sip_status=refusal.status,
            field=refusal.field,
            sentence=refusal.sentence,
            fix=refusal.fix,
            marks_ms=self.marks_ms,
            **self.fields,
        )
        self._close()

    def ended(self, ending: Ending, *, sip_status: int, rtp: dict[str, Any], media: dict[str, int]) -> None:
        """The call ended and everything of it was let go: its event and its log line."""
        self.mark("ended")
        self.mark("released")
        answered_at, ended_at = self.at("answered"), self._marks["ended"]
        duration_s = round(ended_at - answered_at, 3) if answered_at is not None else 0.0
        if not self.begun and self._direction == "inbound" and self.parties:
            # Given up before trunk and rules were known: who called whom is told all the same.
            self.emit("call.ringing", **self.parties)
        self.emit(
            "call.ended",
            reason=ending.name,
            cause=ending.sentence,
            ended_by=ending.ended_by,
            sip_status=sip_status,
            duration_s=duration_s,
            **({"code": ending.code} if ending.code else {}),
            **rtp,
        )
        log.info(
            "call_ended",
            call_id=self.call_id,
            direction=self._direction,
            reason=ending.name,
            ended_by=ending.ended_by,
            sip_status=sip_status,
            duration_s=duration_s,
            marks_ms=self.marks_ms,
            rtp=rtp,
            media=media,
            **self.fields,
        )
        self._close()

    def _close(self) -> None:
        if self._spool is not None:
            self._spool.close()
            self._spool = None
