"""RTP on the wire: fixtures byte by byte, round trips, and whatever else arrives on a port."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.errors import RtpError
from telephony.rtp.packet import RtpPacket, is_rtcp

pytestmark = pytest.mark.pure

PLAIN = bytes.fromhex("8000 12a7 0000f1d8 deadbeef") + b"\xff" * 160

packets = st.builds(
    RtpPacket,
    payload_type=st.integers(0, 127),
    sequence=st.integers(0, 0xFFFF),
    timestamp=st.integers(0, 0xFFFFFFFF),
    ssrc=st.integers(0, 0xFFFFFFFF),
    marker=st.booleans(),
    payload=st.binary(max_size=400),
)


def test_plain_packet() -> None:
    """A 20 ms PCMU packet is read field by field."""
    packet = RtpPacket.parse(PLAIN)
    assert packet == RtpPacket(0, 0x12A7, 0xF1D8, 0xDEADBEEF, False, b"\xff" * 160)
    assert packet.pack() == PLAIN


def test_marker_and_payload_type_share_a_byte() -> None:
    """The marker is the upper bit of the second byte, the payload type the other seven."""
    packet = RtpPacket.parse(bytes.fromhex("80e5 0001 00000000 00000001 01 0a 00a0"))
    assert (packet.payload_type, packet.marker, packet.payload) == (101, True, bytes.fromhex("010a00a0"))


def test_sources_extension_and_padding_are_read_past() -> None:
    """Two contributing sources, an extension of one word and three bytes of padding leave the payload."""
    data = bytes.fromhex(
        "b208 0001 00000010 00000002"  # version 2, padding, extension, two sources; PCMA
        "00000003 00000004"
        "bede0001 10ff0000"
        "d5d5"
        "000003"
    )
    assert RtpPacket.parse(data) == RtpPacket(8, 1, 16, 2, False, b"\xd5\xd5")


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (b"", "length"),
        (PLAIN[:11], "length"),
        (b"\x00" + PLAIN[1:], "version"),
        (b"\x40" + PLAIN[1:], "version"),
        (b"\x8f" + PLAIN[1:12], "header"),
        (b"\x90" + PLAIN[1:12], "extension"),
        (b"\x90" + PLAIN[1:12] + b"\xbe\xde\xff\xff", "header"),
        (b"\xa0" + PLAIN[1:12] + b"\x01\x00", "padding"),
        (b"\xa0" + PLAIN[1:12] + b"\x01\xc8", "header"),
    ],
)
def test_what_is_not_rtp_is_refused_with_its_field(data: bytes, field: str) -> None:
    """Short datagrams, other versions and headers that point outside are errors that name the field."""
    with pytest.raises(RtpError) as error:
        RtpPacket.parse(data)
    assert error.value.field == field


@given(packets)
def test_round_trip(packet: RtpPacket) -> None:
    """Every packet comes back from its bytes as it was."""
    assert RtpPacket.parse(packet.pack()) == packet


@given(st.binary(max_size=80))
def test_garbage_never_raises_anything_else(data: bytes) -> None:
    """Any bytes are either a packet or an RtpError."""
    try:
        packet = RtpPacket.parse(data)
    except RtpError:
        return
    assert len(packet.payload) <= len(data) - 12


@pytest.mark.parametrize(
    ("second", "rtcp"), [(200, True), (205, True), (0, False), (128, False), (101, False)]
)
def test_rtcp_is_told_from_rtp(second: int, rtcp: bool) -> None:
    """Sender and feedback reports on the same port are known by their packet type."""
    assert is_rtcp(bytes([0x80, second, 0, 6]) + bytes(24)) is rtcp


def test_rtcp_needs_version_2() -> None:
    """STUN, whose first bits are zero, and an empty datagram are no RTCP."""
    assert not is_rtcp(bytes([0x00, 200]) + bytes(18))
    assert not is_rtcp(b"")
