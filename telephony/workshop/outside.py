"""The world outside while an assistant is tried: its language model and its HTTP tools' servers, simulated.

A test acts on nothing real. Real plugins and real requests go to servers on this machine that answer what
``scripts/NAME.answers.yaml`` says; a tool that the file does not name gets 503.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit, urlunsplit

from aiohttp import web
from pydantic import Field

from provisioning.reading.document import parse_document
from provisioning.reading.problem import in_reading_order
from provisioning.reading.validation import validate_tree
from telephony.assistants.part import Name, Part
from telephony.errors import AssistantError
from telephony.speech.simulators.openai import Answer, OpenAiSimulator, scripted
from telephony.speech.simulators.realtime import RealtimeSimulator
from telephony.speech.simulators.serving import serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from telephony.assistants.schema import Assistant
    from telephony.workshop.spoken_model import SpokenModel


class ModelAnswer(Part):
    """One answer of the language model."""

    text: str = ""
    """What it says."""
    calls: dict[Name, dict[str, Any]] = Field(default_factory=dict)
    """The tools it calls, with their arguments."""


class ToolAnswer(Part):
    """What a tool's server answers."""

    status: Annotated[int, Field(ge=200, le=599)] = 200
    """The HTTP status. Default 200."""
    body: Any = Field(default=None, alias="json")
    """The JSON body. Default: none."""
    after_s: float = Field(default=0.0, ge=0, le=60)
    """How long it takes, in s. Default 0."""


class Answers(Part):
    """The whole file."""

    model: list[ModelAnswer] = Field(default_factory=list, max_length=200)
    """What the language model answers, in turn, where the line has none of its own."""
    http: dict[Name, ToolAnswer] = Field(default_factory=dict)
    """What each HTTP tool's server answers."""


def read_answers(path: Path | None) -> Answers:
    """Read the file; nothing is answered without one.

    Raises:
        AssistantError: every problem in it.
    """
    if path is None:
        return Answers()
    document = parse_document(path.read_bytes())
    problems, answers = document.problems, None
    if not problems:
        answers, problems = validate_tree(Answers, document, _no_secrets)
    if answers is None:
        lines = [f"{path.name}:{problem}" for problem in in_reading_order(problems)]
        raise AssistantError("\n".join(lines), fix=f"Correct {path}.")
    return answers


def _no_secrets(name: str) -> str:
    raise ValueError(f"answers hold no secrets ({name})")


@contextlib.asynccontextmanager
async def simulated(answers: Answers, spoken: SpokenModel | None = None) -> AsyncIterator[str]:
    """Run the servers; yields their root, ``/v1`` of which is the model's and ``/tool/NAME`` a tool's.

    Args:
        spoken: ears and voice of a model that hears and speaks; None where none is tried.
    """
    told = [Answer(each.text, tuple(each.calls.items())) for each in answers.model]
    think = scripted(told or [Answer("I have no answers for this.")])
    app = OpenAiSimulator(think).app()
    if spoken is not None:
        app.add_routes(RealtimeSimulator(hear=spoken.hear, think=think, speak=spoken.speak).routes())

    async def tool(request: web.Request) -> web.Response:
        answer = answers.http.get(request.match_info["name"])
        if answer is None:
            return web.Response(status=503, text="no answer is written for this tool")
        await asyncio.sleep(answer.after_s)
        text = "" if answer.body is None else json.dumps(answer.body)
        return web.Response(status=answer.status, text=text, content_type="application/json")

    app.router.add_route("*", "/tool/{name}/{rest:.*}", tool)
    async with serve(app) as root:
        yield root


def pointed_at(assistant: Assistant, root: str) -> Assistant:
    """The assistant with its HTTP tools pointed at the simulated servers; secrets are not asked for."""
    if not assistant.http_tools:
        return assistant
    tools = {}
    for name, tool in assistant.http_tools.items():
        parts = urlsplit(tool.url)
        origin = urlsplit(root)
        url = urlunsplit((origin.scheme, origin.netloc, f"/tool/{name}{parts.path or '/'}", parts.query, ""))
        headers = {key: value for key, value in tool.headers.items() if "${" not in value}
        tools[name] = tool.model_copy(update={"url": url, "headers": headers})
    changed = assistant.model_copy(update={"http_tools": tools})
    changed._edition = assistant.version
    return changed
