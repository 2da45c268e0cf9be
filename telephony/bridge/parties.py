"""Who calls whom, as the first event of a call has it. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from telephony.bridge import attributes
from telephony.bridge.caller_identity import caller_user

if TYPE_CHECKING:
    from telephony.bridge.outbound_order import DialOrder
    from telephony.sip.incoming import IncomingInvite


def inbound_parties(invite: IncomingInvite, sip_call_id: str) -> dict[str, Any]:
    """Of a call that comes in; its rule may still hide the caller's number."""
    request = invite.request
    return {
        "sip_call_id": sip_call_id,
        "sip_call_id_full": request.call_id,
        "direction": "inbound",
        "invite_at": datetime.now(UTC).isoformat(timespec="microseconds"),
        "from": caller_user(request),
        "to": request.to.uri.user,
    }


def outbound_parties(order: DialOrder, sip_call_id_full: str) -> dict[str, Any]:
    """Of a call of our own; without numbers that are to be hidden."""
    return {
        "sip_call_id": order.sip_call_id,
        "sip_call_id_full": sip_call_id_full,
        "direction": "outbound",
        "from": order.attributes.get(attributes.TRUNK_PHONE_NUMBER),
        "to": order.attributes.get(attributes.PHONE_NUMBER),
        "trunk_id": order.trunk_id,
        "room": order.room.room_name,
    }
