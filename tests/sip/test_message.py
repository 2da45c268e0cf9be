"""Messages from bytes and back."""

from __future__ import annotations

import pytest

from telephony.errors import SipParseError
from telephony.sip.headers import Headers
from telephony.sip.message import MAX_MESSAGE, SipRequest, SipResponse, parse_message, split_message
from telephony.sip.uri import SipUri
from tests.sip.wire import request, request_bytes

pytestmark = pytest.mark.pure


def test_a_request_is_read() -> None:
    """Method, Request-URI, the headers that count, and the body."""
    message = request("INVITE", to_tag="t", headers=("Content-Type: application/SDP; x=1",), body="v=0")
    assert message.method == "INVITE"
    assert str(message.uri) == "sip:100@192.0.2.1"
    assert message.call_id == "call-1"
    assert message.from_.tag == "ftag"
    assert message.to.tag == "t"
    assert message.cseq == (1, "INVITE")
    assert message.via.branch == "z9hG4bKa1"
    assert message.contact is not None
    assert message.contact.uri.port == 5070
    assert message.max_forwards == 70
    assert message.content_type == "application/sdp"
    assert message.body == b"v=0"


def test_a_response_is_read() -> None:
    """Status and reason phrase; the phrase may be empty or in any language."""
    message = parse_message("SIP/2.0 486 Занято сейчас\r\nCSeq: 2 INVITE\r\n\r\n".encode())
    assert isinstance(message, SipResponse)
    assert (message.status, message.reason) == (486, "Занято сейчас")
    empty = parse_message(b"SIP/2.0 200 \r\n\r\n")
    assert isinstance(empty, SipResponse)
    assert empty.reason == ""


def test_writing_what_was_read_gives_the_same_message() -> None:
    """Order, values and body survive; Content-Length comes last."""
    data = request_bytes(headers=("X-A: 1", "X-A: 2", 'Subject: "ünïcode"'), body="räksmörgås")
    assert parse_message(parse_message(data).to_bytes()) == parse_message(data)
    assert parse_message(data).to_bytes() == data


def test_compact_forms_folding_and_odd_blanks() -> None:
    """A message as old phones write it is read like any other."""
    data = (
        b"INVITE sip:100@192.0.2.1 SIP/2.0\r\n"
        b"v: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKold,\r\n"
        b" SIP/2.0/UDP 192.0.2.8;branch=z9hG4bKolder\r\n"
        b"f:caller  <sip:caller@192.0.2.9>;\r\n\ttag=ftag\r\n"
        b"t :\t<sip:100@192.0.2.1>\r\n"
        b"i:call-1\r\n"
        b"cseq:  0001\tINVITE \r\n"
        b"m:<sip:a@h>,<sip:b@h>\r\n"
        b"l: 3\r\n\r\nabcdef"
    )
    message = parse_message(data)
    assert [via.branch for via in message.vias] == ["z9hG4bKold", "z9hG4bKolder"]
    assert message.from_.tag == "ftag"
    assert message.cseq == (1, "INVITE")
    assert message.body == b"abc"
    assert message.contact is not None
    assert message.contact.uri.user == "a"


def test_lines_may_end_with_lf_alone() -> None:
    """Scripts that forget the CR are understood."""
    message = parse_message(request_bytes(body="x").replace(b"\r\n", b"\n"))
    assert message.call_id == "call-1"
    assert message.body == b"x"


def test_blank_lines_before_the_start_line_are_skipped() -> None:
    """Section 7.5: a keep-alive that arrives with the message does no harm."""
    assert parse_message(b"\r\n\r\n" + request_bytes()).call_id == "call-1"


def test_bytes_that_are_not_utf8_stay_readable() -> None:
    """A display name in an 8-bit set does not cost the call."""
    data = request_bytes().replace(b"From: <", b'From: "Andr\xe9" <')
    assert parse_message(data).from_.display == "André"


@pytest.mark.parametrize(
    ("name", "reader"),
    [
        ("Call-ID", "call_id"),
        ("From", "from_"),
        ("To", "to"),
        ("CSeq", "cseq"),
        ("Via", "via"),
    ],
)
def test_a_missing_header_is_named(name: str, reader: str) -> None:
    """The error's field says which header is missing."""
    message = request()
    message.headers.remove(name)
    with pytest.raises(SipParseError) as caught:
        getattr(message, reader)
    assert caught.value.field == name


@pytest.mark.parametrize("name", ["Call-ID", "From", "To", "CSeq", "Max-Forwards", "Content-Length"])
def test_a_header_that_must_stand_once_may_not_stand_twice(name: str) -> None:
    """Two values would let two parsers see two calls."""
    message = request()
    message.headers.add(name, message.headers.get(name) or "0")
    reader = {"From": "from_", "CSeq": "cseq"}.get(name, name.lower().replace("-", "_"))
    with pytest.raises(SipParseError):
        getattr(message, reader)


@pytest.mark.parametrize(
    "value", ["INVITE", "x INVITE", "-1 INVITE", "2147483648 INVITE", "1", "1 IN VITE", "٣ INVITE"]
)
def test_a_malformed_cseq_is_refused(value: str) -> None:
    """Number up to 2**31 - 1 in ASCII digits, then a method."""
    message = request()
    message.headers.set("CSeq", value)
    with pytest.raises(SipParseError):
        _ = message.cseq


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", 400),
        (b"hello", 400),
        (b"INVITE sip:a@h SIP/2.0\r\nCall-ID: x", 400),
        (b"INVITE sip:a@h\r\n\r\n", 400),
        (b"INVITE  sip:a@h SIP/2.0\r\n\r\n", 400),
        (b"INVITE sip:a@h SIP/3.0\r\n\r\n", 505),
        (b"IN VITE sip:a@h SIP/2.0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"SIP/2.0 20 OK\r\n\r\n", 400),
        (b"SIP/2.0 2000 OK\r\n\r\n", 400),
        (b"SIP/2.0 999 OK\r\n\r\n", 400),
        (b"SIP/2.0\r\n\r\n", 400),
        (b"OPTIONS sip:a@h SIP/2.0\r\n folded: first\r\n\r\n", 400),
        (b"OPTIONS sip:a@h SIP/2.0\r\nno colon\r\n\r\n", 400),
        (b"OPTIONS sip:a@h SIP/2.0\r\nA B: x\r\n\r\n", 400),
        (b"OPTIONS sip:a@h SIP/2.0\r\nX: a\rb\r\n\r\n", 400),
        (b"OPTIONS sip:a@h SIP/2.0\r\nX: a\x00b\r\n\r\n", 400),
        (b"OPTIONS sip:a@h\x00 SIP/2.0\r\nX: a\r\n\r\n", 400),
        (b"OPTIONS sip:a@h SIP/2.0\r\nX: " + b"a" * 9000 + b"\r\n\r\n", 513),
        (b"OPTIONS sip:a@h SIP/2.0\r\n" + b"X: a\r\n" * 300 + b"\r\n", 513),
        (b"OPTIONS sip:a@" + b"h" * 9000 + b" SIP/2.0\r\nX: a\r\n\r\n", 414),
        (b"x" * (MAX_MESSAGE + 1), 513),
    ],
)
def test_what_is_not_sip_is_refused_with_a_status(data: bytes, status: int) -> None:
    """Every refusal is a SipParseError that knows how a request would be answered."""
    with pytest.raises(SipParseError) as caught:
        parse_message(data)
    assert caught.value.status == status


def test_an_unreadable_request_uri_still_leaves_the_headers() -> None:
    """Splitting judges nothing, so that a refusal can be written."""
    raw = split_message(request_bytes(uri="sip:no host"))
    assert raw.headers.get("Call-ID") == "call-1"


@pytest.mark.parametrize("reason", ["OK\r\nEvil: 1", "a\x00"])
def test_a_reason_phrase_cannot_end_its_line(reason: str) -> None:
    """The guard holds on the status line too."""
    with pytest.raises(SipParseError):
        SipResponse(200, reason).to_bytes()


def test_what_cannot_be_a_start_line_is_not_written() -> None:
    """A method that is no token and a status out of range are refused."""
    with pytest.raises(SipParseError):
        SipRequest("IN VITE", SipUri("a", "h"), Headers()).to_bytes()
    with pytest.raises(SipParseError):
        SipResponse(99).to_bytes()


def test_content_length_is_always_true() -> None:
    """Whatever the header said, the written one is the body's length in bytes."""
    message = request()
    message.headers.set("Content-Length", "999")
    message.body = "ж".encode()
    assert message.to_bytes().endswith(b"Content-Length: 2\r\n\r\n\xd0\xb6")


def test_an_unset_reason_is_filled_in() -> None:
    """Known statuses get their phrase, unknown ones their class's."""
    assert SipResponse(486).to_bytes().startswith(b"SIP/2.0 486 Busy Here\r\n")
    assert SipResponse(499).to_bytes().startswith(b"SIP/2.0 499 Request Failure\r\n")
