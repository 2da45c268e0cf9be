"""Offers, answers, and descriptions that cannot be used."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.errors import SdpError
from telephony.sip.sdp import build_offer, mirror, negotiate, parse_sdp, read_answer

pytestmark = pytest.mark.pure


def offer(*media: str, c: str | None = "IN IP4 192.0.2.1", session: tuple[str, ...] = ()) -> bytes:
    lines = ["v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", *([f"c={c}"] if c else []), "t=0 0", *session, *media]
    return ("\r\n".join(lines) + "\r\n").encode()


AUDIO = ("m=audio 4000 RTP/AVP 8 0 101", "a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-16")


def test_our_first_codec_wins_and_dtmf_keeps_the_peers_number() -> None:
    """Preference is ours, payload types are the offer's; the answer names what was agreed."""
    agreed = negotiate(offer(*AUDIO), codecs=["PCMU", "PCMA"], address="192.0.2.2", port=4002)
    assert (agreed.codec, agreed.payload_type, agreed.dtmf_payload_type) == ("PCMU", 0, 101)
    assert agreed.remote == ("192.0.2.1", 4000)
    assert agreed.direction == "sendrecv"
    answered = parse_sdp(agreed.body)
    assert answered.connection == "192.0.2.2"
    assert answered.media[0].port == 4002
    assert answered.media[0].formats == ["0", "101"]
    assert negotiate(offer(*AUDIO), codecs=["PCMA"], address="192.0.2.2", port=4002).codec == "PCMA"


def test_static_types_need_no_rtpmap_and_dynamic_ones_do() -> None:
    """A number from 96 up is what its rtpmap says; without one it is nothing."""
    dynamic = offer(
        "m=audio 4000 RTP/AVP 96 97 98", "a=rtpmap:97 pcma/8000/1", "a=rtpmap:98 telephone-event/48000"
    )
    agreed = negotiate(dynamic, address="192.0.2.2", port=4002)
    assert (agreed.codec, agreed.payload_type, agreed.dtmf_payload_type) == ("PCMA", 97, None)
    assert b"a=rtpmap:97 PCMA/8000" in agreed.body


def test_an_rtpmap_overrides_a_static_number() -> None:
    """What a peer says of number 0 counts, also when it is unusual."""
    odd = offer("m=audio 4000 RTP/AVP 0", "a=rtpmap:0 OPUS/48000/2")
    with pytest.raises(SdpError, match="OPUS"):
        negotiate(odd, address="192.0.2.2", port=4002)


@pytest.mark.parametrize(
    ("theirs", "wanted", "ours"),
    [
        ("sendrecv", "sendrecv", "sendrecv"),
        ("sendonly", "sendrecv", "recvonly"),
        ("recvonly", "sendrecv", "sendonly"),
        ("inactive", "sendrecv", "inactive"),
        ("sendrecv", "sendonly", "sendonly"),
        ("sendonly", "sendonly", "inactive"),
        ("recvonly", "recvonly", "inactive"),
    ],
)
@pytest.mark.parametrize("level", ["session", "media"])
def test_hold_is_mirrored(theirs: str, wanted: str, ours: str, level: str) -> None:
    """RFC 3264 section 6.1, whether the direction stands at the session or at the stream."""
    line = f"a={theirs}"
    body = offer(*AUDIO, *([line] if level == "media" else []), session=(line,) if level == "session" else ())
    agreed = negotiate(body, address="192.0.2.2", port=4002, direction=wanted)
    assert agreed.direction == ours
    assert f"a={ours}\r\n".encode() in agreed.body
    assert agreed.sends is ("send" in ours)
    assert agreed.receives is ("recv" in ours)


def test_the_streams_direction_and_address_go_before_the_sessions() -> None:
    """A section's own lines override those of the session."""
    body = offer("m=audio 4000 RTP/AVP 0", "c=IN IP4 192.0.2.50", "a=sendonly", session=("a=inactive",))
    agreed = negotiate(body, address="192.0.2.2", port=4002)
    assert agreed.remote == ("192.0.2.50", 4000)
    assert agreed.direction == "recvonly"


@pytest.mark.parametrize(("direction", "ours"), [("sendrecv", "recvonly"), ("recvonly", "inactive")])
def test_an_address_of_zeros_is_an_old_hold(direction: str, ours: str) -> None:
    """RFC 2543's hold: nothing is to be sent."""
    body = offer("m=audio 4000 RTP/AVP 0", f"a={direction}", c="IN IP4 0.0.0.0")
    agreed = negotiate(body, address="192.0.2.2", port=4002)
    assert agreed.direction == ours
    assert not agreed.sends


def test_other_streams_are_refused_in_their_places() -> None:
    """The answer has as many sections as the offer, in its order; all but one have port 0."""
    body = offer(
        "m=video 5000 RTP/AVP 31",
        "m=audio 4000 RTP/SAVP 0",
        "m=audio 0 RTP/AVP 0",
        *AUDIO,
        "m=audio 4008 RTP/AVP 0",
        "m=image 5002 udptl t38",
    )
    agreed = negotiate(body, address="192.0.2.2", port=4002)
    answered = parse_sdp(agreed.body).media
    assert [(media.kind, media.port, media.protocol) for media in answered] == [
        ("video", 0, "RTP/AVP"),
        ("audio", 0, "RTP/SAVP"),
        ("audio", 0, "RTP/AVP"),
        ("audio", 4002, "RTP/AVP"),
        ("audio", 0, "RTP/AVP"),
        ("image", 0, "UDPTL"),
    ]
    assert agreed.remote == ("192.0.2.1", 4000)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "empty"),
        (b"\r\n \r\n", "empty"),
        (b"v=1\r\n", "v=0"),
        (b"hello", "v=0"),
        (b"v=0\r\ns=-\r\n", "missing"),
        (offer(), "no audio"),
        (offer("m=video 1 RTP/AVP 31"), "no audio"),
        (offer("m=audio 4000 RTP/SAVP 0"), "RTP/SAVP"),
        (offer("m=audio 4000 UDP/TLS/RTP/SAVPF 0"), "SRTP"),
        (offer("m=audio 0 RTP/AVP 0"), "port 0"),
        (offer("m=audio 4000 RTP/AVP 9 18"), "G722, G729"),
        (offer("m=audio 4000 RTP/AVP 127"), "nothing known"),
        (offer(*AUDIO, c="IN IP6 2001:db8::1"), "IPv6"),
        (offer("m=audio 4000 RTP/AVP 0", "c=IN IP6 ::1"), "IPv6"),
        (offer(*AUDIO, c=None), "no connection"),
        (offer(*AUDIO, c="IN IP4 host.example"), "not an IPv4"),
        (offer(*AUDIO, c="IN IP4"), "IN IP4"),
        (offer("m=audio 70000 RTP/AVP 0"), "not a port"),
        (offer("m=audio x RTP/AVP 0"), "not a port"),
        (offer("m=audio 4000 RTP/AVP"), "m="),
        (offer("nonsense"), "not a line"),
        (offer("o=- 2 2 IN IP4 192.0.2.1"), "twice"),
        (offer(*(["m=audio 0 RTP/AVP 0"] * 40)), "more than 16"),
        (b"v=0\r\n" + b"a=x\r\n" * 600, "too many"),
        (b"v=0\r\n" + b"a" * 20000, "at most"),
    ],
)
def test_an_unusable_description_is_refused_in_words(body: bytes, says: str) -> None:
    """Each reason has its own sentence."""
    with pytest.raises(SdpError) as caught:
        negotiate(body, address="192.0.2.2", port=4002)
    assert says in str(caught.value)


@given(
    st.lists(st.sampled_from(["PCMU", "PCMA"]), min_size=1, max_size=2, unique=True),
    st.one_of(st.none(), st.integers(96, 127)),
    st.sampled_from(["sendrecv", "sendonly", "recvonly", "inactive"]),
    st.booleans(),
)
def test_two_of_us_always_agree(
    codecs: list[str], dtmf: int | None, direction: str, takes_dtmf: bool
) -> None:
    """An offer of ours, answered by ours and read by ours, gives both ends the same picture."""
    offered = build_offer("192.0.2.1", 4000, codecs, dtmf, direction, 7, version=2)
    assert b"o=- 7 2 IN IP4 192.0.2.1\r\n" in offered
    theirs = negotiate(offered, address="192.0.2.2", port=4002, dtmf=takes_dtmf, session_id=9)
    ours = read_answer(theirs.body, codecs=codecs, dtmf_payload_type=dtmf, direction=direction)
    assert ours.codec == theirs.codec
    assert ours.payload_type == theirs.payload_type
    assert ours.dtmf_payload_type == theirs.dtmf_payload_type == (dtmf if takes_dtmf else None)
    assert ours.direction == mirror(theirs.direction) == direction
    assert ours.remote == ("192.0.2.2", 4002)
    assert theirs.remote == ("192.0.2.1", 4000)


def test_a_refused_stream_in_the_answer_is_an_error() -> None:
    """Port 0 and a codec that was not offered are no agreement."""
    with pytest.raises(SdpError):
        read_answer(offer("m=audio 0 RTP/AVP 0"))
    with pytest.raises(SdpError):
        read_answer(offer("m=audio 4000 RTP/AVP 8"), codecs=["PCMU"])


def test_dtmf_that_was_not_offered_is_not_taken_from_the_answer() -> None:
    """A peer that adds telephone-event by itself changes nothing."""
    assert read_answer(offer(*AUDIO), dtmf_payload_type=None).dtmf_payload_type is None


@pytest.mark.parametrize(
    ("line", "ptime"), [("a=ptime:30", 30), ("a=ptime:0", 20), ("a=ptime:x", 20), ("a=x", 20)]
)
def test_the_peers_packet_length_is_told(line: str, ptime: int) -> None:
    """20 ms where nothing usable is said."""
    assert negotiate(offer(*AUDIO, line), address="192.0.2.2", port=4002).ptime_ms == ptime


def test_a_codec_without_a_static_number_is_not_offered() -> None:
    """Our own mistake is named."""
    with pytest.raises(SdpError, match="OPUS"):
        build_offer("192.0.2.1", 4000, ["OPUS"])


@pytest.mark.parametrize("end", ["\n", "\r"])
def test_line_ends_of_every_kind(end: str) -> None:
    """LF or CR alone are understood."""
    body = offer(*AUDIO).replace(b"\r\n", end.encode())
    assert negotiate(body, address="192.0.2.2", port=4002).codec == "PCMU"


@pytest.mark.parametrize("address", ["host.example", "192.0.2.1\r\na=evil", "::1"])
def test_our_own_address_must_be_one(address: str) -> None:
    """A setting that is no IPv4 address never reaches the wire."""
    with pytest.raises(SdpError):
        build_offer(address, 4000)
