"""Find where a conversation stands by playing its turns again, from the first to the last.

Pure. The state is never kept: it follows from what was said, so an answer that is worked out before the
caller has surely finished changes nothing, and one that is thrown away leaves nothing behind.
"""

from __future__ import annotations

import ast
import json
import re
from typing import TYPE_CHECKING, Any, Protocol

from telephony.assistants.turns import Pressed, Said, Step, ToolDone

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from telephony.assistants.turns import FlowState, Turn

_KEYS = re.compile(r"^\[keys ([0-9A-D*#]+)\]$")


class DialogueEngine(Protocol):
    """A deterministic conversation; ``telephony.assistants.flow.Flow`` is one."""

    def start(self) -> FlowState:
        """The state in which the greeting has been said."""

    def step(self, state: FlowState, turn: Turn) -> Step:
        """The answer to one turn: what to say, which tool to call, and the state after it."""

    def hint(self, state: FlowState) -> str:
        """What the recogniser should expect in that state."""


def keys_as_text(keys: str) -> str:
    """How pressed keys stand in a conversation's history: ``[keys 12#]``."""
    return f"[keys {keys}]"


def caller_turn(text: str) -> Said | Pressed:
    """The turn that a caller's line in the history stands for."""
    keys = _KEYS.match(text.strip())
    return Pressed(keys.group(1)) if keys else Said(text)


def tool_turn(name: str, output: str, *, failed: bool) -> ToolDone:
    """The turn that a tool's output in the history stands for.

    LiveKit writes an output down with ``str()``, so an object arrives as JSON or as Python writes it; any
    other text becomes ``{"text": …}``, and a failure ``{"error": …}``.
    """
    if failed:
        return ToolDone(name, {"error": output})
    return ToolDone(name, _as_object(output))


def replay(dialogue: DialogueEngine, turns: Iterable[Turn]) -> Step:
    """The answer to the last turn, all turns before it taken; without any, the greeting."""
    state = dialogue.start()
    step = Step(state, state.said)
    for turn in turns:
        step = dialogue.step(step.state, turn)
    return step


def _as_object(output: str) -> Mapping[str, Any]:
    for read in (json.loads, ast.literal_eval):
        try:
            value = read(output)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(value, dict):
            return value
    return {"text": output}
