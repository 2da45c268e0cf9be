"""Events on disk."""

from __future__ import annotations

import resource
import signal
from typing import TYPE_CHECKING

import pytest

from telephony.calls.events import Event
from telephony.spool import EventSpool, read_events

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.pure

CALL = "call_abcDEF123456"


def test_what_is_emitted_can_be_read_back_in_order(tmp_path: Path) -> None:
    """Type, data and number survive the file; numbers start at 1 without gaps."""
    spool = EventSpool(tmp_path, CALL, "job")
    spool.emit("agent.started", assistant="reception")
    spool.emit("dtmf.received", digit="1")
    events = list(read_events(spool.path))
    assert [(event.source_seq, event.type) for event in events] == [
        (1, "agent.started"),
        (2, "dtmf.received"),
    ]
    assert events[0].data == {"assistant": "reception"}
    spool.close()


def test_a_new_writer_goes_on_where_the_file_ends(tmp_path: Path) -> None:
    """A process that died and came back never gives a number twice."""
    first = EventSpool(tmp_path, CALL, "bridge")
    first.emit("call.ringing")
    first.close()
    second = EventSpool(tmp_path, CALL, "bridge")
    assert second.emit("call.answered").source_seq == 2
    second.close()


def test_a_line_cut_short_by_a_crash_is_passed_over(tmp_path: Path) -> None:
    """Half a line at the end of the file harms nothing that stands before it."""
    spool = EventSpool(tmp_path, CALL, "job")
    spool.emit("agent.started")
    spool.close()
    with spool.path.open("ab") as file:
        file.write(b'{"call_id": "call_abc')
    assert [event.type for event in read_events(spool.path)] == ["agent.started"]


def test_names_that_are_no_call_ids_never_reach_the_disk(tmp_path: Path) -> None:
    """A hostile id cannot name a file elsewhere."""
    with pytest.raises(ValueError, match="not a call id"):
        EventSpool(tmp_path, "../../etc/passwd", "job")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "broken", [{}, {"type": "call.ringing"}, {"type": "no.such", "time": "2026-01-01T00:00:00Z"}]
)
def test_other_shapes_are_refused(broken: dict[str, str]) -> None:
    """What is no event says so instead of becoming half of one."""
    with pytest.raises(ValueError, match=r"event|zone"):
        Event.from_json(broken)


def test_the_next_writer_does_not_continue_a_line_that_was_cut_short(tmp_path: Path) -> None:
    """What a new writer emits after half a line is a line of its own."""
    spool = EventSpool(tmp_path, CALL, "job")
    spool.emit("agent.started")
    spool.close()
    with spool.path.open("ab") as file:
        file.write(b'{"call_id": "call_abc')
    again = EventSpool(tmp_path, CALL, "job")
    again.emit("dtmf.received", digit="1")
    again.close()
    assert [event.type for event in read_events(spool.path)] == ["agent.started", "dtmf.received"]


def test_a_full_disk_leaves_no_half_line(tmp_path: Path) -> None:
    """An event that does not fit is an error and a gap in the numbers; those around it are whole."""
    spool = EventSpool(tmp_path, CALL, "job")
    spool.emit("agent.started")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (spool.path.stat().st_size + 40, hard))
    try:
        with pytest.raises(OSError, match=r"File too large|No space left"):
            spool.emit("turn.completed", who="agent", text="x" * 200)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    spool.emit("dtmf.received", digit="1")
    spool.close()
    assert [(event.source_seq, event.type) for event in read_events(spool.path)] == [
        (1, "agent.started"),
        (3, "dtmf.received"),
    ]


def test_a_text_that_is_no_unicode_is_written_all_the_same(tmp_path: Path) -> None:
    """A lone surrogate from a broken header does not cost the event."""
    spool = EventSpool(tmp_path, CALL, "bridge")
    spool.emit("call.ringing", **{"from": "\ud800"})
    spool.close()
    assert len(list(read_events(spool.path))) == 1
