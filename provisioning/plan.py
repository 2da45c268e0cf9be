"""What would have to change at livekit-server for it to match the file, before anything changes. Pure.

An object is ours when its metadata carries our line's mark, or when the file names its id. Everything else is
shown and left alone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from livekit.protocol.sip import SIPDispatchRuleInfo

from provisioning.claims import claims_of
from provisioning.clashes import Clash, Foreign, find_clashes
from provisioning.desired import Desired, desired_objects, with_trunk_ids
from provisioning.fields import FieldChange, differences, field_hashes, overlay, plain_fields, shown
from provisioning.objects import Kind, Live, Message, empty_message
from provisioning.order import ordered
from provisioning.ownership import Mark, read_metadata, write_metadata
from provisioning.routing_table import RoutingTable
from provisioning.steps import NEW, Action, Chain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from provisioning.config import LineConfig
    from provisioning.reading.problem import Path

Verb = Literal["create", "update", "delete"]


@dataclass(frozen=True, slots=True)
class Change:
    """What is to become of one object.

    Attributes:
        verb: create, update (in place, the id stays) or delete.
        kind: trunk or rule.
        key: its key in the file.
        id: LiveKit's id; empty before it is made.
        path: where in the file it stands; empty for a deletion.
        fields: what differs, field by field.
        reason: why, where that is not plain.
    """

    verb: Verb
    kind: Kind
    key: str
    id: str
    path: Path
    fields: tuple[FieldChange, ...] = ()
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """The published shape."""
        return {
            "action": self.verb,
            "kind": self.kind.value,
            "key": self.key,
            "id": self.id or None,
            "fields": [change.to_json() for change in self.fields],
            "reason": self.reason or None,
        }


@dataclass(slots=True)
class Plan:
    """Everything that an apply would do.

    Attributes:
        changes: in the file's order, deletions last.
        unchanged: keys that are as they should be.
        foreign: objects that are not ours.
        clashes: what LiveKit would refuse; nothing is applied while there are any.
        chains: the writes, in an order that keeps calls working.
        ids: key to LiveKit's id, for what exists.
        seen: every object as it was read, by id.
    """

    changes: list[Change] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    foreign: list[Foreign] = field(default_factory=list)
    clashes: list[Clash] = field(default_factory=list)
    chains: list[Chain] = field(default_factory=list)
    ids: dict[str, str] = field(default_factory=dict)
    seen: dict[str, Live] = field(default_factory=dict)

    @property
    def deletions(self) -> list[Change]:
        """What would be deleted."""
        return [change for change in self.changes if change.verb == "delete"]


def make_plan(config: LineConfig, lives: Sequence[Live]) -> Plan:
    """Compare a file with what livekit-server has.

    Args:
        config: the file.
        lives: every trunk and rule of the server.
    """
    return plan_objects(desired_objects(config), lives, config.line)


def plan_objects(
    wanted: Sequence[Desired], lives: Sequence[Live], line: str, *, also_ours: frozenset[str] = frozenset()
) -> Plan:
    """Compare what is wanted of a line with what livekit-server has; nothing wanted deletes what is ours.

    Args:
        wanted: what there should be.
        lives: what there is.
        line: whose mark makes an object ours.
        also_ours: ids of objects without a mark that are ours too.
    """
    plan = Plan(seen={live.id: live for live in lives})
    owned, surplus, plan.foreign = _sorted_by_owner(wanted, lives, line, also_ours)
    _take_over(wanted, owned, surplus)
    plan.ids = {key: live.id for key, live in owned.items()}
    ids = {desired.key: plan.ids.get(desired.key, NEW + desired.key) for desired in wanted}
    names = {live.id: key for key, live in owned.items()}
    actions: list[Action] = []
    for desired in wanted:
        live = owned.get(desired.key)
        message = complete_message(desired, line, ids)
        if live is None:
            gone = (
                f"{desired.adopted_id} is gone; it is made anew with another id" if desired.adopted_id else ""
            )
            fields = _named(differences({}, plain_fields(desired.kind, message)), names)
            plan.changes.append(Change("create", desired.kind, desired.key, "", desired.path, fields, gone))
            actions.append(Action(desired.kind, desired.key, ids[desired.key], None, message))
            continue
        before = plain_fields(desired.kind, live.message)
        changes = differences(before, plain_fields(desired.kind, message))
        if not changes:
            plan.unchanged.append(desired.key)
            continue
        after = overlay(desired.kind, live.message, message)
        plan.changes.append(
            Change("update", desired.kind, desired.key, live.id, desired.path, _named(changes, names))
        )
        actions.append(Action(desired.kind, desired.key, live.id, live.message, after))
    for live, reason in surplus:
        change = _deletion(live, reason)
        plan.changes.append(change)
        actions.append(Action(live.kind, change.key, live.id, live.message, None))
    plan.clashes = find_clashes(wanted, plan.foreign, ids)
    if not plan.clashes:
        table = RoutingTable((live.id, live.message) for live in lives)
        plan.chains = ordered(actions, table)
    return plan


def imagined(config: LineConfig) -> tuple[list[Live], dict[str, str]]:
    """What a server would have that matches the file, with the keys for ids; and id to key."""
    wanted = desired_objects(config)
    ids = {desired.key: desired.key for desired in wanted}
    lives = []
    for desired in wanted:
        message = complete_message(desired, config.line, ids)
        setattr(message, desired.kind.id_field, desired.key)
        lives.append(Live(desired.kind, desired.key, message))
    return lives, ids


def complete_message(desired: Desired, line: str, ids: Mapping[str, str]) -> Message:
    """The message as it is written: trunk ids in place, and our mark in its metadata."""
    message = empty_message(desired.kind)
    message.CopyFrom(desired.message)  # type: ignore[arg-type]
    if isinstance(message, SIPDispatchRuleInfo):
        message = with_trunk_ids(message, ids)
    return marked(desired.kind, message, desired.user_metadata, line, desired.key)


def marked(kind: Kind, message: Message, user: dict[str, Any] | str, line: str, key: str) -> Message:
    """Put the mark of what is being written into a message's metadata; the message itself is changed.

    A metadata that is plain text has no place for a mark: such an object is known by its id in the file.
    """
    if isinstance(user, str):
        message.metadata = user
        return message
    message.metadata = json.dumps(user) if user else ""
    hashes = field_hashes(plain_fields(kind, message))
    message.metadata = write_metadata(user, Mark(line, key, hashes))
    return message


def _sorted_by_owner(
    wanted: Sequence[Desired], lives: Sequence[Live], line: str, also_ours: frozenset[str]
) -> tuple[dict[str, Live], list[tuple[Live, str]], list[Foreign]]:
    """Ours by key, ours that are too many (with the reason), and everybody else's."""
    keys = {desired.key: desired for desired in wanted}
    adopted = {desired.adopted_id: desired.key for desired in wanted if desired.adopted_id}
    owned: dict[str, Live] = {}
    surplus: list[tuple[Live, str]] = []
    foreign: list[Foreign] = []
    for live in sorted(lives, key=lambda live: live.id):
        _, mark = read_metadata(live.message.metadata)
        key = adopted.get(live.id) or (mark.key if mark is not None and mark.line == line else None)
        if key is None and live.id in also_ours:
            key = live.id
        if key is None:
            foreign.append(Foreign(live, mark.line if mark is not None else ""))
        elif key not in keys or keys[key].kind is not live.kind:
            surplus.append((live, "the file does not have it"))
        elif key in owned:
            surplus.append((live, f"{owned[key].id} is the same one"))
        else:
            owned[key] = live
    return owned, surplus, foreign


def _take_over(wanted: Sequence[Desired], owned: dict[str, Live], surplus: list[tuple[Live, str]]) -> None:
    """Turn a deletion and a creation that claim the same into one change in place: a renamed entry.

    LiveKit would refuse the creation until the deletion is done, and calls would fall through meanwhile.
    """
    ids = {key: live.id for key, live in owned.items()}
    for kind in Kind:
        for desired in wanted:
            if desired.kind is not kind or desired.key in owned:
                continue
            heir = _predecessor(desired, [live for live, _ in surplus if live.kind is kind], ids)
            if heir is not None:
                owned[desired.key] = heir
                ids[desired.key] = heir.id
                surplus[:] = [(live, reason) for live, reason in surplus if live is not heir]


def _predecessor(desired: Desired, candidates: list[Live], ids: dict[str, str]) -> Live | None:
    message = desired.message
    if isinstance(message, SIPDispatchRuleInfo):
        message = with_trunk_ids(message, ids)
    if desired.kind is Kind.OUTBOUND:
        same = {name: value for name, value in plain_fields(desired.kind, message).items() if name != "name"}
        for live in candidates:
            theirs = plain_fields(desired.kind, live.message)
            if {name: value for name, value in theirs.items() if name not in {"name", "metadata"}} == same:
                return live
        return None
    claims = set(claims_of(message))
    shared = [(len(claims & set(claims_of(live.message))), live) for live in candidates]
    best = max(shared, key=lambda pair: pair[0], default=(0, None))
    return best[1] if best[0] else None


def _deletion(live: Live, reason: str) -> Change:
    _, mark = read_metadata(live.message.metadata)
    key = mark.key if mark is not None else live.id
    before = plain_fields(live.kind, live.message)
    fields = tuple(FieldChange(name, shown(name, value), None) for name, value in before.items())
    return Change("delete", live.kind, key, live.id, (), fields, reason)


def _named(changes: list[FieldChange], names: Mapping[str, str]) -> tuple[FieldChange, ...]:
    """The changes with trunks by key instead of id, where they are ours."""

    def named(value: Any) -> Any:
        return [names.get(item, item).removeprefix(NEW) for item in value] if value else value

    return tuple(
        replace(change, before=named(change.before), after=named(change.after))
        if change.field == "trunk_ids"
        else change
        for change in changes
    )
