"""What of a flow's words must be heard, and what it asks for."""

from __future__ import annotations

import pytest

from telephony.agent.asked import question_kind
from telephony.agent.must_hear import span_of, spoken_event
from telephony.assistants.flow import Flow
from telephony.assistants.loader import load_assistant
from telephony.assistants.turns import FlowState, Said, ToolCall
from telephony.turns.evidence import Span
from telephony.turns.settings import MustHear

pytestmark = pytest.mark.pure

RECEPTION = load_assistant("reception")
FLOW = Flow(RECEPTION)


def after(*said: str) -> FlowState:
    """Where the sample stands after some turns of the caller's."""
    state = FLOW.start()
    for text in said:
        state = FLOW.step(state, Said(text)).state
    return state


def test_a_flow_tells_what_must_be_heard() -> None:
    """Its read-back, the notice before a transfer, its goodbye; not its questions."""
    wanted = MustHear()
    booked = after("book an appointment", "on Tuesday", "at half past three", "Anna Miller")
    assert span_of(wanted, None, booked) == Span("read_back", yields_to_stop=True)
    assert span_of(wanted, None, after("goodbye")) == Span("goodbye")
    calling = FlowState(at="operator", calling=ToolCall("transfer_to_operator"))
    assert span_of(wanted, None, calling) == Span("transfer")
    assert span_of(wanted, None, FlowState(at="hours", calling=ToolCall("opening_hours"))) is None
    assert span_of(wanted, None, after("book an appointment")) is None
    assert span_of(wanted, None, None) is None


def test_an_assistant_may_not_want_it_but_a_promise_is_kept() -> None:
    """Settings hold for what the flow says; what was asked for as such is heard whatever they say."""
    wanted = MustHear(goodbye=False)
    assert span_of(wanted, None, after("goodbye")) is None
    assert span_of(wanted, "goodbye", None) == Span("goodbye")
    assert span_of(wanted, "disclosure", None) == Span("disclosure", yields_to_stop=True)


def test_a_flow_tells_what_kind_of_answer_it_waits_for() -> None:
    """Yes or no after a read-back, anything where a name is asked; nobody knows without a flow."""
    booked = after("book an appointment", "on Tuesday", "at half past three", "Anna Miller")
    assert question_kind(RECEPTION, booked) == "yes_no"
    assert question_kind(RECEPTION, FLOW.start()) == "yes_no"
    assert question_kind(RECEPTION, after("book an appointment", "on Tuesday")) == "open"
    assert question_kind(RECEPTION, None) == "open"


def test_the_record_has_how_much_was_played() -> None:
    """In milliseconds, with the text as far as it was heard."""
    told = spoken_event(Span("goodbye"), "Goodbye.", 0.8, complete=True, talked_over=False)
    assert told == {
        "kind": "goodbye",
        "text": "Goodbye.",
        "played_ms": 800,
        "complete": True,
        "talked_over": False,
    }
