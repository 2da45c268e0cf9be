"""Strange but valid, and plainly invalid, messages in the spirit of RFC 4475, and random bytes."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telephony.errors import SdpError, SipParseError
from telephony.sip.dialog import Dialog
from telephony.sip.digest import parse_digest, strongest, verify
from telephony.sip.framing import StreamFramer
from telephony.sip.message import SipRequest, SipResponse, parse_message, split_message
from telephony.sip.rules import check_request, check_response, refusal, response_to
from telephony.sip.sdp import negotiate, parse_sdp
from telephony.sip.server_transaction import server_key
from tests.sip.wire import request_bytes

pytestmark = pytest.mark.pure

STRANGE_BUT_VALID = {
    "every blank that the grammar allows": (
        b"INVITE sip:100@trunk.example;p SIP/2.0\r\n"
        b"T :\r\n\t sip:100@trunk.example ;\r\n   tag \t = abc\r\n"
        b'FROM   : "A \\\\ and a \\" too"    <sip:200@trunk.example>\r\n ;\r\n tag=def\r\n'
        b"mAx-FoRwArDs: 007\r\n"
        b"I : blanks-1\r\n"
        b"CSEQ: 00041\r\n\tINVITE\r\n"
        b"Via : SIP /\r\n 2.0 / UDP\r\n\t192.0.2.2 : 5071 ;  branch  =  old\r\n"
        b"s :\r\n"
        b"X-Folded: one\r\n\r\n".replace(b"\r\n\r\n", b"\r\n two\r\n")
        + b"X-Separators: ;,;,;;,,\r\n"
        b"Route:\r\n\t<sip:proxy.example;lr;flag;name=value>\r\n"
        b"v: SIP/2.0/TCP a.example;branch\r\n =z9hG4bKx ,\r\n SIP / 2.0/UDP b.example ; branch= z9hG4bKy\r\n"
        b'M:"\\"" <sip:200@192.0.2.2>   ;   n = \r\n  v;q=0.5\r\n\r\n'
    ),
    "every character that a token may have": (
        b"aZ09-.!%*_+`'~ sip:a-_.!~*'();/?:&=+$,%2f@trunk.example SIP/2.0\r\n".replace(b"?:", b"?;")
        + b"Via: SIP/2.0/UDP h.example;rport;branch=z9hG4bK-.!%*_+`'~\r\n"
        b'To: "quoted \\a\\b\\"\\\\" <sip:x@trunk.example>;aZ-.!%*_+`\'~=1\r\n'
        b"From: one-.! two%*_ three+`'~ <sip:y@trunk.example>;t=\"\xd1\x80\";tag=-.!%*_+`'~\r\n"
        b"Call-ID: ()<>:\\\"/[]?{}-.!%*_+`'~@aZ09\r\n"
        b"CSeq: 2147483647 aZ09-.!%*_+`'~\r\n"
        b"Max-Forwards: 255\r\n\r\n"
    ),
    "escaped characters in the Request-URI": request_bytes(
        uri="sip:sips%3Auser%40example.com@example.net;x=%00"
    ),
    "an unknown method": request_bytes("NEWMETHOD"),
    "a body that is longer than its length": request_bytes(body="abc") + b"trailing bytes",
    "a transport that is not known here": request_bytes(via="SIP/2.0/SCTP 192.0.2.1;branch=z9hG4bK1"),
    "values in every script": request_bytes(headers=("Subject: Πρόσκληση 招待 دعوة",)),
    "parameters that look like others": request_bytes(contact="<sip:a@h;transport=udp;x>;transport=tcp"),
    "a tel address": request_bytes(uri="tel:+15550100100"),
    "many Vias": request_bytes(headers=tuple(f"Via: SIP/2.0/UDP h{i};branch=z9hG4bK{i}" for i in range(70))),
    "no port and a trailing dot": request_bytes(via="SIP/2.0/UDP host.example.;branch=z9hG4bK1"),
}

INVALID = {
    "a Content-Length beyond the datagram": (request_bytes().replace(b"Length: 0", b"Length: 9999"), 400),
    "a negative Content-Length": (request_bytes().replace(b"Length: 0", b"Length: -999"), 400),
    "two Content-Lengths": (request_bytes(headers=("Content-Length: 0",)), 400),
    "a CSeq of another method": (request_bytes(cseq_method="BYE"), 400),
    "a CSeq out of range": (request_bytes(cseq=36893488147419103232), 400),
    "a Max-Forwards out of range": (request_bytes().replace(b"Forwards: 70", b"Forwards: 300"), 400),
    "quotes that do not close": (request_bytes().replace(b"To: <", b'To: "Mr. J. User <'), 400),
    "a bracketed Request-URI": (request_bytes(uri="<sip:user@example.com>"), 400),
    "blanks within the Request-URI": (request_bytes(uri="sip:user@example.com; lr"), 400),
    "two blanks in the request line": (request_bytes(uri=" sip:user@example.com"), 400),
    "a blank at the end of the request line": (request_bytes().replace(b"SIP/2.0\r", b"SIP/2.0 \r", 1), 505),
    "an unknown scheme": (request_bytes(uri="nobodyknowsthis:totallyopaque"), 416),
    "a version to come": (request_bytes().replace(b"SIP/2.0\r", b"SIP/7.0\r", 1), 505),
    "two Call-IDs": (request_bytes(headers=("Call-ID: another",)), 400),
    "two From headers": (request_bytes(headers=("f: <sip:a@h>;tag=x",)), 400),
    "no From tag": (request_bytes(from_tag=None), 400),
    "a Contact with nonsense": (request_bytes(contact="<sip:a@h"), 400),
    "an INVITE without Contact": (request_bytes(contact=None), 400),
    "a Record-Route with nonsense": (request_bytes(headers=("Record-Route: <h>",)), 400),
    "a Route with nonsense": (request_bytes(headers=("Route: x y",)), 400),
    "a second Via with nonsense": (request_bytes(headers=("Via: nonsense",)), 400),
}


@pytest.mark.parametrize("name", STRANGE_BUT_VALID)
def test_a_strange_but_valid_request_is_understood(name: str) -> None:
    """It passes all checks, and what is written of it is read back the same."""
    message = parse_message(STRANGE_BUT_VALID[name])
    assert isinstance(message, SipRequest)
    if message.method == "INVITE" and message.contact is not None:
        check_request(message)
    again = parse_message(message.to_bytes())
    assert again.to_bytes() == message.to_bytes()
    assert again.vias == message.vias
    assert (again.from_, again.to) == (message.from_, message.to)
    answer = response_to(message, 200, to_tag="t")
    assert parse_message(answer.to_bytes()).call_id == message.call_id


@pytest.mark.parametrize("name", INVALID)
def test_an_invalid_request_is_refused_with_its_status(name: str) -> None:
    """It raises SipParseError with a status, and a response that its sender can match can be written."""
    data, status = INVALID[name]
    raw = split_message(data)
    with pytest.raises(SipParseError) as caught:
        take_everything(data)
    assert caught.value.status == status
    refused = refusal(raw, caught.value)
    assert refused is not None
    assert refused[0].status == status
    assert b"\r\nCSeq: " in refused[0].to_bytes()


@pytest.mark.parametrize(
    "data",
    [
        request_bytes("ACK", cseq_method="BYE"),
        request_bytes(uri="<x>").replace(b"Via:", b"X-Via:"),
        request_bytes(uri="<x>", via="nonsense"),
        b"SIP/2.0 999 OK\r\n" + request_bytes().split(b"\r\n", 1)[1],
        b"nonsense\r\n" + request_bytes().split(b"\r\n", 1)[1],
    ],
)
def test_what_cannot_be_answered_gets_no_answer(data: bytes) -> None:
    """An ACK, a response, and a request whose sender cannot be told are dropped in silence."""
    assert refusal(split_message(data), SipParseError("x")) is None


def take_everything(data: bytes) -> None:
    """All that is done with a datagram before anybody decides on it."""
    raw = split_message(data)
    refusal(raw, SipParseError("x"))
    message = parse_message(data)
    message.to_bytes()
    if isinstance(message, SipResponse):
        check_response(message)
        for name in ("WWW-Authenticate", "Proxy-Authenticate"):
            strongest(message.headers.get_all(name))
        return
    check_request(message)
    server_key(message)
    stamped = message.via.stamped(("192.0.2.1", 5060))
    stamped.reply_address()
    response_to(message, 200, to_tag="t").to_bytes()
    verify(message.headers.get("Authorization") or "", method="INVITE", username="u", password="p", realm="r")
    if message.method == "INVITE":
        Dialog.as_uas(message, "t", "<sip:us@h>").build("BYE").to_bytes()


_PIECES = st.sampled_from(
    [
        *(bytes([byte]) for byte in b'\r\n\t :;,="\\<>@[]%*1\x00\xff'),
        *(
            b"\r\n",
            b"SIP/2.0",
            b"sip:",
            b"tel:",
            b"INVITE",
            b"Via",
            b"From",
            b"To",
            b"tag",
            b"branch=z9hG4bK",
        ),
        *(
            b"CSeq",
            b"Content-Length",
            b"99999999999999999999",
            b"-1",
            b"rport",
            b"received",
            b"Digest ",
            b"a=",
        ),
        *(b"m=audio 1 RTP/AVP 0", b"c=IN IP6 ::1", b"a=rtpmap:0 "),
    ]
)
_EDITS = st.lists(
    st.tuples(st.integers(0, 2000), st.integers(0, 12), st.one_of(_PIECES, st.binary(max_size=6))), max_size=6
)


@pytest.mark.exhaustive
@settings(max_examples=400)
@given(
    _EDITS,
    st.sampled_from(
        [
            request_bytes(body="v=0"),
            *STRANGE_BUT_VALID.values(),
            b"SIP/2.0 200 OK\r\n" + request_bytes().split(b"\r\n", 1)[1],
        ]
    ),
)
def test_a_damaged_message_never_raises_anything_else(
    edits: list[tuple[int, int, bytes]], data: bytes
) -> None:
    """Whatever is cut out of or put into a message, the only exception is SipParseError."""
    for place, length, piece in edits:
        place %= len(data) + 1
        data = data[:place] + piece + data[place + length :]
    try:
        take_everything(data)
    except SipParseError:
        return


@settings(max_examples=200)
@given(st.one_of(st.binary(max_size=300), st.lists(_PIECES, max_size=60).map(b"".join)))
def test_random_bytes_never_raise_anything_else(data: bytes) -> None:
    """Bytes without any meaning."""
    try:
        take_everything(data)
    except SipParseError:
        return


@given(
    st.one_of(
        st.text(max_size=200), st.lists(_PIECES.map(lambda piece: piece.decode("latin-1"))).map("".join)
    )
)
def test_random_digest_headers_never_raise_anything_else(text: str) -> None:
    """Neither reading nor verifying fails in another way, and nothing random is accepted."""
    assert not verify("Digest " + text, method="INVITE", username="u", password="p", realm="r")
    strongest(["Digest " + text])
    try:
        parse_digest("Digest " + text)
    except SipParseError:
        return


_SDP = (
    b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
    b"m=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"
)


@settings(max_examples=300)
@given(_EDITS)
def test_a_damaged_session_description_never_raises_anything_else(
    edits: list[tuple[int, int, bytes]],
) -> None:
    """The only exception is SdpError, and what is answered can be read again."""
    data = _SDP
    for place, length, piece in edits:
        place %= len(data) + 1
        data = data[:place] + piece + data[place + length :]
    try:
        agreed = negotiate(data, address="192.0.2.2", port=4002)
    except SdpError:
        return
    assert len(parse_sdp(agreed.body).media) == len(parse_sdp(data).media)


@given(st.lists(st.one_of(st.just(request_bytes(body="abc")), _PIECES), max_size=12), st.integers(1, 40))
def test_a_random_stream_never_raises_anything_else(pieces: list[bytes], step: int) -> None:
    """Cutting a stream into messages fails with SipParseError only."""
    stream = b"".join(pieces)
    framer = StreamFramer()
    try:
        for begin in range(0, len(stream), step):
            framer.feed(stream[begin : begin + step])
    except SipParseError:
        return


@pytest.mark.parametrize(
    "value",
    [
        b'"' * 8000,
        b"<" * 8000,
        b"\\" * 8000,
        b",;" * 4000,
        b"sip:" + b"a@" * 4000,
        b"(" * 8000,
        b" " * 8000,
        b"=" * 8000,
    ],
)
def test_long_nonsense_is_judged_in_no_time(value: bytes) -> None:
    """No header value makes a parser look at its characters again and again."""
    head, _, rest = request_bytes().partition(b"\r\n")
    began = time.process_time()
    for name in (b"To", b"Via", b"Contact", b"CSeq", b"Call-ID", b"Route"):
        line = name + b": " + value + b"\r\n"
        with contextlib.suppress(SipParseError):
            take_everything(head + b"\r\n" + line + rest)
    assert time.process_time() - began < 2
