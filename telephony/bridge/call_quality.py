"""How well the phone of one call is heard, from its first packet to its last: for room, record and log."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from telephony.bridge.quality import assess
from telephony.rtp.gaps import Gaps

if TYPE_CHECKING:
    from telephony.bridge.room import CallerInRoom
    from telephony.rtp.session import RtpSession

QUALITY_INTERVAL_S = 10.0
"""How often the room is told."""


class CallQuality:
    """One call's; says nothing before ``follow``."""

    def __init__(self) -> None:
        self._rtp: RtpSession | None = None
        self._gaps = Gaps()

    def follow(self, rtp: RtpSession) -> None:
        """Watch the phone's packets."""
        self._rtp = rtp
        rtp.on_packet = self._gaps.arrived

    def pause(self) -> None:
        """What is silent from now on is so on purpose."""
        self._gaps.pause()

    def statistics(self) -> dict[str, Any]:
        """The phone's packets, for event and log."""
        rtp = self._rtp
        if rtp is None:
            return {"packets": 0, "lost": 0, "jitter_ms": 0.0}
        stats = rtp.stats
        return {
            "packets": stats.received,
            "packets_sent": rtp.packets_sent,
            "packets_ignored": rtp.packets_ignored,
            "lost": stats.lost,
            "late": stats.late,
            "reordered": stats.reordered,
            "duplicates": stats.duplicates,
            "concealed": stats.concealed,
            "jitter_ms": round(stats.jitter_ms, 2),
            "delay_ms": round(stats.delay_ms, 1),
            **assess(stats, self._gaps, rtp.packets_sent).fields(),
        }

    def attributes(self) -> dict[str, str]:
        """For the phone's participant."""
        rtp = self._rtp
        return {} if rtp is None else assess(rtp.stats, self._gaps, rtp.packets_sent).attributes()

    async def tell(self, caller: CallerInRoom) -> None:
        """Say in the room how well the phone is heard, as that changes; till it is cancelled."""
        told: dict[str, str] = {}
        while True:
            await asyncio.sleep(QUALITY_INTERVAL_S)
            now = self.attributes()
            if now != told:
                await caller.set_attributes(now)
                told = now
