"""A conversation's state follows from its history alone."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.assistants.turns import Pressed, Said, ToolCall, ToolDone
from telephony.speech.dialogue import caller_turn, keys_as_text, replay, tool_turn
from tests.speech.conversation import Bookings

pytestmark = pytest.mark.pure


def test_without_a_turn_there_is_the_greeting() -> None:
    """The answer to nothing is the greeting, in the first state."""
    step = replay(Bookings(), [])
    assert (step.say, step.state, step.call) == ("Hello, this is the clinic.", Bookings().start(), None)


def test_the_last_turn_is_answered_in_the_state_of_all_before_it() -> None:
    """Each turn is taken in order, and only the last one's answer is given."""
    book, day = Said("Can I book?"), Said("Monday.")
    assert replay(Bookings(), [book]).say == "Which day?"
    assert replay(Bookings(), [book, day]).call == ToolCall("book", {"day": "Monday"})
    assert replay(Bookings(), [book, day, ToolDone("book", {"day": "Monday"})]).say == "Booked for Monday."
    assert replay(Bookings(), [day]).say == "Sorry?"


@given(st.lists(st.sampled_from([Said("book"), Said("Monday"), Pressed("1"), ToolDone("book", {})])))
def test_asking_twice_changes_nothing(turns: list[Said | Pressed | ToolDone]) -> None:
    """An answer that was thrown away leaves no trace: the same history is answered the same."""
    dialogue = Bookings()
    assert replay(dialogue, turns) == replay(dialogue, turns)


@given(st.text(alphabet="0123456789ABCD*#", min_size=1, max_size=20))
def test_keys_survive_the_history(keys: str) -> None:
    """Pressed keys are written into the history and read out of it as keys."""
    assert caller_turn(keys_as_text(keys)) == Pressed(keys)


@pytest.mark.parametrize("text", ["12", "keys 12", "[keys ]", "[keys one]", "Press [keys 1]"])
def test_words_are_not_keys(text: str) -> None:
    """What only looks like keys are words."""
    assert caller_turn(text) == Said(text)


@given(st.dictionaries(st.text(), st.one_of(st.text(), st.integers(), st.booleans(), st.none())))
def test_a_tools_object_is_read_however_it_is_written(result: dict[str, object]) -> None:
    """JSON and Python's own notation, which LiveKit writes, give the same object."""
    assert tool_turn("t", json.dumps(result), failed=False) == ToolDone("t", result)
    assert tool_turn("t", str(result), failed=False) == ToolDone("t", result)


@pytest.mark.parametrize("output", ["done", "", "[1, 2]", "12", "{broken", "__import__('os')"])
def test_any_other_output_is_text(output: str) -> None:
    """What is no object is kept as text, never run."""
    assert tool_turn("t", output, failed=False) == ToolDone("t", {"text": output})


def test_a_failure_is_an_answer_too() -> None:
    """The conversation hears of a tool that failed by the key ``error``."""
    assert tool_turn("t", "no line", failed=True) == ToolDone("t", {"error": "no line"})
