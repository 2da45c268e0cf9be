"""Offer and answer for one audio stream (RFC 3264): PCMU, PCMA, telephone-event over RTP/AVP and IPv4.

Pure. Guarantee: an answer has the offer's sections in the offer's order, at most one of them accepted,
and uses the payload types of the offer; hold is mirrored (sendonly to recvonly, inactive to inactive).
"""

from __future__ import annotations

import ipaddress
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from telephony.errors import SdpError
from telephony.sip.session_description import (
    DIRECTIONS,
    STATIC_TYPES,
    MediaDescription,
    RtpMap,
    SessionDescription,
    parse_sdp,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "Answer",
    "MediaDescription",
    "RtpMap",
    "SessionDescription",
    "build_offer",
    "mirror",
    "negotiate",
    "new_session_id",
    "parse_sdp",
    "read_answer",
]

DTMF_PAYLOAD_TYPE = 101
"""What our own offers use for telephone-event, as most phones do."""

_DTMF = RtpMap("TELEPHONE-EVENT", 8000)
_STATIC_NUMBERS = {mapped: number for number, mapped in STATIC_TYPES.items()}
_MIRRORED = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What two ends agreed on.

    Args:
        codec: ``PCMU`` or ``PCMA``.
        payload_type: number the peer gave that codec: what we send, and in an answer of ours also what comes.
        dtmf_payload_type: telephone-event's number, None where it was not agreed.
        remote: where the peer wants its RTP; the address may be 0.0.0.0 during an old-style hold.
        direction: ours: ``sendrecv``, ``sendonly``, ``recvonly`` or ``inactive``.
        body: our answer to send, or empty where the answer was the peer's.
        ptime_ms: packet length the peer asked for, 20 where it asked for none.
    """

    codec: str
    payload_type: int
    dtmf_payload_type: int | None
    remote: tuple[str, int]
    direction: str
    body: bytes
    ptime_ms: int = 20

    @property
    def sends(self) -> bool:
        """Whether we may send audio; during a hold the peer does not want it."""
        return self.direction in ("sendrecv", "sendonly") and self.remote[0] != "0.0.0.0"  # noqa: S104 - hold mark of RFC 2543, no binding

    @property
    def receives(self) -> bool:
        """Whether audio of the peer is to be expected: a media timeout only makes sense then."""
        return self.direction in ("sendrecv", "recvonly")


def mirror(direction: str) -> str:
    """The answerer's direction for the offerer's."""
    return _MIRRORED[direction]


def new_session_id() -> int:
    """A number for the origin line, below 2**62, as RFC 8866 section 5.2 wants it: unlikely to repeat."""
    return secrets.randbits(62)


def build_offer(
    address: str,
    port: int,
    codecs: Sequence[str] = ("PCMU", "PCMA"),
    dtmf_payload_type: int | None = DTMF_PAYLOAD_TYPE,
    direction: str = "sendrecv",
    session_id: int | None = None,
    *,
    version: int = 1,
    ptime_ms: int = 20,
) -> bytes:
    """An offer of one audio stream.

    Args:
        codecs: names of static payload types at 8 kHz, the preferred first.
        dtmf_payload_type: 96 to 127, or None to offer no telephone-event.
        session_id, version: of the origin line; a later offer of the same session keeps the id and
            adds one to the version.

    Raises:
        SdpError: a codec without a static payload type, or an address that is not IPv4.
    """
    numbers = [_static_number(name) for name in codecs]
    section = _our_section(
        port, list(zip(numbers, codecs, strict=True)), dtmf_payload_type, direction, ptime_ms
    )
    return _write(address, new_session_id() if session_id is None else session_id, version, [section])


def negotiate(
    offer: SessionDescription | bytes,
    *,
    codecs: Sequence[str] = ("PCMU", "PCMA"),
    address: str,
    port: int,
    dtmf: bool = True,
    direction: str = "sendrecv",
    session_id: int | None = None,
    version: int = 1,
) -> Answer:
    """Answer an offer: the first usable audio section is taken, every other is refused with port 0.

    Args:
        codecs: names we speak, the preferred first; our preference decides.
        address, port: where we want RTP.
        direction: what we want; limited by what the offer allows.

    Raises:
        SdpError: no audio section, only secure media, no common codec, IPv6, no address.
    """
    session = parse_sdp(offer) if isinstance(offer, bytes) else offer
    chosen, codec, payload_type = _choose(session, codecs)
    dtmf_type = _find(chosen, _DTMF) if dtmf else None
    answered = _narrow(_offered_direction(session, chosen), direction)
    ptime = chosen.ptime_ms or 20
    sections = [
        _our_section(port, [(payload_type, codec)], dtmf_type, answered, 20)
        if media is chosen
        else [f"m={media.kind} 0 {media.protocol} {' '.join(media.formats)}"]
        for media in session.media
    ]
    body = _write(address, new_session_id() if session_id is None else session_id, version, sections)
    remote = (session.address_of(chosen), chosen.port)
    return Answer(codec, payload_type, dtmf_type, remote, answered, body, ptime)


def read_answer(
    answer: SessionDescription | bytes,
    *,
    codecs: Sequence[str] = ("PCMU", "PCMA"),
    dtmf_payload_type: int | None = DTMF_PAYLOAD_TYPE,
    direction: str = "sendrecv",
) -> Answer:
    """Read the peer's answer to an offer that ``build_offer`` made with the same arguments.

    Raises:
        SdpError: the stream was refused (port 0), or the answer has none of the offered codecs.
    """
    session = parse_sdp(answer) if isinstance(answer, bytes) else answer
    chosen, codec, payload_type = _choose(session, codecs)
    dtmf_type = _find(chosen, _DTMF) if dtmf_payload_type is not None else None
    agreed = _narrow(_offered_direction(session, chosen), direction)
    remote = (session.address_of(chosen), chosen.port)
    return Answer(codec, payload_type, dtmf_type, remote, agreed, b"", chosen.ptime_ms or 20)


def _choose(session: SessionDescription, codecs: Sequence[str]) -> tuple[MediaDescription, str, int]:
    audio = [media for media in session.media if media.kind == "audio"]
    if not audio:
        raise SdpError("there is no audio section", field="m=")
    plain = [media for media in audio if media.protocol == "RTP/AVP"]
    if not plain:
        raise SdpError(
            f"audio is offered only as {audio[0].protocol[:24]}, only plain RTP/AVP is spoken here",
            field="m=",
            fix="Switch media encryption (SRTP) off for this line at the peer.",
        )
    live = [media for media in plain if media.port]
    if not live:
        raise SdpError("the audio stream is switched off (port 0)", field="m=")
    for media in live:
        for codec in codecs:
            payload_type = _find(media, RtpMap(codec.upper(), 8000))
            if payload_type is not None:
                return media, codec.upper(), payload_type
    offered = ", ".join(mapped.name[:16] for mapped in live[0].rtpmaps.values()) or "nothing known"
    raise SdpError(
        f"no common codec: the peer has {offered[:120]}, we have {', '.join(codecs)}",
        field="a=rtpmap",
        fix="Enable PCMU or PCMA (G.711) at the peer.",
    )


def _find(media: MediaDescription, wanted: RtpMap) -> int | None:
    return next((number for number, mapped in media.rtpmaps.items() if mapped == wanted), None)


def _offered_direction(session: SessionDescription, media: MediaDescription) -> str:
    direction = session.direction_of(media)
    if session.address_of(media) == "0.0.0.0":  # noqa: S104 - hold mark of RFC 2543 (RFC 3264 section 8.4), no binding
        return {"sendrecv": "sendonly", "recvonly": "inactive"}.get(direction, direction)
    return direction


def _narrow(offered: str, wanted: str) -> str:
    """Our direction: the mirror of the peer's, without what we do not want."""
    theirs = mirror(offered)
    sends = "send" in theirs and wanted in ("sendrecv", "sendonly")
    receives = "recv" in theirs and wanted in ("sendrecv", "recvonly")
    return DIRECTIONS[
        {(True, True): 0, (True, False): 1, (False, True): 2, (False, False): 3}[sends, receives]
    ]


def _static_number(name: str) -> int:
    number = _STATIC_NUMBERS.get(RtpMap(name.upper(), 8000))
    if number is None:
        raise SdpError(f"{name[:16]!r} has no static payload type", field="codecs")
    return number


def _our_section(
    port: int, codecs: list[tuple[int, str]], dtmf: int | None, direction: str, ptime_ms: int
) -> list[str]:
    numbers = [number for number, _ in codecs] + ([dtmf] if dtmf is not None else [])
    lines = [f"m=audio {port} RTP/AVP {' '.join(map(str, numbers))}"]
    lines += [f"a=rtpmap:{number} {name.upper()}/8000" for number, name in codecs]
    if dtmf is not None:
        lines += [f"a=rtpmap:{dtmf} telephone-event/8000", f"a=fmtp:{dtmf} 0-15"]
    return [*lines, f"a=ptime:{ptime_ms}", f"a={direction}"]


def _write(address: str, session_id: int, version: int, sections: list[list[str]]) -> bytes:
    try:
        ipaddress.IPv4Address(address)
    except ValueError as error:
        raise SdpError(f"our media address {address[:48]!r} is not an IPv4 address", field="c=") from error
    lines = [
        "v=0",
        f"o=- {session_id} {version} IN IP4 {address}",
        "s=-",
        f"c=IN IP4 {address}",
        "t=0 0",
        *(line for section in sections for line in section),
    ]
    return ("\r\n".join(lines) + "\r\n").encode()
