"""One OPTIONS request: the SIP way to ask whether anybody is there (RFC 3261 section 11)."""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from telephony.clock import LoopClock
from telephony.errors import SipError, SipTimeoutError
from telephony.sip.endpoint import SipEndpoint
from telephony.sip.message import Headers, SipRequest
from telephony.sip.uri import SipUri

if TYPE_CHECKING:
    from telephony.sip.message import SipResponse


@dataclass(frozen=True, slots=True)
class Answer:
    """Who is there.

    Attributes:
        status: the SIP status; any of them proves that somebody speaks SIP.
        ms: how long it took, in ms.
        agent: what the other side calls itself, if it says.
    """

    status: int
    ms: float
    agent: str


async def ask_options(address: str, port: int, *, timeout_s: float) -> Answer:
    """Send OPTIONS over UDP to an IPv4 address and wait for any final response.

    Raises:
        SipError: nobody answers in time, or the address cannot be reached.
    """
    own = own_address(address, port)
    endpoint = SipEndpoint(LoopClock(), user_agent="Trunkline doctor")
    await endpoint.start(own)
    started = time.perf_counter()
    try:
        async with asyncio.timeout(timeout_s):
            request = _options(address, port, own, endpoint.contact())
            response = await endpoint.send_request(request, (address, port))
    except TimeoutError as error:
        raise SipTimeoutError(f"no answer within {timeout_s:g} s.") from error
    finally:
        await endpoint.close()
    return Answer(response.status, (time.perf_counter() - started) * 1000, _agent(response))


def own_address(address: str, port: int) -> str:
    """The address of this machine from which another one is reached; no packet is sent.

    Raises:
        SipError: there is no way to it.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((address, port))
        except OSError as error:
            raise SipError(f"{address} cannot be reached from here: {error.strerror}.") from error
        return str(probe.getsockname()[0])


def _options(address: str, port: int, own: str, contact: str) -> SipRequest:
    headers = Headers()
    headers.add("From", f"<sip:doctor@{own}>;tag={secrets.token_hex(6)}")
    headers.add("To", f"<sip:{address}:{port}>")
    headers.add("Call-ID", secrets.token_hex(12))
    headers.add("CSeq", "1 OPTIONS")
    headers.add("Contact", contact)
    headers.add("Accept", "application/sdp")
    return SipRequest("OPTIONS", SipUri.parse(f"sip:{address}:{port}"), headers)


def _agent(response: SipResponse) -> str:
    return next(
        (str(value)[:60] for name in ("Server", "User-Agent") if (value := response.headers.get(name))), ""
    )
