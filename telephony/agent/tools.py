"""An assistant's tools, as LiveKit's function tools: checked, bounded in time, written down."""

from __future__ import annotations

import asyncio
import json
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from livekit.agents import RunContext, ToolError, llm

from telephony.assistants.flow import END_TOOL
from telephony.assistants.tools.registry import tools_of
from telephony.errors import AssistantError
from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from telephony.assistants.schema import Assistant
    from telephony.assistants.tools.desk import Desk
    from telephony.assistants.tools.tool import Tool

log = get_logger(__name__)

TOOL_LIMIT_S = 40.0
"""Longest a tool may work."""
TRANSFER_LIMIT_S = 420.0
"""The same for a transfer, which ends by its own limits: two ways, each with its ringing, and a briefing."""


def function_tools(
    assistant: Assistant,
    desk: Desk,
    *,
    scripted: bool,
    on_tool: Callable[[str, dict[str, Any], dict[str, Any]], None],
    on_end: Callable[[RunContext[None]], None],
) -> list[llm.Tool | llm.Toolset]:
    """The tools of one call.

    Args:
        assistant: whose tools.
        desk: what they can reach.
        scripted: whether the assistant's flow leads the call; then its goodbye is said before the tool
            that ends the call, and a language model's may come after it.
        on_tool: told of each call's name, arguments and answer.
        on_end: told when the call is to be ended.
    """
    return [_function_tool(tool, desk, scripted, on_tool, on_end) for tool in tools_of(assistant).values()]


def _function_tool(
    tool: Tool,
    desk: Desk,
    scripted: bool,
    on_tool: Callable[[str, dict[str, Any], dict[str, Any]], None],
    on_end: Callable[[RunContext[None]], None],
) -> llm.RawFunctionTool[Any, Any]:
    async def run(raw_arguments: dict[str, object], context: RunContext[None]) -> str | None:
        if tool.after_speaking:
            _keep(context)
            await context.wait_for_playout()
        try:
            async with asyncio.timeout(_limit_s(tool)), _waited_for(tool, context):
                result = await tool.run(desk, raw_arguments)
        except AssistantError as error:
            log.warning("tool_failed", tool=tool.name, reason=str(error))
            on_tool(tool.name, raw_arguments, {"error": error.message})
            raise ToolError(str(error)) from error
        except TimeoutError:
            log.warning("tool_failed", tool=tool.name, reason=f"no answer within {_limit_s(tool):g} s")
            on_tool(tool.name, raw_arguments, {"error": "timeout"})
            raise ToolError("it took too long") from None
        on_tool(tool.name, raw_arguments, result)
        if tool.name == END_TOOL:
            on_end(context)
            if scripted:
                return None
        if result.get("transferred"):
            # The caller is somebody else's: there is nothing more to say.
            return None
        return json.dumps(result, ensure_ascii=False)

    # livekit-agents runs it once the turn is taken: an answer that is worked out ahead calls nothing.
    schema = {"name": tool.name, "description": tool.description, "parameters": tool.schema()}
    return llm.function_tool(run, raw_schema=schema)


def _limit_s(tool: Tool) -> float:
    return TRANSFER_LIMIT_S if tool.after_speaking else TOOL_LIMIT_S


def _keep(context: RunContext[None]) -> None:
    """Whoever speaks into what was announced does not cancel it, and hears what became of it."""
    try:
        context.disallow_interruptions()
    except RuntimeError as error:
        log.info("announcement_interrupted", reason=str(error))


def _waited_for(tool: Tool, context: RunContext[None]) -> AbstractAsyncContextManager[None]:
    """Have the caller told when the tool is slow, in its own words."""
    waiting = tool.waiting
    if waiting is None:
        return nullcontext()
    return context.with_filler(waiting.say, delay=waiting.after_s)
