"""The figures of a call, from what was sent and what was heard.

Pure. Times are seconds on the caller's clock, results are milliseconds. Speech of the caller is known
exactly, since its lines were made beforehand; speech of the agent is found by ``telephony.caller.activity``.
The end of a line is the time its last packet with speech left, the start of a reply the arrival of its first
packet with speech: what a person would feel, endpointing and all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from telephony.caller.activity import Speech
    from telephony.caller.track import HeardPacket

GAP_S = 0.06
"""Packets are 20 ms apart; a jitter buffer of 60 ms hides anything shorter."""
_HOLE_S = 0.02
_SILENCE_PEAK = 16
"""The two smallest steps of G.711 around zero: below this nothing was said, not even quietly."""
_EDGE_S = 0.005
_AROUND_S = 0.04
_EDGE_DBFS = -45.0
_FADED_DB = 10.0
"""Speech dies away before a pause; a hole is cut out of it: right beside it is as loud as further away."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A time without something: ``at_s`` is where it begins."""

    at_s: float
    duration_ms: float


@dataclass(frozen=True, slots=True)
class Reception:
    """How complete the received stream was."""

    received: int
    lost: int
    duplicates: int
    reordered: int

    @property
    def loss_share(self) -> float:
        """Lost packets as a share of those sent, 0 to 1."""
        expected = self.received + self.lost
        return self.lost / expected if expected else 0.0


def between_ms(earlier_s: float | None, later_s: float | None) -> float | None:
    """Milliseconds from one moment to another, to a tenth; None when either did not come."""
    return None if earlier_s is None or later_s is None else round((later_s - earlier_s) * 1000, 1)


def first_audio_ms(answered_s: float | None, speeches: Sequence[Speech]) -> float | None:
    """From the 200 OK to the agent's first speech; 0 when it had begun as early media."""
    if answered_s is None or not speeches:
        return None
    return between_ms(answered_s, max(answered_s, speeches[0].start_s))


def reply_to(start_s: float, end_s: float, speeches: Sequence[Speech]) -> Speech | None:
    """The agent's answer to a line spoken from ``start_s`` to ``end_s``.

    The first speech that began after the line had begun and lasted beyond its end: what the line talked over
    is no answer to it, and neither is a short sound under it.
    """
    return next((speech for speech in speeches if speech.start_s > start_s and speech.end_s > end_s), None)


def barge_in_silence_ms(onset_s: float, speeches: Sequence[Speech]) -> float | None:
    """From the first packet of the caller's interruption to the agent's last packet with speech.

    None when the agent was not speaking at that moment. A pause shorter than the one that separates
    utterances counts as speech, so an agent that carries on after drawing breath has not stopped.
    """
    for speech in speeches:
        if speech.start_s <= onset_s <= speech.end_s:
            return between_ms(onset_s, speech.end_s)
    return None


def arrival_gaps(arrivals_s: Sequence[float], *, over_s: float = GAP_S) -> list[Gap]:
    """The times longer than ``over_s`` in which no packet arrived, between the first and the last."""
    return [
        Gap(earlier, round((later - earlier) * 1000, 1))
        for earlier, later in pairwise(sorted(arrivals_s))
        if later - earlier > over_s
    ]


def silent_holes(samples: NDArray[np.int16], *, rate: int = 8000, start_s: float = 0.0) -> list[Gap]:
    """Holes of 20 ms or more cut into speech: digital silence with loud sound right before and right after.

    Args:
        samples: one utterance, shape (n,).
        rate: in Hz.
        start_s: where its first sample lies on the time line.
    """
    quiet = np.abs(samples.astype(np.int32)) < _SILENCE_PEAK
    edges = np.flatnonzero(np.diff(np.concatenate(([False], quiet, [False])).astype(np.int8)))
    holes = []
    for low, high in zip(edges[::2], edges[1::2], strict=True):
        if high - low < _HOLE_S * rate:
            continue
        # Both sides are looked at from the hole outwards.
        if _is_cut(samples[:low][::-1], rate) and _is_cut(samples[high:], rate):
            holes.append(Gap(start_s + float(low) / rate, round(float(high - low) * 1000 / rate, 1)))
    return holes


def _is_cut(outwards: NDArray[np.int16], rate: int) -> bool:
    """Whether sound beside a silence ends or begins abruptly."""
    edge, around = int(_EDGE_S * rate), int(_AROUND_S * rate)
    if outwards.size < edge:
        return False
    level = _level(outwards[:edge])
    return level >= max(_EDGE_DBFS, _level(outwards[:around]) - _FADED_DB)


def reception(packets: Sequence[HeardPacket], duplicates: int = 0) -> Reception:
    """Count what is missing from a received stream, per source (RFC 3550 appendix A.3)."""
    by_source: dict[int, list[int]] = {}
    for packet in packets:
        by_source.setdefault(packet.source, []).append(packet.sequence)
    lost = sum(max(numbers) - min(numbers) + 1 - len(numbers) for numbers in by_source.values())
    reordered = sum(later < earlier for numbers in by_source.values() for earlier, later in pairwise(numbers))
    return Reception(len(packets), max(0, lost), duplicates, reordered)


def estimated_mos(loss_share: float) -> float:
    """Listening quality of G.711 at random packet loss without concealment, 1.0 to 4.4.

    ITU-T G.107 with the defaults (R 93.2) and G.113 (Ie 0, Bpl 4.3): an estimate from loss alone.
    """
    percent = loss_share * 100
    r = 93.2 - 95 * percent / (percent + 4.3)
    return round(max(1.0, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6), 2)


def percentile(values: Sequence[float], share: float) -> float | None:
    """The value that ``share`` (0 to 1) of the values do not exceed; None without values."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]


def _level(samples: NDArray[np.int16]) -> float:
    rms = float(np.sqrt(np.mean(np.square(samples.astype(np.float64))))) if samples.size else 0.0
    return 20 * math.log10(rms / 32768) if rms > 0 else -96.0
