"""How well a call is heard: loss, jitter, gaps, and the E-model's estimate, of what comes from the phone.

Pure. What the phone hears of us is what it says itself by RTCP, and not known where it says nothing. As
attributes of the participant (``trunkline.quality.*``, texts), as fields of ``call.ended``, and for the
metrics.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from telephony.calls.quality import mos_of, r_factor

if TYPE_CHECKING:
    from telephony.rtp.gaps import Gaps
    from telephony.rtp.reception import RtpStats
    from telephony.rtp.reports import FarEnd

_PREFIX = "trunkline.quality."
FEWEST_PACKETS = 50
"""Packets before anything is estimated: one second."""


@dataclass(frozen=True, slots=True)
class Quality:
    """One call so far.

    Args:
        loss_percent: packets that never came or came too late, 0 to 100.
        r_factor, mos: None where too little came to say.
        gaps: moments of more than 60 ms without audio.
        one_way: nothing came, though we sent for a second.
        far: how the phone hears us, as it says; None where it says nothing.
    """

    loss_percent: float
    jitter_ms: float
    r_factor: float | None
    mos: float | None
    gaps: int
    longest_gap_ms: float
    one_way: bool
    far: FarEnd | None = None

    def attributes(self) -> dict[str, str]:
        """For the participant."""
        told = {
            "loss_percent": f"{self.loss_percent:.1f}",
            "jitter_ms": f"{self.jitter_ms:.0f}",
            "gaps": str(self.gaps),
            "longest_gap_ms": f"{self.longest_gap_ms:.0f}",
            "one_way": "true" if self.one_way else "",
        }
        if self.mos is not None and self.r_factor is not None:
            told |= {"mos": f"{self.mos:.1f}", "r_factor": f"{self.r_factor:.0f}"}
        if self.far is not None:
            told["far_loss_percent"] = f"{self.far.loss_percent:.1f}"
            told["far_jitter_ms"] = f"{self.far.jitter_ms:.0f}"
            if self.far.round_trip_ms is not None:
                told["round_trip_ms"] = f"{self.far.round_trip_ms:.0f}"
        return {_PREFIX + name: value for name, value in told.items() if value}

    def fields(self) -> dict[str, Any]:
        """For event and log, beside the counters."""
        return {
            "loss_percent": self.loss_percent,
            "r_factor": self.r_factor,
            "mos": self.mos,
            "gaps": self.gaps,
            "longest_gap_ms": self.longest_gap_ms,
            "one_way": self.one_way,
            **self._far_fields(),
        }

    def _far_fields(self) -> dict[str, Any]:
        if self.far is None:
            return {}
        told = {"far_loss_percent": self.far.loss_percent, "far_jitter_ms": self.far.jitter_ms}
        return told if self.far.round_trip_ms is None else {**told, "round_trip_ms": self.far.round_trip_ms}


def assess(stats: RtpStats, gaps: Gaps, packets_sent: int) -> Quality:
    """Judge what has come so far."""
    expected = stats.received + stats.lost
    loss = round(100.0 * min(1.0, (stats.lost + stats.late) / expected), 2) if expected else 0.0
    r = (
        r_factor(loss, stats.jitter_ms, buffer_ms=stats.delay_ms, concealed=True)
        if stats.received >= FEWEST_PACKETS
        else None
    )
    return Quality(
        loss_percent=loss,
        jitter_ms=round(stats.jitter_ms, 2),
        r_factor=None if r is None else round(r, 1),
        mos=None if r is None else mos_of(r),
        gaps=gaps.count,
        longest_gap_ms=round(1000 * gaps.longest_s, 1),
        one_way=not stats.received and packets_sent >= FEWEST_PACKETS,
        far=stats.far,
    )
