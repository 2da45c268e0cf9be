from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.calls.extraction import extract
from telephony.calls.fields import collected, missing_fields
from tests.calls.calls import event, fold

pytestmark = pytest.mark.pure


def turns(*lines: str) -> list[dict[str, Any]]:
    """Turns from lines such as ``a: What day?`` and ``c: Friday``."""
    who = {"a": "agent", "c": "caller"}
    return [{"seq": seq, "who": who[line[0]], "text": line[3:]} for seq, line in enumerate(lines, start=1)]


TYPED = [
    ("boolean", "Do you smoke?", "No, never.", False),
    ("boolean", "Do you smoke?", "Yes.", True),
    ("integer", "How many people are you?", "We are twenty one.", 21),
    ("number", "How tall are you?", "1,85 metres", 1.85),
    ("date", "Which day suits you?", "Friday would be good.", "friday"),
    ("date", "Which day suits you?", "2026-12-01 please", "2026-12-01"),
    ("time", "At what time?", "half... no, 3 pm", "15:00"),
    ("time", "At what time?", "at ten", "10:00"),
    ("phone", "What is your number?", "+1 555 0100 123", "+15550100123"),
    ("email", "What is your e-mail?", "Anna dot Smith at example dot com", "anna.smith@example.com"),
    ("text", "What is your name?", "My name is Anna Smith.", "Anna Smith"),
    ("choice", "Red or green?", "The green one.", "green"),
]


@pytest.mark.parametrize(("kind", "prompt", "answer", "value"), TYPED)
def test_an_answer_is_read_by_the_fields_type(kind: str, prompt: str, answer: str, value: object) -> None:
    """The caller's answer after the agent's question becomes a value of the declared type."""
    declared = {"name": "it", "type": kind, "prompt": prompt, "choices": ["red", "green"]}
    found = extract([declared], turns("a: Hello!", "c: Hello.", f"a: {prompt}", f"c: {answer}"))
    assert found == {"it": {"value": value, "confidence": 1.0, "turn": 4}}


def test_the_last_answer_to_a_question_counts() -> None:
    """A caller who is asked again corrects what was said before."""
    declared = [{"name": "day", "type": "date", "prompt": "Which day suits you?"}]
    found = extract(
        declared,
        turns("a: Which day suits you?", "c: Monday", "a: Sorry, which day suits you?", "c: No, Friday"),
    )
    assert found["day"]["value"] == "friday"
    assert found["day"]["turn"] == 4


def test_what_was_never_asked_or_not_understood_is_not_found() -> None:
    """Neither an unrelated turn nor an unreadable answer makes a value."""
    declared: list[dict[str, Any]] = [
        {"name": "day", "type": "date", "prompt": "Which day suits you?"},
        {"name": "colour", "type": "choice", "prompt": "Red or green?", "choices": ["red", "green"]},
    ]
    assert extract(declared, turns("a: Red or green?", "c: Red, or green, both.")) == {}


@given(st.lists(st.tuples(st.sampled_from(["agent", "caller"]), st.text(max_size=60)), max_size=12))
def test_no_transcript_breaks_the_extraction(said: list[tuple[str, str]]) -> None:
    """Any text in any order is read without an error, and gives values to declared fields only."""
    spoken: list[dict[str, Any]] = [
        {"seq": seq, "who": who, "text": text} for seq, (who, text) in enumerate(said)
    ]
    kinds = sorted({kind for kind, *_ in TYPED})
    declared: list[dict[str, Any]] = [{"name": kind, "type": kind, "prompt": "the day"} for kind in kinds]
    assert extract(declared, spoken).keys() <= set(kinds)


def test_required_fields_without_a_value_are_named_in_their_order() -> None:
    """When a call breaks off, the record says what it did not get."""
    declared = [{"name": name, "required": name != "note"} for name in ("day", "time", "name", "note")]
    record = fold(
        [
            event("job", 1, "fields.collected", 1, declared=declared, fields={"time": {"value": "10:00"}}),
            event("job", 2, "fields.collected", 2, fields={"name": {"value": ""}, "day": {"value": None}}),
        ]
    )
    assert collected(record) == {"time": {"value": "10:00"}}
    assert missing_fields(record) == ["day", "name"]
