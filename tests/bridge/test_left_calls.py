from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from telephony.bridge.left_calls import end_left_calls
from telephony.spool import EventSpool, read_events

if TYPE_CHECKING:
    from pathlib import Path

    from telephony.calls.events import EventType

pytestmark = pytest.mark.pure


def left(folder: Path, call: str, *types: EventType) -> Path:
    """The file of a call that a bridge had when it died."""
    spool = EventSpool(folder, call, "bridge")
    for event_type in types:
        spool.emit(event_type, direction="inbound")
    spool.close()
    return spool.path


def test_what_a_dead_bridge_left_unsaid_is_said(tmp_path: Path) -> None:
    """Each of its calls gets one end, with the true cause; a call that was never answered has failed."""
    answered = left(tmp_path, "call_answered", "call.ringing", "call.answered")
    ringing = left(tmp_path, "call_ringing1", "call.ringing")
    assert end_left_calls(tmp_path) == 2
    end = list(read_events(answered))[-1]
    assert (end.type, end.source_seq, end.data["code"], end.data["ended_by"]) == (
        "call.ended",
        3,
        "bridge_lost",
        "line",
    )
    assert "outcome" not in end.data
    assert list(read_events(ringing))[-1].data["outcome"] == "failed"
    assert end_left_calls(tmp_path) == 0


def test_calls_that_have_their_end_get_no_second(tmp_path: Path) -> None:
    """Refused ones, ended ones, and files without a whole event."""
    left(tmp_path, "call_refused", "call.ringing", "call.refused")
    left(tmp_path, "call_ended12", "call.ringing", "call.ended")
    (tmp_path / "call_cutshort.bridge.jsonl").write_text('{"call_id"')
    left(tmp_path, "call_ofnobody")
    assert end_left_calls(tmp_path) == 0


def test_a_living_bridge_keeps_its_calls_and_a_killed_one_does_not(tmp_path: Path) -> None:
    """The kernel says which is which, at the moment of the kill."""
    code = (
        "import sys, time; from pathlib import Path; from telephony.spool import EventSpool;"
        "spool = EventSpool(Path(sys.argv[1]), 'call_ofanother', 'bridge');"
        "spool.emit('call.ringing', direction='inbound'); print('ready', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert end_left_calls(tmp_path) == 0
        other.send_signal(signal.SIGKILL)
        other.wait(10)
        assert end_left_calls(tmp_path) == 1
