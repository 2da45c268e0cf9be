"""Where requests of a dialog go when the phone's Contact is an address of its own network. Pure.

RFC 3261 12.2 sends them to the Contact, which nobody outside can reach; the way that its packets came is
the one that is open (RFC 3581). Only for a phone that is met directly: with a Record-Route the proxy knows
the way.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from telephony.sip.incoming import IncomingRequest
    from telephony.sip.message import SipResponse
    from telephony.sip.outgoing import OutgoingInvite
    from telephony.sip.routing import Hop


def hop_to_caller(invite: IncomingRequest) -> Hop | None:
    """Where to send requests to whoever sent an INVITE or UPDATE; None: to its Contact."""
    contact = invite.request.contact
    if contact is None or invite.request.record_routes:
        return None
    return invite.hop if is_private(contact.uri.host) and not is_private(invite.source[0]) else None


def hop_to_callee(invite: OutgoingInvite, response: SipResponse) -> Hop | None:
    """Where to send requests to whoever answered our INVITE; None: to its Contact."""
    contact = response.contact
    if contact is None or response.record_routes:
        return None
    return invite.hop if is_private(contact.uri.host) and not is_private(invite.hop.address[0]) else None


def is_private(host: str) -> bool:
    """Whether a host is an IPv4 address that only its own network knows."""
    try:
        return ipaddress.IPv4Address(host).is_private
    except ValueError:
        return False
