"""Where a call goes: the SIP URI, the address behind it, and the address of ours that it is reached from."""

from __future__ import annotations

import asyncio
import socket

from telephony.errors import SipParseError
from telephony.sip.uri import SipUri

SIP_PORT = 5060
_RESOLVE_S = 5.0


def parse_target(to: str) -> SipUri:
    """Read the address to call.

    Raises:
        SipParseError: it is not a SIP URI that UDP can reach.
    """
    uri = SipUri.parse(to)
    if uri.scheme != "sip":
        raise SipParseError(f"{uri.scheme}: cannot be called from here, only sip:", field="to")
    return uri


async def resolve(uri: SipUri) -> tuple[str, int]:
    """The IPv4 address and port that a URI's host stands for; SRV records are not asked for.

    Raises:
        OSError: the name does not resolve.
        TimeoutError: it did not in five seconds.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(_RESOLVE_S):
        found = await loop.getaddrinfo(
            uri.host, uri.port or SIP_PORT, family=socket.AF_INET, type=socket.SOCK_DGRAM
        )
    host, port = found[0][4][:2]
    return str(host), int(port)


def address_towards(target: tuple[str, int]) -> str:
    """The address of this machine that packets to a target leave from; connecting UDP sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(target)
        address: str = probe.getsockname()[0]
    return address
