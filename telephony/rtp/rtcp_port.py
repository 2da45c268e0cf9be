"""RTCP of one call, on the port after its RTP (RFC 3550 section 11): a report every five seconds, and theirs.

Guarantees: reports are sent where the far end's come from, else to the port after its RTP; only those from
its address count; where the port is not to be had the call goes on without. It lives on its session's loop.
"""

from __future__ import annotations

import base64
import random
import secrets
import time
from typing import TYPE_CHECKING

from telephony.errors import RtpError
from telephony.logs import get_logger
from telephony.rtp.reports import Reports, Sent
from telephony.rtp.rtcp import parse

if TYPE_CHECKING:
    import asyncio
    import socket
    from collections.abc import Callable

    from telephony.clock import Clock
    from telephony.rtp.reception import Reception
    from telephony.rtp.reports import FarEnd
    from telephony.rtp.source import Address

log = get_logger(__name__)

INTERVAL_S = 5.0
"""Between reports; each pause is half as long to half as long again, the first half of that (section 6.2)."""

_DATAGRAM = 2048
_READS_AT_ONCE = 16


class RtcpPort:
    """One call's.

    Args:
        sock: bound and non-blocking; closed by ``close``.
        clock: its session's.
        remote: where the far end's audio comes from, once known.
        sends: whether anything may be sent now.
        wall: seconds since 1970.

    Attributes:
        refused: datagrams that did not count.
    """

    def __init__(
        self,
        sock: socket.socket,
        clock: Clock,
        ssrc: int,
        received: Reception,
        sent: Sent,
        *,
        remote: Callable[[], Address | None],
        interval_s: float = INTERVAL_S,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.refused = 0
        cname = base64.b64encode(secrets.token_bytes(12)).decode()
        self._reports = Reports(ssrc, cname, received, sent)
        self._socket = sock
        self._clock = clock
        self._remote = remote
        self._interval_s = interval_s
        self._wall = wall
        self._source: Address | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def far(self) -> FarEnd | None:
        """How the far end hears us, as far as it has said."""
        return self._reports.far

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Listen and report; on that loop."""
        self._loop = loop
        loop.add_reader(self._socket.fileno(), self._read)
        self._again(loop, self._interval_s / 2)

    def close(self) -> None:
        """Report no more; on the loop of ``start``, or without one."""
        if self._timer is not None:
            self._timer.cancel()
        if self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(self._socket.fileno())
        self._loop = None
        self._socket.close()

    def _again(self, loop: asyncio.AbstractEventLoop, interval_s: float) -> None:
        self._timer = loop.call_later(interval_s * random.uniform(0.5, 1.5), self._send)

    def _send(self) -> None:
        if self._loop is None:
            return
        self._again(self._loop, self._interval_s)
        remote = self._remote()
        if remote is None:
            return
        target = self._source or (remote[0], remote[1] + 1)
        try:
            self._socket.sendto(self._reports.compose(self._clock.now(), self._wall()), target)
        except (OSError, OverflowError) as error:
            log.debug("rtcp_send_failed", error=str(error))

    def _read(self) -> None:
        for _ in range(_READS_AT_ONCE):
            try:
                data, source = self._socket.recvfrom(_DATAGRAM)
            except BlockingIOError:
                return
            except OSError as error:
                # Nobody listens at the far end's port (ICMP): a phone without RTCP.
                log.debug("rtcp_receive_failed", error=str(error))
                continue
            self._datagram(data, (source[0], source[1]))

    def _datagram(self, data: bytes, source: Address) -> None:
        remote = self._remote()
        if remote is None or source[0] != remote[0]:
            self.refused += 1
            return
        try:
            reports = parse(data)
        except RtpError:
            self.refused += 1
            return
        self._source = source
        for report in reports:
            self._reports.take(report, self._clock.now(), self._wall())
