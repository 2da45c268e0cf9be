"""Whose packets count, and where to send: symmetric RTP (RFC 4961) with a latch against intruders.

The first packet's source is latched. After that another port of the same IP address is followed (a NAT
chose a new one), another IP address only after a second of silence, and the address that the peer
signalled always: whoever sent first by chance or on purpose cannot keep the call. Pure.
"""

from __future__ import annotations

Address = tuple[str, int]

RELATCH_S = 1.0
"""Silence after which any source may take over."""


class SourceLatch:
    """Which source one call listens to.

    Args:
        symmetric: send to the latched source; otherwise always to the signalled address.
    """

    def __init__(self, *, symmetric: bool = True) -> None:
        self.remote: Address | None = None
        self._symmetric = symmetric
        self._signalled: Address | None = None
        self._source: Address | None = None
        self._heard_at = 0.0

    def signal(self, address: Address | None) -> None:
        """The peer's session description names ``address``, or none: send there, and latch anew."""
        self.remote = self._signalled = address
        self._source = None

    def accept(self, source: Address, now_s: float) -> bool:
        """Judge a well-formed packet; True if it counts, and ``remote`` follows it."""
        if source != self._source and not self._may_take_over(source, now_s):
            return False
        self._heard_at = now_s
        self._source = source
        if self._symmetric:
            self.remote = source
        return True

    def _may_take_over(self, source: Address, now_s: float) -> bool:
        if self._source is None or source[0] == self._source[0]:
            return True
        if self._signalled is not None and source[0] == self._signalled[0]:
            return True
        return now_s - self._heard_at >= RELATCH_S
