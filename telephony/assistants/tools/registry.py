"""All tools by name: those of the product, functions of one's own, and a file's HTTP requests."""

from __future__ import annotations

import functools
import importlib
import inspect
from typing import TYPE_CHECKING, Final

from telephony.assistants.tools.answers import note_answer
from telephony.assistants.tools.appointments import book_appointment
from telephony.assistants.tools.ending import end_call
from telephony.assistants.tools.http import http_tool
from telephony.assistants.tools.opening import opening_hours
from telephony.assistants.tools.operator import transfer_to_operator
from telephony.assistants.tools.recording import refuse_recording
from telephony.assistants.tools.tool import Tool
from telephony.errors import AssistantError

if TYPE_CHECKING:
    from telephony.assistants.schema import Assistant

_ENGLISH: Final = frozenset({"en"})

_ALL: Final = (
    Tool.of(book_appointment, languages=_ENGLISH),
    Tool.of(opening_hours, languages=_ENGLISH),
    Tool.of(transfer_to_operator, after_speaking=True),
    Tool.of(note_answer),
    Tool.of(refuse_recording),
    Tool.of(end_call),
)

TOOLS: Final[dict[str, Tool]] = {tool.name: tool for tool in _ALL}
"""What an assistant's file may list under ``tools`` without having written it."""


def tool_named(name: str) -> Tool:
    """A tool as a file names it.

    Raises:
        AssistantError: there is none, or the function is no tool.
    """
    if name in TOOLS:
        return TOOLS[name]
    if ":" in name:
        return _own(name)
    raise AssistantError(f"there is no tool {name!r}; there are {', '.join(sorted(TOOLS))}.")


def tools_of(assistant: Assistant) -> dict[str, Tool]:
    """Every tool of an assistant by its own name, in the order of the file.

    Raises:
        AssistantError: one is none.
    """
    named = [tool_named(name) for name in assistant.tools]
    declared = [http_tool(name, spec) for name, spec in assistant.http_tools.items()]
    return {tool.name: tool for tool in [*named, *declared]}


@functools.cache
def _own(name: str) -> Tool:
    module, _, function = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), function)
    except Exception as error:
        # Whatever a module of somebody else does when it is imported, it is one sentence about the file.
        raise AssistantError(f"{name!r} cannot be imported: {type(error).__name__}: {error}.") from error
    if isinstance(found, Tool):
        return found
    if not inspect.iscoroutinefunction(found) or not inspect.signature(found).parameters:
        raise AssistantError(
            f"{name!r} is no tool: it must be an async function whose first parameter is the desk."
        )
    try:
        return Tool.of(found, strict=False)
    except (TypeError, NameError, ValueError) as error:
        raise AssistantError(f"{name!r} is no tool: {error}.") from error
