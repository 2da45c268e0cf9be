"""The caller's RTP socket: it impairs what is sent, and knows when each packet truly arrived.

Arrival is the kernel's time stamp (SO_TIMESTAMPNS of socket(7)) where there is one: a caller that was busy
for a moment reads its packets late, and must not mistake that for a gap on the line.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from typing import TYPE_CHECKING

from telephony.logs import get_logger

if TYPE_CHECKING:
    from telephony.caller.impairment import Impairment

log = get_logger(__name__)

_SO_TIMESTAMPNS = 35
"""Linux's number, on the architectures of servers; Python has no name for it."""
_TIMESPEC = struct.Struct("@ll")
_LONGEST_WAIT_S = 10.0
"""A stamp further from now than this is of a clock that was set meanwhile."""


class MediaSocket(socket.socket):
    """Takes the place of a bound UDP socket.

    Args:
        plain: the socket to take over; it cannot be used any more.
        impairment: decides about each datagram that is sent.

    Attributes:
        waited_s: how long the packet read last had lain in the kernel.
    """

    def __init__(self, plain: socket.socket, impairment: Impairment) -> None:
        family, kind, protocol = plain.family, plain.type, plain.proto
        super().__init__(family, kind, protocol, fileno=plain.detach())
        self.setblocking(False)
        self.waited_s = 0.0
        self._impairment = impairment
        self._loop = asyncio.get_running_loop()
        try:
            self.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        except OSError as error:
            log.info("packets_are_not_stamped", reason=str(error))

    def recvfrom(self, size: int) -> tuple[bytes, tuple[str, int]]:  # type: ignore[override]  # no flags here
        """Read one datagram and note when it arrived."""
        data, ancillary, _, source = self.recvmsg(size, socket.CMSG_SPACE(_TIMESPEC.size))
        self.waited_s = 0.0
        for level, kind, stamp in ancillary:
            if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS and len(stamp) >= _TIMESPEC.size:
                seconds, nanoseconds = _TIMESPEC.unpack_from(stamp)
                waited_s = time.time() - seconds - nanoseconds / 1e9
                self.waited_s = waited_s if 0.0 < waited_s < _LONGEST_WAIT_S else 0.0
        return data, source

    def sendto(self, data: bytes, address: tuple[str, int]) -> int:  # type: ignore[override]  # no flags here
        """Send when the impairment says so, at once, later, twice or never; gives the length in any case."""
        now = self._loop.time()
        for leaves_s in self._impairment.deliveries(now):
            if leaves_s <= now:
                super().sendto(data, address)
            else:
                self._loop.call_at(leaves_s, self._send_late, data, address)
        return len(data)

    def _send_late(self, data: bytes, address: tuple[str, int]) -> None:
        if self.fileno() == -1:
            return  # the call ended meanwhile
        try:
            super().sendto(data, address)
        except OSError as error:
            log.debug("late_packet_not_sent", error=str(error))
