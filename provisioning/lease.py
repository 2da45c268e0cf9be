"""How an apply says at livekit-server that it is at work: an object that takes no call. Pure.

The lease is an outbound trunk with an address that cannot exist (RFC 2606). It lies where the writing happens
and needs nothing but the key that writing needs, so that a machine without a way to the server's Redis is
kept out as well, at LiveKit Cloud too. It is no part of any line: no plan, drift or import sees it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from livekit.protocol.sip import SIPOutboundTrunkInfo

NAME = "trunkline-provision-lock"
_FIELD = "trunkline_provision_lock"


@dataclass(frozen=True, slots=True)
class Lease:
    """What a lease says.

    Attributes:
        token: of the one apply that made it.
        machine: hash of the lock file that this apply holds; nobody else can hold the same one.
        who: host and process, for people.
        beat: counts up while the apply lives.
    """

    token: str
    machine: str
    who: str
    beat: int = 0


def lease_message(lease: Lease) -> SIPOutboundTrunkInfo:
    """The object that stands for a lease."""
    return SIPOutboundTrunkInfo(
        name=NAME,
        address="provision-lock.invalid",
        numbers=[NAME],
        metadata=json.dumps({_FIELD: asdict(lease)}, separators=(",", ":")),
    )


def read_lease(message: object) -> Lease | None:
    """The lease that an object stands for; None for every other object."""
    if not isinstance(message, SIPOutboundTrunkInfo) or message.name != NAME:
        return None
    try:
        raw = json.loads(message.metadata)[_FIELD]
        return Lease(str(raw["token"]), str(raw["machine"]), str(raw["who"]), int(raw["beat"]))
    except (ValueError, KeyError, TypeError):
        # Somebody's hand was at it; it still keeps others out until it is seen not to change.
        return Lease("", "", "somebody")
