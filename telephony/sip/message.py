"""SIP messages: bytes to values and back (RFC 3261 sections 7, 18.3 and 20).

Pure. Guarantee: ``parse_message`` takes any bytes in linear time and either returns a message or
raises SipParseError; what ``to_bytes`` writes has exactly the header lines that were put in.
Header values are read when they are asked for; ``check`` (in ``rules``) reads all that count at once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from telephony.errors import SipParseError
from telephony.sip.grammar import has_control, is_token, number
from telephony.sip.headers import Headers
from telephony.sip.status import reason_of
from telephony.sip.uri import NameAddr, SipUri
from telephony.sip.via import Via

__all__ = [
    "MAX_MESSAGE",
    "CSeq",
    "Headers",
    "RawMessage",
    "SipRequest",
    "SipResponse",
    "parse_message",
    "split_message",
]

MAX_MESSAGE = 65_535
"""Largest message that is read, in bytes: the largest UDP datagram."""
MAX_LINE = 8_192
MAX_HEADERS = 256
_MAX_CSEQ = 2**31 - 1
_VERSION = "SIP/2.0"
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_LINE_END = re.compile(r"\r?\n")
_STATUS = re.compile(r"([1-6][0-9]{2})\Z")


class CSeq(NamedTuple):
    """Sequence number, 0 to 2**31 - 1, and method."""

    number: int
    method: str


class RawMessage(NamedTuple):
    """A message cut into its parts, the start line not yet understood."""

    start_line: str
    headers: Headers
    body: bytes


class _Message:
    """What requests and responses share: readers of the headers that every message has.

    Each reader raises SipParseError when its header is missing, doubled or malformed.
    """

    headers: Headers
    body: bytes

    def _single(self, name: str) -> str:
        values = self.headers.get_all(name)
        if len(values) != 1 or not values[0]:
            raise SipParseError("it is missing" if not values else "it is empty or comes twice", field=name)
        return values[0]

    def _addresses(self, name: str) -> list[NameAddr]:
        return [NameAddr.parse(value) for value in self.headers.elements(name)]

    @property
    def call_id(self) -> str:
        """The Call-ID."""
        value = self._single("Call-ID")
        if not value.isascii() or " " in value or "\t" in value:
            raise SipParseError("it is not a word of ASCII characters", field="Call-ID")
        return value

    @property
    def from_(self) -> NameAddr:
        """The From address with its tag."""
        return NameAddr.parse(self._single("From"))

    @property
    def to(self) -> NameAddr:
        """The To address, with a tag within a dialog."""
        return NameAddr.parse(self._single("To"))

    @property
    def cseq(self) -> CSeq:
        """The sequence number and method."""
        digits, _, method = self._single("CSeq").replace("\t", " ").partition(" ")
        method = method.strip()
        if not is_token(method):
            raise SipParseError("it has no method", field="CSeq")
        return CSeq(number(digits, field="CSeq", maximum=_MAX_CSEQ), method)

    @property
    def vias(self) -> list[Via]:
        """All Via values, the topmost first."""
        return [Via.parse(value) for value in self.headers.elements("Via")]

    @property
    def via(self) -> Via:
        """The topmost Via."""
        values = self.headers.elements("Via")
        if not values:
            raise SipParseError("it is missing", field="Via")
        return Via.parse(values[0])

    @property
    def contact(self) -> NameAddr | None:
        """The first Contact, or None where there is none or it is ``*``."""
        values = self.headers.elements("Contact")
        return NameAddr.parse(values[0]) if values and values[0] != "*" else None

    @property
    def record_routes(self) -> list[NameAddr]:
        """Record-Route values in the order of the message."""
        return self._addresses("Record-Route")

    @property
    def content_length(self) -> int | None:
        """The Content-Length, or None where it is left out."""
        if "Content-Length" not in self.headers:
            return None
        return number(self._single("Content-Length"), field="Content-Length", maximum=10 * MAX_MESSAGE)

    @property
    def content_type(self) -> str:
        """The media type in lower case without parameters; empty where there is none."""
        return (self.headers.get("Content-Type") or "").partition(";")[0].strip().lower()

    def _start_line(self) -> str:
        raise TypeError("only a request or a response can be written")

    def to_bytes(self) -> bytes:
        """The message as it goes on the wire; Content-Length is always written anew."""
        lines = [self._start_line()]
        lines += [f"{name}: {value}" for name, value in self.headers if name.lower() != "content-length"]
        lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + self.body


@dataclass(slots=True)
class SipRequest(_Message):
    """A request: method, Request-URI, headers, body."""

    method: str
    uri: SipUri
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""

    @property
    def routes(self) -> list[NameAddr]:
        """Route values in order."""
        return self._addresses("Route")

    @property
    def max_forwards(self) -> int:
        """Hops left, 0 to 255; 70 where the header is left out (RFC 3261 section 16.3)."""
        if "Max-Forwards" not in self.headers:
            return 70
        return number(self._single("Max-Forwards"), field="Max-Forwards", maximum=255)

    def copy(self) -> SipRequest:
        """A copy whose headers can be changed alone."""
        return SipRequest(self.method, self.uri, self.headers.copy(), self.body)

    def _start_line(self) -> str:
        if not is_token(self.method):
            raise SipParseError(f"{self.method[:32]!r} is not a method", field="method")
        return f"{self.method} {self.uri} {_VERSION}"


@dataclass(slots=True)
class SipResponse(_Message):
    """A response: status 100 to 699, reason phrase, headers, body."""

    status: int
    reason: str = ""
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""

    def _start_line(self) -> str:
        if has_control(self.reason):
            raise SipParseError("the reason phrase has a control character", field="reason")
        if not 100 <= self.status <= 699:
            raise SipParseError(f"{self.status} is not a status from 100 to 699", field="status")
        return f"{_VERSION} {self.status} {self.reason or reason_of(self.status)}"


def split_message(data: bytes) -> RawMessage:
    """Cut a message into start line, headers and body, without a judgement of their values.

    Lines may end with CRLF or LF alone; folded lines are joined by one blank. The body is cut to
    Content-Length where that is readable and shorter (RFC 3261 section 18.3).

    Raises:
        SipParseError: too long, no end of the headers, a line that is no header, control characters.
    """
    if len(data) > MAX_MESSAGE:
        raise SipParseError(f"{len(data)} bytes, at most {MAX_MESSAGE} are read", status=513)
    # Blank lines before the start line are keep-alives that arrived with the message (section 7.5).
    data = data.lstrip(b"\r\n")
    end = _END_OF_HEAD.search(data)
    if end is None:
        raise SipParseError("the headers have no end")
    start_line, *lines = _LINE_END.split(_decode(data[: end.start()]))
    if len(start_line) > MAX_LINE:
        raise SipParseError("the start line is too long", status=414)
    if has_control(start_line):
        raise SipParseError("the start line has a control character")
    headers = Headers(_field(line) for line in _unfold(lines))
    body = data[end.end() :]
    length = headers.get("Content-Length")
    if length is not None and length.isascii() and length.isdigit() and len(length) <= 7:
        body = body[: int(length)]
    return RawMessage(start_line, headers, body)


def _decode(head: bytes) -> str:
    try:
        return head.decode()
    except UnicodeDecodeError:
        # Some carriers send display names in an 8-bit set: those bytes are kept readable one by one.
        return head.decode("latin-1")


def _unfold(lines: list[str]) -> list[str]:
    unfolded: list[list[str]] = []
    for line in lines:
        if line[:1] in (" ", "\t"):
            if not unfolded:
                raise SipParseError("a continuation line follows the start line")
            unfolded[-1].append(line.strip(" \t"))
        else:
            unfolded.append([line.rstrip(" \t")])
    if len(unfolded) > MAX_HEADERS:
        raise SipParseError(f"{len(unfolded)} header lines, at most {MAX_HEADERS} are read", status=513)
    return [" ".join(parts) for parts in unfolded]


def _field(line: str) -> tuple[str, str]:
    if len(line) > MAX_LINE:
        raise SipParseError(f"a header of {len(line)} characters, at most {MAX_LINE} are read", status=513)
    name, colon, value = line.partition(":")
    if not colon:
        raise SipParseError(f"{line[:32]!r} is not a header")
    return name.rstrip(" \t"), value


def parse_message(data: bytes) -> SipRequest | SipResponse:
    """Read one message from one datagram or one frame of a stream.

    Raises:
        SipParseError: it is not SIP/2.0; ``status`` says how a request is refused.
    """
    return understand(split_message(data))


def understand(raw: RawMessage) -> SipRequest | SipResponse:
    """Read the start line of a message that was cut before.

    Raises:
        SipParseError: it is neither a request line nor a status line of SIP/2.0.
    """
    first, _, rest = raw.start_line.partition(" ")
    if first.upper() == _VERSION:
        code, _, reason = rest.partition(" ")
        if _STATUS.match(code) is None:
            raise SipParseError(f"{code[:16]!r} is not a status code", field="start line")
        return SipResponse(int(code), reason.strip(), raw.headers, raw.body)
    uri, _, version = rest.partition(" ")
    if not is_token(first) or not version.upper().startswith("SIP/"):
        raise SipParseError("the start line is not SIP", field="start line")
    if version.upper() != _VERSION:
        raise SipParseError(f"{version[:16]!r} is not SIP/2.0", field="start line", status=505)
    return SipRequest(first, SipUri.parse(uri), raw.headers, raw.body)
