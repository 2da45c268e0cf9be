from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from livekit.agents import llm
from livekit.agents.metrics import LLMModelUsage, STTModelUsage, TTSModelUsage

from telephony.agent.ending import Ending
from telephony.agent.questionnaire import Questionnaire
from telephony.agent.record import CallRecord
from telephony.agent.usage import usage_of
from telephony.assistants.flow import Flow
from telephony.assistants.loader import read_assistant
from telephony.assistants.turns import Pressed, Said
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
        said(
            "assistant",
            "At what time?",
            started_speaking_at=2.5,
            stopped_speaking_at=3.5,
            e2e_latency=0.5,
            playback_latency=0.012,
        )
    )
    (_, caller), (_, agent) = written(tmp_path)
    assert (caller["who"], caller["text"], caller["interrupted"]) == ("caller", "Tuesday.", False)
    assert caller["started_at"] == "1970-01-01T00:00:01.000+00:00"
    assert "latency_ms" not in caller
    assert (agent["who"], agent["latency_ms"]) == ("agent", 500)
    assert agent["parts_ms"] == {"end_of_turn": 400, "transport": 12}


def test_each_answer_tells_the_average_so_far(tmp_path: Path, record: CallRecord) -> None:
    """Whoever watches a call live sees at once whether it gets slower, and where."""
    for e2e_s in (0.4, 0.8):
        record.message(said("assistant", "Yes.", e2e_latency=e2e_s, llm_node_ttft=e2e_s / 2))
    averages = [data["average_ms"] for _, data in written(tmp_path)]
    assert averages == [{"llm_first_token": 200, "total": 400}, {"llm_first_token": 300, "total": 600}]


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


PIN = """
name: pin
greeting: Please type your number.
fields:
  - { name: colour, prompt: Which colour?, type: choice, choices: [red, blue] }
silence: { prompts: [Hello?], goodbye: Goodbye. }
not_understood: [Sorry?]
time_is_up: Goodbye.
tools: [end_call]
flow:
  start: entry
  give_up: bye
  states:
    entry:
      kind: form
      slots:
        - { slot: pin, type: digits, digits: 4, secret: true, ask: Your number please. }
        - { slot: day, type: day, ask: Which day? }
      read_back: So that is {day}?
      change: What is wrong?
      goto: bye
    bye: { kind: end, say: Goodbye. }
"""


@pytest.fixture
def dialogue(tmp_path: Path) -> Iterator[tuple[CallRecord, Callable[..., None]]]:
    """A record that follows a flow, and what takes a turn of the caller in it."""
    path = tmp_path / "pin.yaml"
    path.write_text(PIN)
    flow = Flow(read_assistant(path))
    state = [flow.start()]
    spool = EventSpool(tmp_path, CALL, "job")
    record = CallRecord(spool, Questionnaire(read_assistant(path)), lambda: state[0])

    def take(turn: Said | Pressed, **metrics: Any) -> None:
        state[0] = flow.step(state[0], turn).state
        text = turn.text if isinstance(turn, Said) else keys_as_text(turn.keys)
        message = said("user", text, **metrics)
        message.transcript_confidence = 0.9
        record.message(message)

    yield record, take
    spool.close()


def test_a_secret_entry_is_written_down_by_nobody(
    tmp_path: Path, dialogue: tuple[CallRecord, Callable[..., None]]
) -> None:
    """Neither as keys, nor as words, nor as a field, nor in what a tool is given."""
    record, take = dialogue
    record.started(assistant="pin")
    take(Said("Something with a seven."))
    for key in "4719":
        record.key(key)
    take(Pressed("4719"))
    record.key("5")
    record.tool("look_up", {"pin": "4719"}, {"text": "4719 is known"})
    text = (tmp_path / f"{CALL}.job.jsonl").read_text()
    assert "4719" not in text
    assert "seven" not in text
    told = written(tmp_path)
    assert [data for kind, data in told if kind == "dtmf.received"] == [{"secret": True}] * 4 + [
        {"digit": "5"}
    ]
    [fields] = [data["fields"] for kind, data in told if kind == "fields.collected"]
    assert fields == {"pin": {"value": "•••"}}


def test_a_field_is_told_when_it_is_given_with_its_turn_and_confidence(
    tmp_path: Path, dialogue: tuple[CallRecord, Callable[..., None]]
) -> None:
    """What a tool makes of it later keeps both; what the form forgets is taken back."""
    record, take = dialogue
    record.started(assistant="pin")
    declared = written(tmp_path)[0][1]["declared_fields"]
    assert [(field["name"], field["required"]) for field in declared] == [
        ("colour", True),
        ("pin", False),
        ("day", False),
    ]
    take(Pressed("4719"))
    take(Said("On Tuesday."))
    record.collected({"day": "2026-11-24"})
    told = [data["fields"] for kind, data in written(tmp_path) if kind == "fields.collected"]
    assert told[1:] == [
        {"day": {"value": "tuesday", "confidence": 0.9, "turn": 1}},
        {"day": {"value": "2026-11-24", "confidence": 0.9, "turn": 1}},
    ]


def test_turns_are_counted_on_by_a_job_that_takes_over(tmp_path: Path, record: CallRecord) -> None:
    """The second job of a call goes on where the first one died."""
    record.message(said("assistant", "Hello."))
    record.message(said("user", "Hello."))
    spool = EventSpool(tmp_path, CALL, "job")
    CallRecord(spool).message(said("assistant", "Go on."))
    spool.close()
    assert [data["turn"] for kind, data in written(tmp_path) if kind == "turn.completed"] == [1, 2, 3]


def test_the_word_at_which_the_agent_was_interrupted_is_named(tmp_path: Path, record: CallRecord) -> None:
    """In the turn and in the event of its own."""
    record.message(said("assistant", "We are open Monday", interrupted=True))
    (_, turn), (_, cut) = written(tmp_path)
    assert (turn["interrupted_at"], cut["word"]) == ("Monday", "Monday")


def test_usage_is_told_before_the_end(tmp_path: Path, record: CallRecord) -> None:
    """Each model with what it was used for; models that did nothing are not named."""
    used = usage_of(
        [
            LLMModelUsage(provider="openai", model="small", input_tokens=10, output_tokens=3),
            TTSModelUsage(provider="cartesia", model="sonic", characters_count=40, audio_duration=2.0),
            STTModelUsage(provider="deepgram", model="nova"),
        ]
    )
    record.ended(Ending("caller", "the caller hung up"), outcome="answered", usage=used)
    (kind, told), _ = written(tmp_path)
    assert kind == "usage.reported"
    assert [(each["kind"], each["provider"]) for each in told["usage"]] == [
        ("llm", "openai"),
        ("tts", "cartesia"),
    ]
