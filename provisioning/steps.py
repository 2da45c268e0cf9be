"""What a plan consists of: an action an object, its writes, and the gaps they leave. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from provisioning.objects import Kind, Message

NEW = "new:"
"""Begins the id of what does not exist yet; the object's key follows."""


@dataclass(frozen=True, slots=True)
class Action:
    """What is to become of one object.

    Attributes:
        key: the object's key in the file.
        id: LiveKit's id, or ``new:<key>``.
        before: what is there; None: nothing.
        after: what is wanted, a rule's ``trunk_ids`` with ids or ``new:<key>``; None: deletion.
    """

    kind: Kind
    key: str
    id: str
    before: Message | None
    after: Message | None


@dataclass(frozen=True, slots=True)
class Step:
    """One write.

    Attributes:
        action: what it belongs to.
        message: what is written; None: deletion.
        stage: whole: the object is as wanted; staged: it is there but takes no call yet; parked: it
            let go of what another one claims.
    """

    action: Action
    message: Message | None
    stage: Literal["whole", "staged", "parked"] = "whole"


@dataclass(frozen=True, slots=True)
class Gap:
    """Calls that are not served for the time of a write or two.

    Attributes:
        number: the called number, empty for any.
        caller: the calling number, empty for any.
        untouched: the call is served the same before and after.
        opens: index of the step that lets go.
        closes: index of the step after which the call is served again.
    """

    number: str
    caller: str
    untouched: bool
    opens: int
    closes: int

    def to_json(self) -> dict[str, Any]:
        """The published shape."""
        return {"number": self.number or None, "caller": self.caller or None}


@dataclass(slots=True)
class Chain:
    """Steps that depend on each other, in their order; different chains may run side by side."""

    steps: list[Step] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
