"""What livekit-server would refuse because of trunks and rules that are not ours. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from livekit.protocol.sip import SIPDispatchRuleInfo

from provisioning.claims import claims_of, conflicts
from provisioning.desired import Desired, with_trunk_ids
from provisioning.objects import Kind, Live, Message

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from provisioning.reading.problem import Path


@dataclass(frozen=True, slots=True)
class Foreign:
    """An object that is not ours.

    Attributes:
        live: the object.
        owner: the line whose mark it carries; empty: nobody's.
    """

    live: Live
    owner: str

    def to_json(self) -> dict[str, Any]:
        """The published shape."""
        return {
            "kind": self.live.kind.value,
            "id": self.live.id,
            "name": self.live.message.name,
            "owner": self.owner or None,
        }


@dataclass(frozen=True, slots=True)
class Clash:
    """What livekit-server would refuse because of an object that is not ours.

    Attributes:
        path: the entry of the file; empty when two foreign objects stand in each other's way.
        message: what is in the way of what, in a sentence.
        fix: what to do.
        others: LiveKit's ids of the objects in the way.
    """

    path: Path
    message: str
    fix: str
    others: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The published shape."""
        return {"message": self.message, "fix": self.fix, "objects": list(self.others)}


def find_clashes(
    wanted: Sequence[Desired], foreign: Sequence[Foreign], ids: Mapping[str, str]
) -> list[Clash]:
    """Every claim of the file that somebody else holds, and rules of others that block every change.

    Args:
        wanted: what the file asks for.
        foreign: what is not ours.
        ids: key to LiveKit's id, or to what stands for it.
    """
    result: list[Clash] = []
    for kind in (Kind.INBOUND, Kind.RULE):
        ours = [desired for desired in wanted if desired.kind is kind]
        others = [other for other in foreign if other.live.kind is kind]
        messages: list[Message] = [other.live.message for other in others]
        messages += [_with_ids(desired.message, ids) for desired in ours]
        for conflict in conflicts([claims_of(message) for message in messages]):
            if conflict.first < len(others) <= conflict.second:
                desired = ours[conflict.second - len(others)]
                result.append(_with_foreign(desired, others[conflict.first], conflict.claim))
            elif kind is Kind.RULE and ours and conflict.second < len(others):
                result.append(_among_foreign(others[conflict.first], others[conflict.second]))
    return result


def _with_ids(message: Message, ids: Mapping[str, str]) -> Message:
    return with_trunk_ids(message, ids) if isinstance(message, SIPDispatchRuleInfo) else message


def _with_foreign(desired: Desired, other: Foreign, claim: tuple[str, ...]) -> Clash:
    number, caller = claim[:2] if desired.kind is Kind.INBOUND else claim[1:3]
    what = f"{number or 'every number'}{f' for caller {caller}' if caller else ''}"
    if other.owner:
        owner = f"belongs to line {other.owner!r}"
        fix = "Move the number in that line's file first."
    else:
        owner = "is not managed by this file"
        fix = f"Adopt it with `provision import`, or delete {other.live.id}, or choose other numbers."
    return Clash(
        desired.path,
        f"{desired.key} claims {what}, and so does {_described(other)}, which {owner}; LiveKit keeps one.",
        fix,
        (other.live.id,),
    )


def _among_foreign(one: Foreign, other: Foreign) -> Clash:
    return Clash(
        (),
        f"{_described(one)} and {_described(other)} take the same calls: LiveKit refuses every change of "
        "rules, and every call that looks at them.",
        "Delete or change one of the two.",
        (one.live.id, other.live.id),
    )


def _described(other: Foreign) -> str:
    name = f" {other.live.message.name!r}" if other.live.message.name else ""
    return f"{other.live.kind.word} {other.live.id}{name}"
