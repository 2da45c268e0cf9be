"""How good the audio of a call was, from what the bridge counted.

Pure. The estimate is the E-model of ITU-T G.107 reduced as Cole and Rosenbluth did for voice over IP:
R from one-way delay and packet loss, then the mean opinion score from R.
"""

from __future__ import annotations

from typing import Any

_BASE_R = 93.2
_PACKET_MS = 20.0
_JITTER_BUFFER_MS = 60.0
# G.711 (ITU-T G.113 appendix I): equipment impairment 0, robustness against loss 4.3 without and 25.1 with
# concealment. Where nobody says, the former: the estimate is not to flatter.
_ROBUSTNESS = {False: 4.3, True: 25.1}


def r_factor(
    loss_percent: float, jitter_ms: float, *, buffer_ms: float | None = None, concealed: bool = False
) -> float:
    """The E-model's rating, 0 to 93.2, of such a stream of G.711.

    Args:
        loss_percent: packets that never arrived or came too late to be played, 0 to 100.
        jitter_ms: interarrival jitter (RFC 3550 section 6.4.1).
        buffer_ms: how long the jitter buffer keeps audio, where it is known.
        concealed: whether what is missing is filled from what was before it.
    """
    waits = _JITTER_BUFFER_MS + 2 * jitter_ms if buffer_ms is None else buffer_ms
    delay_ms = _PACKET_MS + waits
    late = 0.11 * (delay_ms - 177.3) if delay_ms > 177.3 else 0.0
    lossy = 95.0 * loss_percent / (loss_percent + _ROBUSTNESS[concealed]) if loss_percent > 0 else 0.0
    return min(100.0, max(0.0, _BASE_R - 0.024 * delay_ms - late - lossy))


def mos_of(r: float) -> float:
    """The mean opinion score, 1 to 4.4, that a rating stands for."""
    return round(max(1.0, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6), 2)


def mos(loss_percent: float, jitter_ms: float) -> float:
    """The mean opinion score of a stream of which only this is known; arguments as of ``r_factor``."""
    return mos_of(r_factor(loss_percent, jitter_ms))


def with_estimates(quality: dict[str, Any]) -> dict[str, Any]:
    """The bridge's counters with ``loss_percent`` and ``mos`` added where they can be computed."""
    received, lost = quality.get("packets_received"), quality.get("packets_lost", 0)
    late = quality.get("packets_late", 0)
    if not received:
        return quality
    loss = round(100.0 * min(1.0, (lost + late) / (received + lost)), 2)
    return {"loss_percent": loss, "mos": mos(loss, float(quality.get("jitter_ms", 0.0))), **quality}
