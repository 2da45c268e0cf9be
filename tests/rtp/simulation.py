"""A sender, a network and a ticking receiver on one simulated time line, all from one seed.

Every packet's audio is its own number, so that what is played tells which packet it came from and, by
the time that one was sent, how late it is heard.
"""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from telephony.audio.conceal import Concealer
from telephony.audio.frame import FRAME_S, FRAME_SAMPLES, Samples
from telephony.audio.g711 import Codec
from telephony.rtp.packet import RtpPacket

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.rtp.jitter import JitterBuffer

LOUD = 1000
"""Numbers are played from here on, so that none of them passes for silence."""

NUMBERS = 30_000


def _decode(payload: bytes) -> Samples:
    number = int.from_bytes(payload[:3], "big")
    level = LOUD + number % NUMBERS if payload[3] else 0
    return np.full(len(payload), level, np.int16)


NUMBERED = Codec("PCMU", 0, lambda samples: samples.tobytes(), _decode)
"""Decodes a payload to its number, or to silence."""


def numbered_payload(number: int, *, loud: bool = True, samples: int = FRAME_SAMPLES) -> bytes:
    """A payload for ``NUMBERED``."""
    return (number.to_bytes(3, "big") + bytes([loud])).ljust(samples, b"\0")


@dataclass
class Network:
    """What happens to packets; times in seconds.

    Attributes:
        delay: transit time of the packet sent at a time.
        loss: probability of a packet to be lost.
        duplication: probability of a packet to come twice.
        drift_ppm: how much faster the sender's clock runs than ours.
        speech: whether the sender talks at a time; when it does not, it sends silence.
        sends: whether the sender sends at all at a time.
        tick_lateness: how late our tick is.
    """

    delay: Callable[[random.Random, float], float] = lambda rng, at: 0.03
    loss: float = 0.0
    duplication: float = 0.0
    drift_ppm: float = 0.0
    speech: Callable[[float], bool] = lambda at: at % 5.0 < 3.5
    sends: Callable[[float], bool] = lambda at: True
    tick_lateness: Callable[[random.Random, float], float] = lambda rng, at: rng.expovariate(1 / 0.0007)


@dataclass
class Outcome:
    """What was heard.

    Attributes:
        delays: (time, seconds from sending to playing) of every loud frame, transit included.
        heard: the numbers that were played, in order.
        empty: how many ticks gave nothing.
        concealed: how many of them were filled.
        longest_gap: most ticks in a row that gave nothing.
        sent: packets sent.
        most_buffered: samples.
    """

    delays: list[tuple[float, float]] = field(default_factory=list)
    heard: list[int] = field(default_factory=list)
    empty: int = 0
    concealed: int = 0
    longest_gap: int = 0
    sent: int = 0
    most_buffered: int = 0

    def delays_between(self, start_s: float, end_s: float) -> list[float]:
        """Delays in seconds of what was played in that time, sorted."""
        return sorted(delay for at, delay in self.delays if start_s <= at < end_s)


def simulate(buffer: JitterBuffer, network: Network, duration_s: float, *, seed: int = 1) -> Outcome:
    """Run a call of ``duration_s`` seconds through ``buffer``, which must decode by ``NUMBERED``."""
    rng = random.Random(seed)
    events: list[tuple[float, int, RtpPacket | None]] = []
    interval = FRAME_S / (1 + network.drift_ppm * 1e-6)
    outcome = Outcome()
    sent_at: dict[int, float] = {}
    first_timestamp = rng.getrandbits(32)
    for number in range(int(duration_s / interval)):
        at = number * interval
        sent_at[number] = at
        if not network.sends(at):
            continue
        outcome.sent += 1
        payload = numbered_payload(number, loud=network.speech(at))
        timestamp = (first_timestamp + number * FRAME_SAMPLES) & 0xFFFFFFFF
        packet = RtpPacket(0, number & 0xFFFF, timestamp, 7, False, payload)
        copies = 0 if rng.random() < network.loss else 1 + (rng.random() < network.duplication)
        for _ in range(copies):
            heapq.heappush(events, (at + network.delay(rng, at), len(events), packet))
    for tick in range(int(duration_s / FRAME_S)):
        at = tick * FRAME_S + 0.0123
        heapq.heappush(events, (at + network.tick_lateness(rng, at), len(events), None))
    _play(buffer, events, sent_at, outcome)
    return outcome


def _play(
    buffer: JitterBuffer,
    events: list[tuple[float, int, RtpPacket | None]],
    sent_at: dict[int, float],
    outcome: Outcome,
) -> None:
    gap = 0
    concealer = Concealer()
    while events:
        at, _, packet = heapq.heappop(events)
        if packet is not None:
            buffer.put(packet, at)
            outcome.most_buffered = max(outcome.most_buffered, buffer.buffered)
            continue
        frame = buffer.pull(at)
        if frame is not None:
            concealer.play(frame)
        elif concealer.conceal() is not None:
            outcome.concealed += 1
        gap = gap + 1 if frame is None else 0
        outcome.empty += frame is None
        outcome.longest_gap = max(outcome.longest_gap, gap)
        if frame is not None and frame[-1] >= LOUD:
            number = int(frame[-1]) - LOUD
            # Numbers come round every ten minutes; which round it is, the time tells.
            number += round((at / FRAME_S - number) / NUMBERS) * NUMBERS
            outcome.heard.append(number)
            outcome.delays.append((at, at - sent_at[number]))
