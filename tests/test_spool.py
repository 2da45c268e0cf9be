"""Events on disk."""

from __future__ import annotations

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
