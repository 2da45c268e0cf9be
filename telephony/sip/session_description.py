"""Session descriptions: text to values (RFC 8866), for audio over IPv4.

Pure. Takes any bytes; fails only with SdpError. What is not needed for audio is kept as text or skipped.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import NamedTuple

from telephony.errors import SdpError

MAX_SDP = 16_384
MAX_MEDIA = 16
_MAX_LINES = 512

DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")


class RtpMap(NamedTuple):
    """What a payload type stands for: encoding name in upper case, clock rate in Hz, channels."""

    name: str
    rate: int
    channels: int = 1


STATIC_TYPES = {
    0: RtpMap("PCMU", 8000),
    3: RtpMap("GSM", 8000),
    4: RtpMap("G723", 8000),
    8: RtpMap("PCMA", 8000),
    9: RtpMap("G722", 8000),
    13: RtpMap("CN", 8000),
    15: RtpMap("G728", 8000),
    18: RtpMap("G729", 8000),
}
"""Payload types that need no rtpmap (RFC 3551 table 4), as far as phones use them."""


@dataclass(slots=True)
class MediaDescription:
    """One ``m=`` section.

    Args:
        kind: ``audio``, ``video``, …
        port: 0 for a stream that is refused or switched off.
        protocol: ``RTP/AVP``, ``RTP/SAVP``, …
        formats: payload types as written, in order of preference.
        connection: IPv4 address of its own ``c=`` line, or None.
        attributes: (name, value) of each ``a=`` line in order; value empty for flags.
    """

    kind: str
    port: int
    protocol: str
    formats: list[str]
    connection: str | None = None
    attributes: list[tuple[str, str]] = field(default_factory=list)

    def attribute(self, name: str) -> str | None:
        """The first value of an attribute, or None."""
        return next((value for key, value in self.attributes if key == name), None)

    @property
    def direction(self) -> str | None:
        """The last direction attribute of the section, or None."""
        return _direction(self.attributes)

    @property
    def rtpmaps(self) -> dict[int, RtpMap]:
        """What each listed payload type stands for, static ones included; others are left out."""
        stated: dict[int, RtpMap] = {}
        for key, value in self.attributes:
            if key == "rtpmap":
                text, _, encoding = value.partition(" ")
                number, parsed = _payload_type(text), _encoding(encoding)
                if number is not None and parsed is not None:
                    stated[number] = parsed
        known: dict[int, RtpMap] = {}
        for text in self.formats:
            payload_type = _payload_type(text)
            if payload_type is not None:
                found = stated.get(payload_type) or STATIC_TYPES.get(payload_type)
                if found is not None:
                    known[payload_type] = found
        return known

    @property
    def ptime_ms(self) -> int | None:
        """Packet length the sender of this description wants to receive, 1 to 200 ms, or None."""
        value = self.attribute("ptime")
        if value is None or not value.isascii() or not value.isdigit() or len(value) > 3:
            return None
        return int(value) if 1 <= int(value) <= 200 else None


@dataclass(slots=True)
class SessionDescription:
    """A whole description: origin as written, session-level connection and attributes, media sections."""

    origin: str
    connection: str | None = None
    attributes: list[tuple[str, str]] = field(default_factory=list)
    media: list[MediaDescription] = field(default_factory=list)

    def address_of(self, media: MediaDescription) -> str:
        """The IPv4 address of a section: its own, else the session's.

        Raises:
            SdpError: neither level has a ``c=`` line.
        """
        address = media.connection or self.connection
        if address is None:
            raise SdpError("no connection address for the audio", field="c=")
        return address

    def direction_of(self, media: MediaDescription) -> str:
        """The direction of a section: its own, else the session's, else sendrecv (RFC 8866 section 6.7)."""
        return media.direction or _direction(self.attributes) or "sendrecv"


def _payload_type(text: str) -> int | None:
    if not text.isascii() or not text.isdigit() or len(text) > 3 or int(text) > 127:
        return None
    return int(text)


def _direction(attributes: list[tuple[str, str]]) -> str | None:
    return next((key for key, _ in reversed(attributes) if key in DIRECTIONS), None)


def _encoding(text: str) -> RtpMap | None:
    name, _, rest = text.strip().partition("/")
    rate, _, channels = rest.partition("/")
    numbers = [rate, channels or "1"]
    if not name or not all(item.isascii() and item.isdigit() and len(item) <= 6 for item in numbers):
        return None
    return RtpMap(name.upper(), int(rate), int(channels or "1"))


def parse_sdp(body: bytes) -> SessionDescription:
    """Read a description; lines may end with CRLF, LF or CR.

    Raises:
        SdpError: empty, too long, not ``v=0``, IPv6, or a malformed ``o=``, ``c=`` or ``m=`` line.
    """
    if not body.strip():
        raise SdpError("the session description is empty", field="SDP")
    if len(body) > MAX_SDP:
        raise SdpError(f"{len(body)} bytes, at most {MAX_SDP} are read", field="SDP")
    text = body.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if len(lines) > _MAX_LINES or lines[0] != "v=0":
        raise SdpError("it has too many lines or does not start with v=0", field="SDP")
    session = SessionDescription(origin="")
    for line in lines[1:]:
        if len(line) < 2 or line[1] != "=" or not line[0].isascii() or not line[0].isalpha():
            raise SdpError(f"{line[:32]!r} is not a line of a session description", field="SDP")
        _take_line(session, line[0], line[2:].strip())
    if not session.origin:
        raise SdpError("it is missing", field="o=")
    return session


def _take_line(session: SessionDescription, kind: str, value: str) -> None:
    section = session.media[-1] if session.media else session
    if kind == "o":
        if session.origin or len(value.split()) != 6:
            raise SdpError("it comes twice or has not six fields", field="o=")
        session.origin = value
    elif kind == "c":
        section.connection = _connection(value)
    elif kind == "m":
        if len(session.media) >= MAX_MEDIA:
            raise SdpError(f"more than {MAX_MEDIA} media sections", field="m=")
        session.media.append(_media(value))
    elif kind == "a":
        name, _, text = value.partition(":")
        section.attributes.append((name.strip().lower(), text.strip()))


def _connection(value: str) -> str:
    fields = value.split()
    if len(fields) != 3 or fields[0] != "IN":
        raise SdpError("it has not the form IN IP4 address", field="c=")
    if fields[1] == "IP6":
        raise SdpError(
            "the peer wants media over IPv6, which is not spoken here",
            field="c=",
            fix="Make the peer offer an IPv4 address.",
        )
    address = fields[2].partition("/")[0]
    try:
        return str(ipaddress.IPv4Address(address))
    except ValueError as error:
        raise SdpError(f"{address[:48]!r} is not an IPv4 address", field="c=") from error


def _media(value: str) -> MediaDescription:
    fields = value.split()
    if len(fields) < 4 or len(fields) > 64:
        raise SdpError("it has not the form kind port protocol formats", field="m=")
    port = fields[1].partition("/")[0]
    if not port.isascii() or not port.isdigit() or len(port) > 5 or int(port) > 65535:
        raise SdpError(f"{port[:16]!r} is not a port", field="m=")
    return MediaDescription(fields[0].lower(), int(port), fields[2].upper(), fields[3:])
