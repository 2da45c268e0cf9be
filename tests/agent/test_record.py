from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from livekit.agents import llm

from telephony.agent.ending import Ending
from telephony.agent.record import CallRecord
from telephony.speech.dialogue import keys_as_text
from telephony.spool import EventSpool, read_events

pytestmark = pytest.mark.pure

CALL = "call_abcDEF123456"


@pytest.fixture
def record(tmp_path: Path) -> Iterator[CallRecord]:
    spool = EventSpool(tmp_path, CALL, "job")
    yield CallRecord(spool)
    spool.close()


def written(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    return [(event.type, event.data) for event in read_events(folder / f"{CALL}.job.jsonl")]


def said(role: llm.ChatRole, text: str, *, interrupted: bool = False, **metrics: Any) -> llm.ChatMessage:
    message = llm.ChatMessage(role=role, content=[text], interrupted=interrupted, created_at=1000.0)
    message.metrics.update(metrics)  # type: ignore[typeddict-item]
    return message


def test_a_turn_says_who_what_when_and_how_long_it_was_waited_for(tmp_path: Path, record: CallRecord) -> None:
    """The answer carries the caller's wait and what it was spent on, in ms."""
    record.message(
        said("user", "Tuesday.", started_speaking_at=1.0, stopped_speaking_at=2.0, end_of_turn_delay=0.4)
    )
    record.message(
        said("assistant", "At what time?", started_speaking_at=2.5, stopped_speaking_at=3.5, e2e_latency=0.5)
    )
    (_, caller), (_, agent) = written(tmp_path)
    assert (caller["who"], caller["text"], caller["interrupted"]) == ("caller", "Tuesday.", False)
    assert caller["started_at"] == "1970-01-01T00:00:01.000+00:00"
    assert "latency_ms" not in caller
    assert (agent["who"], agent["latency_ms"]) == ("agent", 500)
    assert agent["parts_ms"] == {"end_of_turn": 400}


def test_an_interruption_is_an_event_of_its_own(tmp_path: Path, record: CallRecord) -> None:
    """What was cut off is written as far as it was heard."""
    record.message(said("assistant", "Hello, this is", interrupted=True, stopped_speaking_at=4.0))
    assert [kind for kind, _ in written(tmp_path)] == ["turn.completed", "agent.interrupted"]
    assert written(tmp_path)[1][1]["text"] == "Hello, this is"


def test_keys_and_instructions_are_no_turns(tmp_path: Path, record: CallRecord) -> None:
    """What nobody said is not in the record as said."""
    record.message(said("user", keys_as_text("1")))
    record.message(said("system", "Be kind."))
    record.message(said("assistant", "  "))
    assert written(tmp_path) == []


def test_an_utterance_without_measures_still_has_a_time(tmp_path: Path, record: CallRecord) -> None:
    """The moment it was made stands in for what was not measured."""
    record.message(said("assistant", "Goodbye."))
    assert written(tmp_path)[0][1]["started_at"] == "1970-01-01T00:16:40.000+00:00"


def test_the_whole_call_is_numbered_in_order(tmp_path: Path, record: CallRecord) -> None:
    """From the agent's start to the end, without gaps."""
    record.started(assistant="reception")
    record.key("0")
    record.tool("opening_hours", {}, {"text": "x"})
    record.collected({"name": "Anna"})
    record.transferred("sip:desk@example.com", "failed")
    record.ended(Ending("caller", "the caller hung up"), outcome="answered")
    events = list(read_events(tmp_path / f"{CALL}.job.jsonl"))
    assert [event.source_seq for event in events] == [1, 2, 3, 4, 5, 6]
    assert events[-1].data == {"outcome": "answered", "ended_by": "caller", "cause": "the caller hung up"}
