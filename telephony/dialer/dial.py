"""How far a call out has come with its permit, and what whoever finds it may do. Pure.

The permit is written when the call is asked for, and consumed in a transaction of its own right before
the one request that can make a phone ring. So at every instant at which a process can die, the row says
which of two it is: not consumed, then nothing has left and the call may still be dialled; consumed, then
it may have rung and is never dialled again, and what became of it is looked for.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import datetime


class DialState(StrEnum):
    """What the row of a call out says."""

    PERMITTED = "permitted"
    """The permit is there: nothing has left."""
    DIALLING = "dialling"
    """The permit is consumed: the phone may ring."""
    OVER = "over"
    """It was answered, or will not be."""


Step = Literal["dial", "look", "expire", "stop", "nothing"]
"""What to do with a row: dial it, look what became of it, end it as too late or as called off, or nothing."""


def next_step(state: DialState, *, deadline: datetime, cancelled: bool, now: datetime) -> Step:
    """What whoever has the row may do with it; the same whether it is new or was left by the dead."""
    if state is DialState.OVER:
        return "nothing"
    if state is DialState.DIALLING:
        return "look"
    if cancelled:
        return "stop"
    return "dial" if now < deadline else "expire"
