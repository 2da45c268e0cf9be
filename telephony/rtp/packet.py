"""The RTP packet (RFC 3550 section 5.1), and telling it from what else arrives on its port."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from telephony.errors import RtpError

HEADER = struct.Struct("!BBHII")
"""Version and flags, marker and payload type, sequence, timestamp, SSRC."""

_EXTENSION = struct.Struct("!HH")
_VERSION_2 = 0x80


def is_rtcp(data: bytes) -> bool:
    """Whether a datagram is RTCP that shares the port: packet types 192 to 223 (RFC 5761 section 4)."""
    return len(data) >= 2 and data[0] & 0xC0 == _VERSION_2 and 192 <= data[1] <= 223


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """One packet; contributing sources, header extension and padding are read past and not kept.

    Attributes:
        payload_type: 0 to 127.
        sequence: 16 bits.
        timestamp: 32 bits, in samples of the codec's clock (8000 Hz here).
        ssrc: 32 bits.
        marker: first packet of a talkspurt or of a telephone-event.
        payload: the codec's bytes, possibly none.
    """

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    marker: bool
    payload: bytes

    @classmethod
    def parse(cls, data: bytes) -> RtpPacket:
        """Read one datagram.

        Raises:
            RtpError: it is not RTP version 2, or its header points outside of it.
        """
        if len(data) < HEADER.size:
            raise RtpError(f"A datagram of {len(data)} bytes is too short for RTP.", field="length")
        flags, second, sequence, timestamp, ssrc = HEADER.unpack_from(data)
        if flags & 0xC0 != _VERSION_2:
            raise RtpError(f"A datagram has RTP version {flags >> 6}, not 2.", field="version")
        # Nearly every packet has the plain header: no sources, extension or padding.
        start, end = (HEADER.size, len(data)) if flags == _VERSION_2 else _payload_bounds(data, flags)
        return cls(second & 0x7F, sequence, timestamp, ssrc, second >= 0x80, data[start:end])

    def pack(self) -> bytes:
        """The datagram, with the plain 12-byte header."""
        second = self.payload_type | 0x80 if self.marker else self.payload_type
        return HEADER.pack(_VERSION_2, second, self.sequence, self.timestamp, self.ssrc) + self.payload


def _payload_bounds(data: bytes, flags: int) -> tuple[int, int]:
    start = HEADER.size + 4 * (flags & 0x0F)
    end = len(data)
    if flags & 0x10:
        if start + _EXTENSION.size > end:
            raise RtpError("An RTP header extension lies outside of its datagram.", field="extension")
        _, words = _EXTENSION.unpack_from(data, start)
        start += _EXTENSION.size + 4 * words
    if flags & 0x20:
        padding = data[-1]
        if padding == 0:
            raise RtpError("An RTP packet claims padding of zero bytes.", field="padding")
        end -= padding
    if start > end:
        raise RtpError("An RTP header is longer than its datagram.", field="header")
    return start, end
