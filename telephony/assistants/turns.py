"""What goes into a conversation's flow, and what comes out of it. Pure data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Said:
    """The caller said something that was understood as words."""

    text: str


@dataclass(frozen=True, slots=True)
class Pressed:
    """The caller pressed keys of the telephone: digits, ``*``, ``#``."""

    keys: str


@dataclass(frozen=True, slots=True)
class ToolDone:
    """A tool has answered; a failure is an answer with the key ``error``."""

    name: str
    result: Mapping[str, Any]


Turn = Said | Pressed | ToolDone


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool to be called, with the arguments as they are sent."""

    name: str
    arguments: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FlowState:
    """Where a conversation stands. Equal states answer equal turns equally.

    Attributes:
        at: the state's name in the file.
        slots: what is known, as (slot, value), sorted.
        asking: inside a form: the slot that was asked for, or one of the two marks of ``flow``.
        misses: answers in a row that were not understood.
        noted: what was said where nothing asked for it, as (type of slot, value); the next form takes it.
        back: the state that ``back`` leads to; empty for the first.
        said: the last words, for a caller who asks for them again.
        calling: the tool whose answer is awaited.
        closed: goodbye has been said.
    """

    at: str
    slots: tuple[tuple[str, str], ...] = ()
    asking: str = ""
    misses: int = 0
    noted: tuple[tuple[str, str], ...] = ()
    back: str = ""
    said: str = ""
    calling: ToolCall | None = None
    closed: bool = False

    def slot(self, name: str) -> str:
        """The value of a slot, or nothing."""
        return dict(self.slots).get(name, "")


@dataclass(frozen=True, slots=True)
class Step:
    """The answer to one turn.

    Attributes:
        state: where the conversation stands if the turn is taken.
        say: what to speak; may be empty when a tool is called.
        call: the tool to call, after speaking.
    """

    state: FlowState
    say: str
    call: ToolCall | None = None
