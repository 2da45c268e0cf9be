from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.api.examples import EXAMPLES
from telephony.api.timeline import clock, printable, timeline

pytestmark = pytest.mark.pure

CALL = {"started_at": "2026-11-21T10:00:00Z", "created_at": "2026-11-21T10:00:00Z"}


_FROM: dict[str, Any] = {"from": "+1555"}


def event(event_type: str, second: float, /, *, late: bool = False, **data: Any) -> dict[str, Any]:
    stamp = f"2026-11-21T10:00:{second:09.6f}+00:00"
    return {"type": event_type, "timestamp": stamp, "late": late, "data": data}


def test_the_ringing_is_told_once_as_the_bridge_saw_it() -> None:
    """LiveKit's account may come first, in whole seconds, which may be before the INVITE."""
    called = {"invite_at": "2026-11-21T10:00:00.9Z", "to": "+1666", **_FROM}
    lines = timeline(
        {**CALL, "started_at": "2026-11-21T10:00:00.9Z"},
        [
            event("call.ringing", 0, to="+1666", **_FROM),
            event("call.reported", 0.905, fact="call.ringing", **called),
            event("call.answered", 0.96, codec="PCMU"),
        ],
    )
    assert [(line.text, line.at_s >= 0, line.wait) for line in lines] == [
        ("INVITE +1555 → +1666", True, ""),
        ("180 Ringing", True, "5 ms"),
        ("200 OK: PCMU", True, "60 ms"),
    ]


def test_a_call_reads_as_it_happened() -> None:
    """Rings, answer, turns by when they began, what was done between, and the end last."""
    lines = timeline(
        CALL,
        [
            event("call.ringing", 0, to="+1666", **_FROM),
            event("call.ended", 30, cause="The caller hung up.", outcome="answered", ended_by="caller"),
            event("call.answered", 0.06, codec="PCMU", audio_path="direct"),
            event("turn.completed", 9, who="caller", text="Friday", started_at="2026-11-21T10:00:05Z"),
            event(
                "turn.completed",
                8,
                who="agent",
                text="Which day",
                started_at="2026-11-21T10:00:03Z",
                interrupted=True,
                interrupted_at="day",
                latency_ms=620.4,
                latency={"llm_ms": 110, "tts_ms": 60},
            ),
            event("tool.called", 10, name="book", result={"ok": True}),
            event("participant.joined", 1),
            event("dtmf.received", 31, late=True, digit="5"),
        ],
    )
    assert [(line.kind, line.text) for line in lines] == [
        ("sip", "rings: +1555 → +1666"),
        ("sip", "200 OK: PCMU, direct"),
        ("agent", "Which day"),
        ("caller", "Friday"),
        ("note", "tool book → ok: True"),
        ("note", "key 5"),
        ("end", "The caller hung up."),
    ]
    assert (lines[1].wait, lines[2].wait) == ("60 ms", "620 ms")
    assert lines[2].remark == "interrupted at “day”, llm 110 tts 60"
    assert lines[5].remark == "late"
    assert lines[6].remark == "answered, by caller"


def test_the_sip_steps_of_a_call_are_told_with_their_times() -> None:
    """INVITE, 180 and 200 by how long after the INVITE they came, and who said BYE."""
    steps = [
        event("call.ringing", 0.013, to="+1666", invite_at="2026-11-21T10:00:00Z", **_FROM),
        event("call.answered", 0.089),
        {**event("call.reported", 30, fact="call.ended", ended_by="caller"), "source": "bridge"},
        {**event("call.reported", 30, fact="call.ended", ended_by="caller"), "source": "job"},
    ]
    assert [(line.text, line.wait) for line in timeline(CALL, steps)] == [
        ("INVITE +1555 → +1666", ""),
        ("180 Ringing", "13 ms"),
        ("200 OK", "89 ms"),
        ("BYE from the caller", ""),
    ]


def test_fields_are_told_as_they_come() -> None:
    """With how sure of each; one that is asked for again is open."""
    told = {"day": {"value": "friday", "confidence": 0.9}, "time": {"value": None}}
    [line] = timeline(CALL, [event("fields.collected", 5, fields=told)])
    assert line.text == "noted day = friday (90 %), time is open again"


def test_every_type_of_event_can_be_shown() -> None:
    """Each example of the documentation is told or passed over, never an error."""
    lines = timeline(CALL, list(EXAMPLES.values()))
    assert len(lines) > 12


@given(st.text())
def test_nothing_that_a_caller_says_drives_the_terminal(text: str) -> None:
    """Escape sequences and control characters become blanks."""
    assert printable(text).isprintable()


def test_seconds_are_read_as_a_clock() -> None:
    """Minutes and tenths, with a sign before the start."""
    assert [clock(each) for each in (0, 5.26, 75.5, -0.4)] == [" 00:00.0", " 00:05.3", " 01:15.5", "-00:00.4"]
