"""What is to be done about an overlap, and which policy says so. Pure data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from telephony.turns.evidence import Evidence

Action = Literal["wait", "resume", "yield", "patience"]
"""``wait`` for more evidence; ``resume`` where playback stopped; ``yield`` the floor for good;
``patience``: stay silent until the caller is back, without asking."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision.

    Attributes:
        action: what to do.
        policy: who says so, such as ``stop_words``.
        reason: why, in a few words.
        spent: whether the words have done all they were said for, and are no turn of the caller's.
        after: whether words that are resumed over are a turn once the agent has spoken.
    """

    action: Action
    policy: str
    reason: str
    spent: bool = False
    after: bool = False


class Policy(Protocol):
    """One way to look at the evidence."""

    name: str

    def consider(self, evidence: Evidence) -> Decision | None:
        """What this policy says of it; None where it has nothing to say."""
