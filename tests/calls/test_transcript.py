from __future__ import annotations

import pytest

from telephony.calls.transcript import as_text, transcript

pytestmark = pytest.mark.pure


def test_turns_are_in_the_order_they_were_said() -> None:
    """Turns reported late stand where they were spoken, and other events are left out."""
    events = [
        {"seq": 1, "type": "call.answered", "timestamp": "2026-11-21T10:00:00+00:00", "data": {}},
        {
            "seq": 2,
            "type": "turn.completed",
            "timestamp": "2026-11-21T10:00:09+00:00",
            "data": {"who": "caller", "text": "Friday", "started_at": "2026-11-21T10:00:07Z"},
        },
        {
            "seq": 3,
            "type": "turn.completed",
            "timestamp": "2026-11-21T10:00:05+00:00",
            "data": {"who": "agent", "text": "Which day?", "interrupted": True},
        },
    ]
    turns = transcript(events)
    assert [turn["seq"] for turn in turns] == [3, 2]
    assert as_text(turns) == "agent: Which day? —\ncaller: Friday"
