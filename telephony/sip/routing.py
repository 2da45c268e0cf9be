"""Where a request goes next: transport and address for a URI (RFC 3261 sections 8.1.2 and 18.1.1).

IPv4, UDP or TCP, names by an A lookup; NAPTR and SRV (RFC 3263) are not asked for.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import TYPE_CHECKING, NamedTuple

from telephony.errors import SipError
from telephony.sip.via import DEFAULT_PORT, Address

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telephony.sip.transport import Transport
    from telephony.sip.uri import SipUri

_RESOLVE_S = 5.0


class Hop(NamedTuple):
    """Where a message goes: over which transport, to which address."""

    transport: Transport
    address: Address


def transport_for(uri: SipUri, transports: Mapping[str, Transport]) -> Transport:
    """The transport that a URI asks for; UDP where it asks for none.

    Raises:
        SipError: it is no sip URI, asks for TLS or IPv6, or for a transport that is not open.
    """
    if not uri.is_sip or uri.scheme == "sips":
        raise SipError(
            f"{uri.scheme[:16]} addresses cannot be sent to",
            field="uri",
            fix="Use a sip: address over UDP or TCP.",
        )
    protocol = uri.transport or "UDP"
    if protocol not in transports:
        known = ", ".join(transports)
        raise SipError(
            f"the transport {protocol[:8]} is not open here", field="uri", fix=f"Use one of: {known}."
        )
    if uri.host.startswith("["):
        raise SipError("IPv6 is not spoken here", field="uri", fix="Use an IPv4 address.")
    return transports[protocol]


def numeric_hop(uri: SipUri, transports: Mapping[str, Transport]) -> Hop | None:
    """The next hop where the URI's host is an IPv4 address, None where it is a name.

    Raises:
        SipError: as ``transport_for``.
    """
    transport = transport_for(uri, transports)
    try:
        host = str(ipaddress.IPv4Address(uri.host))
    except ValueError:
        return None
    return Hop(transport, (host, uri.port or DEFAULT_PORT))


async def resolve(uri: SipUri, transports: Mapping[str, Transport]) -> Hop:
    """The next hop, by an A lookup where the host is a name.

    Raises:
        SipError: as ``transport_for``, or the name does not resolve within 5 s.
    """
    hop = numeric_hop(uri, transports)
    if hop is not None:
        return hop
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_RESOLVE_S):
            found = await loop.getaddrinfo(uri.host, None, family=socket.AF_INET, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError, TimeoutError) as error:
        raise SipError(
            f"the name {uri.host[:64]} does not resolve to an IPv4 address",
            field="uri",
            fix="Check its spelling and this machine's name service.",
            retryable=True,
        ) from error
    return Hop(transport_for(uri, transports), (str(found[0][4][0]), uri.port or DEFAULT_PORT))
