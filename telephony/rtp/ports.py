"""The range of UDP ports that calls take their media ports from.

Ports are even, so that a peer which sends RTCP to the next one (RFC 3550 section 11) hits nobody's
audio. They are tried in random order, and one that was given back rests a while: packets of the call
before must not be heard in the next one.
"""

from __future__ import annotations

import errno
import random
import socket
from typing import TYPE_CHECKING

from telephony.clock import LoopClock
from telephony.errors import RtpError

if TYPE_CHECKING:
    from telephony.clock import Clock

REUSE_DELAY_S = 5.0
"""How long a port rests after its call."""

_RECEIVE_BUFFER = 128 * 1024
"""Bytes: about two seconds of packets with their overhead; older audio is of no use after a stall."""

_EXPEDITED_FORWARDING = 0xB8
_CHOSEN_TRIES = 64


class PortPool:
    """Even ports of one range on one address.

    Args:
        address: the local IP address that sockets are bound to.
        low: lowest port, inclusive; 0 together with ``high`` 0 lets the system choose.
        high: highest port, inclusive.
        clock: where time comes from; the running loop's by default.
        random_order: the source of the order of ports.
        reuse_delay_s: how long a port rests after its call.

    Raises:
        RtpError: the range has no even port in 1024 to 65534.
    """

    def __init__(
        self,
        address: str,
        low: int,
        high: int,
        *,
        clock: Clock | None = None,
        random_order: random.Random | None = None,
        reuse_delay_s: float = REUSE_DELAY_S,
    ) -> None:
        self.address = address
        self._clock = clock
        self._reuse_delay_s = reuse_delay_s
        self._range = "0" if low == high == 0 else f"{low}-{high}"
        self._highest = 65535 if self._range == "0" else high
        ports = list(range(low + low % 2, high + 1, 2))
        if self._range != "0" and (not ports or low < 1024 or high > 65535):
            raise RtpError(
                f"The range of media ports {low}-{high} has no even port between 1024 and 65535.",
                field="rtp_port",
                fix="Write it as LOW-HIGH, such as 10000-20000.",
            )
        (random_order or random.Random()).shuffle(ports)
        self._free = [] if self._range == "0" else ports
        self._resting: list[tuple[float, int]] = []
        self._taken: set[int] = set()

    @classmethod
    def parse(cls, address: str, text: str) -> PortPool:
        """Read a range as the setting rtp_port has it: ``LOW-HIGH``, one port, or ``0`` for any.

        Raises:
            RtpError: it is neither.
        """
        low, dash, high = text.partition("-")
        try:
            return cls(address, int(low), int(high if dash else low))
        except ValueError:
            raise RtpError(
                f"{text!r} is not a range of ports.",
                field="rtp_port",
                fix="Write it as LOW-HIGH, such as 10000-20000.",
            ) from None

    @property
    def taken(self) -> int:
        """How many ports are in use by calls."""
        return len(self._taken)

    def bind(self, address: str | None = None) -> socket.socket:
        """A non-blocking UDP socket on a free port; give it back by ``release`` after closing it.

        Ports that other programs use are passed over.

        Raises:
            RtpError: every port of the range is in use or resting, or the address is not ours.
        """
        host = self.address if address is None else address
        if self._range == "0":
            return self._bind_any(host)
        self._wake_rested()
        for _ in range(len(self._free)):
            port = self._free.pop(0)
            bound = _bind(host, port)
            if bound is not None:
                self._taken.add(port)
                return bound
            self._free.append(port)
        raise self._exhausted()

    def bind_companion(self, port: int, address: str | None = None) -> socket.socket | None:
        """The port after a taken one, for its RTCP; None where it is not in the range, or in use."""
        host = self.address if address is None else address
        return _bind(host, port + 1) if port + 1 <= self._highest else None

    def release(self, port: int) -> None:
        """Give a port back, its socket closed; a port that is not taken is ignored."""
        if port not in self._taken:
            return
        self._taken.remove(port)
        if self._range != "0":
            self._resting.append((self._now() + self._reuse_delay_s, port))

    def _bind_any(self, host: str) -> socket.socket:
        for _ in range(_CHOSEN_TRIES):
            bound = _bind(host, 0)
            if bound is None:
                break
            port: int = bound.getsockname()[1]
            if port % 2 == 0:
                self._taken.add(port)
                return bound
            bound.close()
        raise self._exhausted()

    def _wake_rested(self) -> None:
        if not self._resting:
            return
        now = self._now()
        while self._resting and self._resting[0][0] <= now:
            self._free.append(self._resting.pop(0)[1])

    def _now(self) -> float:
        if self._clock is None:
            self._clock = LoopClock()
        return self._clock.now()

    def _exhausted(self) -> RtpError:
        return RtpError(
            f"No free media port in {self._range}: {len(self._taken)} are in calls, "
            f"{len(self._resting)} rest after one, other programs have the others.",
            field="rtp_port",
            fix="Widen the range rtp_port: every call takes one even port.",
            retryable=True,
        )


def _bind(host: str, port: int) -> socket.socket | None:
    """A bound socket, or None if the port is in use."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_DGRAM)
    try:
        bound.setblocking(False)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        if family == socket.AF_INET:
            bound.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, _EXPEDITED_FORWARDING)
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            return None
        raise RtpError(
            f"Media cannot be received on {host}: {error.strerror or error}.",
            field="listen_ip",
            fix="Use an address of this machine, or 0.0.0.0 for all.",
        ) from error
    return bound
