"""The three kinds of object that livekit-server keeps for SIP, under one shape. Pure.

Messages are livekit-protocol's own, so that fields a newer server knows and we do not survive
every copy (protobuf keeps unknown fields).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from livekit.protocol.sip import SIPDispatchRuleInfo, SIPInboundTrunkInfo, SIPOutboundTrunkInfo

Message = SIPInboundTrunkInfo | SIPOutboundTrunkInfo | SIPDispatchRuleInfo
"""Any of the three."""


class Kind(Enum):
    """What an object is; the value begins its key and stands in output."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
    RULE = "rule"

    @property
    def word(self) -> str:
        """How it is called in a sentence."""
        return {"inbound": "inbound trunk", "outbound": "outbound trunk", "rule": "dispatch rule"}[self.value]

    @property
    def id_field(self) -> str:
        """The message's field that holds LiveKit's id."""
        return "sip_dispatch_rule_id" if self is Kind.RULE else "sip_trunk_id"


@dataclass(frozen=True, slots=True)
class Live:
    """An object as livekit-server has it."""

    kind: Kind
    id: str
    message: Message


def empty_message(kind: Kind) -> Message:
    """A new message of a kind."""
    if kind is Kind.INBOUND:
        return SIPInboundTrunkInfo()
    if kind is Kind.OUTBOUND:
        return SIPOutboundTrunkInfo()
    return SIPDispatchRuleInfo()


def kind_of(message: Message) -> Kind:
    """The kind of a message."""
    if isinstance(message, SIPInboundTrunkInfo):
        return Kind.INBOUND
    return Kind.OUTBOUND if isinstance(message, SIPOutboundTrunkInfo) else Kind.RULE


def copy_of(message: Message) -> Message:
    """A copy of a message, unknown fields included."""
    copy = empty_message(kind_of(message))
    copy.CopyFrom(message)  # type: ignore[arg-type]
    return copy


def id_of(kind: Kind, message: Message) -> str:
    """LiveKit's id of an object, empty for one that it has not seen."""
    return str(getattr(message, kind.id_field))
