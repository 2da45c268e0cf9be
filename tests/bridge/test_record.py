"""What a call leaves behind: events in their order, and one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from telephony.bridge import ending, refusal
from telephony.bridge.record import CallRecord
from telephony.clock import ManualClock
from telephony.logs import configure_structlog
from telephony.spool import read_events

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.component

CALL_ID = "call_abcDEF123456"


def _record(clock: ManualClock, folder: Path | None) -> CallRecord:
    return CallRecord(clock, CALL_ID, direction="inbound", events_dir=folder)


def test_an_answered_call_ends_in_one_event(tmp_path: Path) -> None:
    """Cause, who ended it, the SIP status, how long it was and the phone's packets."""
    clock = ManualClock()
    record = _record(clock, tmp_path)
    record.mark("invite")
    clock.advance(0.5)
    record.mark("answered")
    record.emit("call.answered", codec="PCMU", audio_path="room")
    clock.advance(12.25)
    record.mark("ended")
    clock.advance(0.1)
    record.ended(
        ending.AGENT_HUNG_UP, sip_status=200, rtp={"packets": 5, "lost": 1, "jitter_ms": 0.5}, media={}
    )
    events = list(read_events(tmp_path / f"{CALL_ID}.bridge.jsonl"))
    assert [(event.type, event.source_seq) for event in events] == [("call.answered", 1), ("call.ended", 2)]
    assert events[-1].data == {
        "reason": "agent_hung_up",
        "cause": "The agent asked to end the call.",
        "ended_by": "agent",
        "sip_status": 200,
        "duration_s": 12.25,
        "packets": 5,
        "lost": 1,
        "jitter_ms": 0.5,
    }
    assert record.marks_ms == {"invite": 0.0, "answered": 500.0, "ended": 12750.0, "released": 12850.0}


def test_a_refused_call_has_one_event_with_the_field_at_fault(tmp_path: Path) -> None:
    """Status, field and sentence."""
    record = _record(ManualClock(), tmp_path)
    record.mark("invite")
    record.refused(refusal.draining())
    (event,) = read_events(tmp_path / f"{CALL_ID}.bridge.jsonl")
    assert (event.type, event.data["status"], event.data["field"]) == ("call.refused", 503, "bridge")


def test_a_mark_keeps_its_first_time() -> None:
    """Repeating a step does not move it."""
    clock = ManualClock()
    record = _record(clock, None)
    record.mark("invite")
    clock.advance(1)
    record.mark("ringing")
    clock.advance(1)
    record.mark("ringing")
    assert record.marks_ms == {"invite": 0.0, "ringing": 1000.0}


def test_a_disk_that_cannot_be_written_ends_no_call(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The failure is logged, the call goes on."""
    configure_structlog()
    file = tmp_path / "a file"
    file.write_text("")
    record = _record(ManualClock(), file)
    record.emit("call.ringing")
    record.refused(refusal.draining())
    failed = [vars(line)["type"] for line in caplog.records if line.getMessage() == "event_not_written"]
    assert failed == ["call.ringing", "call.refused"]
    assert file.read_text() == ""


def test_without_a_folder_nothing_is_written(tmp_path: Path) -> None:
    """Events are off."""
    record = _record(ManualClock(), None)
    record.emit("call.ringing")
    record.refused(refusal.draining())
    assert list(tmp_path.iterdir()) == []
