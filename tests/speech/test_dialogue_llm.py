"""The flow behind LiveKit's language model: asked early, asked twice, asked in a real session."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from livekit.agents import AgentSession, TurnHandlingOptions, llm

from telephony.speech.dialogue import keys_as_text
from telephony.speech.dialogue_llm import DialogueLlm
from telephony.speech.expectation import Expectation
from tests.speech.conversation import Bookings, Clinic

if TYPE_CHECKING:
    from livekit.agents.voice.run_result import RunResult

pytestmark = pytest.mark.component


def history(*items: llm.ChatItem | str) -> llm.ChatContext:
    """A history; a bare text is the caller's."""
    context = llm.ChatContext.empty()
    for item in items:
        context.items.append(llm.ChatMessage(role="user", content=[item]) if isinstance(item, str) else item)
    return context


def agent_said(text: str) -> llm.ChatMessage:
    """Something that the agent said."""
    return llm.ChatMessage(role="assistant", content=[text])


async def answer(model: DialogueLlm, context: llm.ChatContext) -> llm.CollectedResponse:
    """The whole answer to a history."""
    return await model.chat(chat_ctx=context).collect()


def calls(response: llm.CollectedResponse) -> list[tuple[str, dict[str, Any]]]:
    """Name and arguments of the tools that an answer calls."""
    return [(call.name, json.loads(call.arguments)) for call in response.tool_calls]


async def test_it_answers_with_words() -> None:
    """A turn that only wants words gets them, whole."""
    response = await answer(DialogueLlm(Bookings()), history("I want to book."))
    assert (response.text, response.tool_calls) == ("Which day?", [])


async def test_it_calls_a_tool_and_speaks() -> None:
    """Words and the tool call come in one answer, as a model would give them."""
    response = await answer(DialogueLlm(Bookings()), history("book", agent_said("Which day?"), "Monday."))
    assert response.text == "One moment."
    assert calls(response) == [("book", {"day": "Monday"})]


async def test_it_goes_on_after_a_tool() -> None:
    """The tool's output is a turn, whatever stands around it in the history."""
    called = llm.FunctionCall(call_id="c1", name="book", arguments="{}")
    output = llm.FunctionCallOutput(call_id="c1", name="book", output="{'day': 'Monday'}", is_error=False)
    model = DialogueLlm(Bookings())
    for late in ([], [agent_said("One moment.")]):
        response = await answer(model, history("book", "Monday", called, output, *late))
        assert (response.text, response.tool_calls) == ("Booked for Monday.", [])


async def test_a_tool_is_not_called_again_for_the_same_turn() -> None:
    """Asked once more, as after a silence, it repeats its words and leaves the tool alone."""
    called = llm.FunctionCall(call_id="c1", name="book", arguments="{}")
    response = await answer(DialogueLlm(Bookings()), history("book", "Monday", called))
    assert (response.text, response.tool_calls) == ("One moment.", [])


async def test_keys_are_turns() -> None:
    """Pressed keys lead the conversation like words."""
    response = await answer(DialogueLlm(Bookings()), history(keys_as_text("0")))
    assert (response.text, calls(response)) == ("Goodbye.", [("end_call", {})])


async def test_without_a_turn_it_greets() -> None:
    """Instructions and an empty line are no turns; the answer to no turn is the greeting."""
    told = llm.ChatMessage(role="system", content=["Be kind."])
    assert (await answer(DialogueLlm(Bookings()), history(told, ""))).text == "Hello, this is the clinic."


async def test_a_guess_moves_nothing() -> None:
    """An early request for a turn that is not taken leaves state and expectation as they were."""
    expectation = Expectation()
    model = DialogueLlm(Bookings(), expectation)
    assert expectation.hint == "Book an appointment."
    assert (await answer(model, history("I want to book"))).text == "Which day?"
    assert expectation.hint == "Book an appointment."
    assert (await answer(model, history("I want to cook"))).text == "Sorry?"
    assert model.state_after(history("I want to book")).at == "day"


async def test_a_session_is_led_through_its_turns() -> None:
    """In a real session the tool is called once, its answer is spoken, and the expectation follows."""
    expectation = Expectation()
    model = DialogueLlm(Bookings(), expectation)
    clinic = Clinic()
    handling = TurnHandlingOptions(turn_detection="manual", preemptive_generation={"enabled": True})
    session: AgentSession[None] = AgentSession(llm=model, vad=None, turn_handling=handling)
    async with session:
        model.follow(session)
        await session.start(clinic)
        first: RunResult[None] = await session.run(user_input="I would like to book an appointment.")
        first.expect.next_event().is_message(role="assistant")
        assert expectation.hint == "Monday, Tuesday."
        second: RunResult[None] = await session.run(user_input="Tuesday.")
        second.expect.contains_function_call(name="book", arguments={"day": "Tuesday"})
        second.expect.contains_message(role="assistant")
        assert clinic.booked == ["Tuesday"]
        assert expectation.hint == "Book an appointment."
        spoken = [item.text_content for item in session.history.items if isinstance(item, llm.ChatMessage)]
        assert spoken[-1] == "Booked for Tuesday."
