"""Offers from the phone: the first one, a hold, a move, a refresh."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from telephony.bridge.agreement import MediaAgreement
from telephony.errors import SdpError
from telephony.rtp.packet import RtpPacket
from telephony.rtp.ports import PortPool
from telephony.rtp.session import RtpSession
from telephony.sip.sdp import parse_sdp
from tests.bridge.sip_text import offer
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.component

HOST = "127.0.0.1"


@pytest.fixture
async def rtp() -> AsyncIterator[RtpSession]:
    """A media port."""
    session = await RtpSession.open(address=HOST, ports=PortPool(HOST, 0, 0))
    yield session
    session.close()


def _agreement(rtp: RtpSession) -> MediaAgreement:
    return MediaAgreement(rtp, codecs=["PCMU", "PCMA"], dtmf=True, address="203.0.113.9")


async def test_an_offer_is_answered_with_our_address_and_port(rtp: RtpSession) -> None:
    """Our first choice of the codecs in common, the phone's number for keys, our announced address."""
    agreement = _agreement(rtp)
    answer = agreement.take(offer("8 0 101"))
    assert (answer.codec, answer.dtmf_payload_type, answer.direction) == ("PCMU", 101, "sendrecv")
    body = parse_sdp(answer.body)
    assert (body.media[0].port, body.address_of(body.media[0])) == (rtp.port, "203.0.113.9")
    assert rtp.remote == ("192.0.2.7", 4000)
    assert not rtp.hold


@pytest.mark.parametrize(
    ("theirs", "ours", "receives"),
    [("sendonly", "recvonly", True), ("inactive", "inactive", False), ("recvonly", "sendonly", False)],
)
async def test_hold_is_mirrored_and_taken_back(
    rtp: RtpSession, theirs: str, ours: str, receives: bool
) -> None:
    """We send nothing while the phone wants nothing, and go on when it does again."""
    agreement = _agreement(rtp)
    agreement.take(offer())
    held = agreement.take(offer(direction=theirs))
    assert (held.direction, held.receives) == (ours, receives)
    assert rtp.hold == (ours != "sendonly")
    assert agreement.take(offer()).direction == "sendrecv"
    assert not rtp.hold


async def test_each_answer_has_the_next_version_of_one_session(rtp: RtpSession) -> None:
    """RFC 3264 section 8: the session keeps its id, the version rises by one."""
    agreement = _agreement(rtp)
    origins = [
        next(line for line in body.decode().split("\r\n") if line.startswith("o=")).split()
        for body in (agreement.take(offer()).body, agreement.take(offer()).body, agreement.offer_again())
    ]
    assert len({origin[1] for origin in origins}) == 1
    assert [int(origin[2]) for origin in origins] == [1, 2, 3]


async def test_a_refresh_does_not_move_the_media(rtp: RtpSession) -> None:
    """An offer that repeats its address leaves the source that was latched; another address is followed."""
    agreement = _agreement(rtp)
    agreement.take(offer(host=HOST))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as behind_nat:
        behind_nat.sendto(RtpPacket(0, 1, 160, 7, True, bytes(160)).pack(), (HOST, rtp.port))
        latched = (HOST, behind_nat.getsockname()[1])
        await until(lambda: rtp.remote == latched)
    agreement.take(offer(host=HOST))
    assert rtp.remote == latched
    agreement.take(offer(host=HOST, port=5000))
    assert rtp.remote == (HOST, 5000)


@pytest.mark.parametrize("bad", [b"", b"v=0", offer("9 18"), offer(port=0), b"\xff\x00garbage"])
async def test_a_bad_offer_changes_nothing(rtp: RtpSession, bad: bytes) -> None:
    """It is an SdpError, and what was agreed before holds."""
    agreement = _agreement(rtp)
    with pytest.raises(SdpError, match="no media was agreed"):
        _ = agreement.current
    before = agreement.take(offer())
    with pytest.raises(SdpError):
        agreement.take(bad)
    assert agreement.current is before
    assert rtp.remote == ("192.0.2.7", 4000)
