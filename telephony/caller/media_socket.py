"""A UDP socket that loses, delays, swaps and doubles what is sent through it, as an impairment says."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from telephony.logs import get_logger

if TYPE_CHECKING:
    from telephony.caller.impairment import Impairment

log = get_logger(__name__)


class ImpairedSocket(socket.socket):
    """Takes the place of a bound UDP socket; receiving is left as it is.

    Args:
        plain: the socket to take over; it cannot be used any more.
        impairment: decides about each datagram.
    """

    def __init__(self, plain: socket.socket, impairment: Impairment) -> None:
        family, kind, protocol = plain.family, plain.type, plain.proto
        super().__init__(family, kind, protocol, fileno=plain.detach())
        self.setblocking(False)
        self._impairment = impairment
        self._loop = asyncio.get_running_loop()

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
