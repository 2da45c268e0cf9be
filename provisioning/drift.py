"""What was changed at livekit-server by another hand since the last apply, field by field. Pure.

The mark in an object's metadata holds a hash of every field as it was last applied. A field whose hash no
longer fits was changed by hand; one that fits and yet differs from the file is a change of the file that
waits for apply.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from provisioning.fields import field_hashes, plain_fields
from provisioning.ownership import read_metadata
from provisioning.plan import make_plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provisioning.clashes import Foreign
    from provisioning.config import LineConfig
    from provisioning.fields import FieldChange
    from provisioning.objects import Kind, Live
    from provisioning.plan import Change
    from provisioning.reading.problem import Path

Cause = Literal["hand", "file", "either"]
"""hand: changed at LiveKit · file: changed in the file, not applied yet · either: cannot be told, since a
secret leaves no hash, or the object was adopted and never written by us."""


@dataclass(frozen=True, slots=True)
class FieldDrift:
    """One field that is not as the file says.

    Attributes:
        kind: of the object.
        key: its key in the file.
        id: LiveKit's id.
        path: where in the file the object stands.
        change: before: what the server has; after: what the file says.
        cause: who changed it.
    """

    kind: Kind
    key: str
    id: str
    path: Path
    change: FieldChange
    cause: Cause

    def to_json(self) -> dict[str, Any]:
        """The published shape."""
        return {
            "kind": self.kind.value,
            "key": self.key,
            "id": self.id,
            "field": self.change.field,
            "live": self.change.before,
            "file": self.change.after,
            "secret": self.change.secret,
            "cause": self.cause,
        }


@dataclass(slots=True)
class Drift:
    """How far the server is from the file.

    Attributes:
        fields: fields that differ.
        missing: objects of the file that the server does not have.
        surplus: objects of ours that the file no longer has.
        foreign: objects of other lines, and of nobody.
        ours: how many objects are ours.
    """

    fields: list[FieldDrift] = field(default_factory=list)
    missing: list[Change] = field(default_factory=list)
    surplus: list[Change] = field(default_factory=list)
    foreign: list[Foreign] = field(default_factory=list)
    ours: int = 0

    @property
    def found(self) -> bool:
        """Whether another hand was at it: a field was changed, or something is gone that had been there."""
        return any(drift.cause != "file" for drift in self.fields) or bool(self.missing and self.ours)

    @property
    def waits_for_apply(self) -> bool:
        """Whether the file has changes that were not applied yet."""
        return bool(self.missing or self.surplus) or any(drift.cause == "file" for drift in self.fields)

    def to_json(self) -> dict[str, Any]:
        """The published shape."""
        return {
            "drift": self.found,
            "fields": [drift.to_json() for drift in self.fields],
            "missing": [change.to_json() for change in self.missing],
            "surplus": [change.to_json() for change in self.surplus],
            "not_ours": [foreign.to_json() for foreign in self.foreign],
        }


def find_drift(config: LineConfig, lives: Sequence[Live]) -> Drift:
    """Compare a file with every trunk and rule of the server."""
    plan = make_plan(config, lives)
    drift = Drift(foreign=plan.foreign, ours=len(lives) - len(plan.foreign))
    for change in plan.changes:
        if change.verb == "create":
            drift.missing.append(change)
        elif change.verb == "delete":
            drift.surplus.append(change)
        else:
            drift.fields += _field_drifts(change, plan.seen[change.id])
    return drift


def _field_drifts(change: Change, live: Live) -> list[FieldDrift]:
    _, mark = read_metadata(live.message.metadata)
    now = field_hashes(plain_fields(live.kind, live.message))
    result = []
    for one in change.fields:
        cause: Cause = "either"
        if mark is not None:
            applied, is_now = mark.fields.get(one.field), now.get(one.field)
            cause = "file" if applied == is_now else "hand"
            if applied == is_now and _leaves_no_hash(one):
                cause = "either"
        result.append(FieldDrift(change.kind, change.key, change.id, change.path, one, cause))
    return result


def _leaves_no_hash(change: FieldChange) -> bool:
    """Whether both sides have the secret, so that its hash says nothing of a change."""
    both = change.before is not None and change.after is not None
    return both and (change.secret or change.before == change.after)
