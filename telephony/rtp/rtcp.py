"""RTCP packets (RFC 3550 section 6): sender and receiver reports with a CNAME, as one compound. Pure.

Only what two telephones need is written: one report, one source description. Whatever else arrives in a
compound is passed over; what is malformed is refused whole.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from telephony.errors import RtpError

SENDER_REPORT: Final = 200
RECEIVER_REPORT: Final = 201
SOURCE_DESCRIPTION: Final = 202

NTP_EPOCH: Final = 2_208_988_800
"""Seconds from 1900, where NTP begins, to 1970."""

_HEADER = struct.Struct("!BBH")
_SENDER = struct.Struct("!IIIIII")
_BLOCK = struct.Struct("!IIIIII")
_VERSION_2 = 0x80
_CNAME = 1
_MOST_LOST = 0x7FFFFF


@dataclass(frozen=True, slots=True)
class SenderInfo:
    """What a sender says of its stream.

    Attributes:
        ntp: wall clock at the report, 32.32 bits since 1900.
        timestamp: the stream's at the same moment.
        packets, octets: sent so far, modulo 2 ** 32; octets of payload.
    """

    ntp: int
    timestamp: int
    packets: int
    octets: int


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What a receiver says of one stream.

    Attributes:
        ssrc: the stream's.
        fraction_lost: since the report before, 0 to 255 for 0 to 1.
        lost: in all, -2 ** 23 to 2 ** 23 - 1; below 0 where packets came twice.
        highest: sequence number with its cycles, 32 bits.
        jitter: in units of the stream's timestamps.
        last_report: the middle 32 bits of the NTP time of the last sender report that came; 0 = none.
        delay: since then, in 1 / 65536 s.
    """

    ssrc: int
    fraction_lost: int
    lost: int
    highest: int
    jitter: int
    last_report: int
    delay: int


@dataclass(frozen=True, slots=True)
class Report:
    """One report; ``sender`` where its author sends as well."""

    ssrc: int
    sender: SenderInfo | None = None
    blocks: tuple[ReportBlock, ...] = ()


def ntp_time(seconds: float) -> int:
    """NTP's 32.32 bits for a wall clock in seconds since 1970."""
    return int((seconds + NTP_EPOCH) * 0x1_0000_0000) & 0xFFFF_FFFF_FFFF_FFFF


def middle(ntp: int) -> int:
    """The middle 32 bits of an NTP time, by which reports name each other."""
    return ntp >> 16 & 0xFFFF_FFFF


def pack(report: Report, cname: str) -> bytes:
    """A compound of a report and its author's CNAME (RFC 3550 section 6.1).

    Args:
        cname: at most 255 bytes of UTF-8.
    """
    blocks = b"".join(
        _BLOCK.pack(
            block.ssrc,
            block.fraction_lost << 24 | (max(-_MOST_LOST - 1, min(_MOST_LOST, block.lost)) & 0xFFFFFF),
            block.highest & 0xFFFF_FFFF,
            min(block.jitter, 0xFFFF_FFFF),
            block.last_report,
            min(block.delay, 0xFFFF_FFFF),
        )
        for block in report.blocks
    )
    if report.sender is None:
        body = struct.pack("!I", report.ssrc) + blocks
    else:
        told = report.sender
        body = (
            _SENDER.pack(
                report.ssrc,
                told.ntp >> 32,
                told.ntp & 0xFFFF_FFFF,
                told.timestamp & 0xFFFF_FFFF,
                told.packets & 0xFFFF_FFFF,
                told.octets & 0xFFFF_FFFF,
            )
            + blocks
        )
    kind = RECEIVER_REPORT if report.sender is None else SENDER_REPORT
    return _packet(kind, len(report.blocks), body) + _description(report.ssrc, cname)


def parse(data: bytes) -> list[Report]:
    """The reports of one datagram.

    Raises:
        RtpError: it is no compound of RTCP.
    """
    reports: list[Report] = []
    at = 0
    if not data:
        raise RtpError("A datagram is empty.", field="length")
    while at < len(data):
        if len(data) - at < _HEADER.size:
            raise RtpError("An RTCP packet is cut off in its header.", field="length")
        first, kind, words = _HEADER.unpack_from(data, at)
        end = at + 4 * (words + 1)
        if first & 0xC0 != _VERSION_2 or end > len(data):
            raise RtpError("A datagram is no compound of RTCP packets.", field="length")
        if kind in (SENDER_REPORT, RECEIVER_REPORT):
            reports.append(_report(data[at + _HEADER.size : end], kind, first & 0x1F))
        at = end
    return reports


def _packet(kind: int, count: int, body: bytes) -> bytes:
    return _HEADER.pack(_VERSION_2 | count, kind, len(body) // 4) + body


def _description(ssrc: int, cname: str) -> bytes:
    name = cname.encode()[:255]
    chunk = struct.pack("!IBB", ssrc, _CNAME, len(name)) + name + b"\0"
    return _packet(SOURCE_DESCRIPTION, 1, chunk + bytes(-len(chunk) % 4))


def _report(body: bytes, kind: int, count: int) -> Report:
    start = _SENDER.size if kind == SENDER_REPORT else 4
    if len(body) < start + count * _BLOCK.size:
        raise RtpError("An RTCP report is shorter than it says.", field="length")
    sender = None
    (ssrc,) = struct.unpack_from("!I", body)
    if kind == SENDER_REPORT:
        _, high, low, timestamp, packets, octets = _SENDER.unpack_from(body)
        sender = SenderInfo(high << 32 | low, timestamp, packets, octets)
    blocks = tuple(_block(body, start + number * _BLOCK.size) for number in range(count))
    return Report(ssrc, sender, blocks)


def _block(body: bytes, at: int) -> ReportBlock:
    ssrc, losses, highest, jitter, last_report, delay = _BLOCK.unpack_from(body, at)
    lost = losses & 0xFFFFFF
    if lost > _MOST_LOST:
        lost -= 0x1000000
    return ReportBlock(ssrc, losses >> 24, lost, highest, jitter, last_report, delay)
