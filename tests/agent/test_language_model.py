"""The same assistant led by a language model, against a server with OpenAI's wire shape."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from livekit.agents import Agent, AgentSession, RunContext
from livekit.agents.testing import fake_job_context
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from telephony.agent.tools import function_tools
from telephony.assistants.loader import load_assistant
from telephony.assistants.tools.desk import Desk
from telephony.speech.cloud_settings import OpenAiLlmSettings
from telephony.speech.providers import build
from telephony.speech.settings import SpeechSettings, TimedSttSettings, TimedTtsSettings

pytestmark = pytest.mark.component


class Model:
    """A model that answers as it is told, and remembers what it was asked."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self._answers = list(answers)
        self.asked: list[dict[str, Any]] = []

    def answer(self, request: Request) -> Response:
        self.asked.append(json.loads(request.data))
        delta = {"role": "assistant", **self._answers.pop(0)}
        chunks = [
            {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
            for choice in (
                {"index": 0, "delta": delta, "finish_reason": None},
                {"index": 0, "delta": {}, "finish_reason": "tool_calls" if "tool_calls" in delta else "stop"},
            )
        ]
        lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
        return Response("".join([*lines, "data: [DONE]\n\n"]), content_type="text/event-stream")


def calling(name: str, arguments: dict[str, str]) -> dict[str, Any]:
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": function}]}


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    with HTTPServer(host="127.0.0.1") as server:
        server.expect_request("/v1/models").respond_with_json({"data": []})
        yield server


async def converse(server: HTTPServer, model: Model, text: str) -> tuple[list[Any], list[RunContext[None]]]:
    server.expect_request("/v1/chat/completions", method="POST").respond_with_handler(model.answer)
    assistant = load_assistant("reception")
    settings = SpeechSettings(
        stt=TimedSttSettings(provider="timed"),
        llm=OpenAiLlmSettings(provider="openai", base_url=server.url_for("/v1")),
        tts=TimedTtsSettings(provider="timed"),
    )
    providers = build(settings)
    ended: list[RunContext[None]] = []
    tools = function_tools(
        assistant, Desk(assistant), scripted=False, on_tool=lambda *_: None, on_end=ended.append
    )
    session: AgentSession[None] = AgentSession(llm=providers.llm)
    with fake_job_context() as ctx:
        await session.start(Agent(instructions=assistant.instructions, tools=tools))
        try:
            events = (await session.run(user_input=text)).events
        finally:
            await session.aclose()
            await providers.aclose()
            ctx._tempdir.cleanup()
    return list(events), ended


async def test_a_model_is_given_the_instructions_and_the_tools(server: HTTPServer) -> None:
    """It calls a tool by its schema, gets its answer, and speaks."""
    model = Model(calling("opening_hours", {"day": "sunday"}), {"content": "We are closed on Sunday."})
    events, _ = await converse(server, model, "Are you open on Sunday?")
    first, second = model.asked
    assert first["messages"][0]["role"] in {"system", "developer"}
    assert "Riverside Clinic" in json.dumps(first["messages"][0])
    offered = {tool["function"]["name"]: tool["function"]["parameters"] for tool in first["tools"]}
    assert set(offered) == {
        "book_appointment",
        "opening_hours",
        "transfer_to_operator",
        "refuse_recording",
        "end_call",
    }
    assert set(offered["book_appointment"]["required"]) == {"day", "time", "name"}
    told = next(message for message in second["messages"] if message["role"] == "tool")
    assert json.loads(told["content"])["text"] == "On Sunday we are closed."
    assert events[-1].item.text_content == "We are closed on Sunday."


async def test_a_model_that_calls_a_tool_wrongly_is_told(server: HTTPServer) -> None:
    """The error names the argument, so that the model can try again."""
    model = Model(calling("book_appointment", {"day": "monday"}), {"content": "At what time?"})
    await converse(server, model, "Book Monday.")
    told = next(message for message in model.asked[1]["messages"] if message["role"] == "tool")
    assert "book_appointment.time" in told["content"]


async def test_a_model_ends_the_call_with_its_goodbye(server: HTTPServer) -> None:
    """The tool asks the line to hang up, and the goodbye after it is still spoken."""
    model = Model(calling("end_call", {}), {"content": "Goodbye."})
    events, ended = await converse(server, model, "That is all.")
    assert len(ended) == 1
    assert events[-1].item.text_content == "Goodbye."
