"""Whole conversations in text, through the real session, the real tools and the assistant's own flow."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from livekit.agents import Agent, AgentSession, RunContext
from livekit.agents.testing import fake_job_context
from livekit.agents.voice.run_result import RunResult

from telephony.agent.tools import function_tools
from telephony.assistants.flow import Flow
from telephony.assistants.loader import load_assistant
from telephony.assistants.tools.desk import Desk
from telephony.speech.dialogue import keys_as_text
from telephony.speech.dialogue_llm import DialogueLlm

pytestmark = pytest.mark.component

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


class Reception:
    """A call without a telephone."""

    def __init__(self) -> None:
        self.assistant = load_assistant("reception")
        self.desk = Desk(self.assistant, now=lambda: NOW, caller_number="+15550100199", call_id="call_text00")
        self.tools: list[tuple[str, dict[str, Any]]] = []
        self.ended: list[RunContext[None]] = []
        self.llm = DialogueLlm(Flow(self.assistant))
        self.session: AgentSession[None] = AgentSession(llm=self.llm)

    async def hear(self, text: str) -> RunResult[Any]:
        """The caller says something."""
        return await self.session.run(user_input=text)

    async def answer(self, text: str) -> str:
        """The caller says something, and the agent's last words."""
        events = (await self.hear(text)).events
        spoken = [event.item.text_content for event in events if event.type == "message"]
        return spoken[-1] or ""


@asynccontextmanager
async def reception(*, scripted: bool = True) -> AsyncIterator[Reception]:
    call = Reception()
    tools = function_tools(
        call.assistant,
        call.desk,
        scripted=scripted,
        on_tool=lambda name, arguments, result: call.tools.append((name, result)),
        on_end=call.ended.append,
    )
    with fake_job_context() as ctx:
        await call.session.start(Agent(instructions="", tools=tools))
        try:
            yield call
        finally:
            await call.session.aclose()
            # A real job does this when its process ends.
            ctx._tempdir.cleanup()


BOOKING = ["I'd like to book an appointment.", "Tuesday.", "At half past three.", "Anna Keller."]


async def test_an_appointment_is_booked() -> None:
    """From the wish to the diary, through the tool call, with its answer spoken."""
    async with reception() as call:
        for text in BOOKING:
            last = await call.answer(text)
        assert last == "So that is Tuesday, at 3:30 PM, for Anna Keller. Is that right?"
        result = await call.hear("Yes, that's right.")
        result.expect.next_event().is_function_call(
            name="book_appointment", arguments={"day": "tuesday", "time": "15:30", "name": "Anna Keller"}
        )
        result.expect.next_event().is_function_call_output(is_error=False)
        result.expect.next_event().is_message(role="assistant")
        result.expect.no_more_events()
        assert [entry.name for entry in call.desk.diary.appointments()] == ["Anna Keller"]


async def test_a_closed_day_is_refused_and_another_asked_for() -> None:
    """The tool's refusal comes back into the conversation."""
    async with reception() as call:
        for text in ["Book on Sunday at 3:30 p.m.", "My name is Anna Keller."]:
            await call.answer(text)
        assert await call.answer("Yes.") == (
            "I am sorry. On Sunday we are closed. Which day would you like to come?"
        )


async def test_keys_lead_through_the_menu() -> None:
    """A key in the history is the same as a word."""
    async with reception() as call:
        assert await call.answer(keys_as_text("1")) == "Which day would you like to come?"
        assert "call you back" in await call.answer(keys_as_text("0"))
        assert call.desk.callbacks.numbers() == ["+15550100199"]


async def test_goodbye_is_said_before_the_line_is_told_to_hang_up() -> None:
    """The goodbye and the tool call are one answer, and nothing is said after it."""
    async with reception() as call:
        result = await call.hear("Goodbye.")
        kinds = [event.type for event in result.events]
        assert kinds == ["message", "function_call", "function_call_output"]
        assert len(call.ended) == 1
        assert call.tools == [("end_call", {"ended": True})]


async def test_a_failing_tool_is_told_to_the_caller(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """A diary that cannot be read is an answer, not an end."""
    async with reception() as call:
        broken = tmp_path / "diary.json"
        broken.write_text("{}")
        monkeypatch.setattr(call.desk.diary._records, "_path", broken)
        for text in BOOKING:
            await call.answer(text)
        assert "call you back" in await call.answer("Yes.")
        assert "error" in call.tools[0][1]
        assert call.tools[1][0] == "transfer_to_operator"


async def test_the_expectation_follows_the_conversation() -> None:
    """What the recogniser is told is what was asked last."""
    async with reception() as call:
        call.llm.follow(call.session)
        await call.answer(BOOKING[0])
        assert "Tuesday" in call.llm.expectation.hint
        await call.answer(BOOKING[1])
        assert "p.m." in call.llm.expectation.hint


async def test_a_language_model_speaks_after_the_tool_that_ends() -> None:
    """Its goodbye may come with the tool's answer, so the tool gives it one."""
    async with reception(scripted=False) as call:
        result = await call.hear("Goodbye.")
    outputs = [event.item.output for event in result.events if event.type == "function_call_output"]
    assert outputs == ['{"ended": true}']
