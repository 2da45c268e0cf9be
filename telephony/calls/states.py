"""The states of a call, and what one state may become.

A state never goes back: whatever order the accounts of a call arrive in, the state is the
furthest one that any of them proves, so every order ends in the same state.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

Direction = Literal["inbound", "outbound"]


class State(StrEnum):
    """How far a call has come; ``ended`` is final."""

    REQUESTED = "requested"
    PERMITTED = "permitted"
    DIALLING = "dialling"
    RINGING = "ringing"
    ANSWERED = "answered"
    ENDED = "ended"


ORDER: tuple[State, ...] = tuple(State)

INBOUND: tuple[State, ...] = (State.RINGING, State.ANSWERED, State.ENDED)
"""What a call to us passes through; any of them may be skipped except the last."""

OUTBOUND: tuple[State, ...] = ORDER
"""What a call from us passes through; any of them may be skipped except the last."""

PROVES: dict[str, State] = {
    "call.requested": State.REQUESTED,
    "call.permitted": State.PERMITTED,
    "call.dialling": State.DIALLING,
    "call.ringing": State.RINGING,
    "call.refused": State.RINGING,
    "call.answered": State.ANSWERED,
    "call.answered_by": State.ANSWERED,
    "agent.interrupted": State.ANSWERED,
    "turn.completed": State.ANSWERED,
    "call.transferred": State.ANSWERED,
}
"""The least state that an event of this type proves."""


def further(left: State, right: State) -> State:
    """The state further on of two."""
    return left if ORDER.index(left) >= ORDER.index(right) else right


def may_become(state: State, following: State) -> bool:
    """Whether ``following`` may come after ``state``: only forward, and nothing comes after the end."""
    return state is not State.ENDED and ORDER.index(following) > ORDER.index(state)
