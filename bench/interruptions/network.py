"""What a bridge hears of a caller: G.711 over a network, through the line's own jitter buffer. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from telephony.audio.conceal import Concealer
from telephony.audio.frame import FRAME_S, FRAME_SAMPLES, Samples, silence, to_int16
from telephony.audio.g711 import PCMU
from telephony.caller.impairment import Impairment
from telephony.caller.script import ImpairmentSettings
from telephony.rtp.jitter import JitterBuffer
from telephony.rtp.packet import RtpPacket

NETWORKS: dict[str, ImpairmentSettings] = {
    "clean": ImpairmentSettings(),
    "2 % loss": ImpairmentSettings(loss=0.02),
    "jitter": ImpairmentSettings(jitter_ms=40.0),
}

LINE_NOISE_DBFS = -62.0
_NETWORK_S = 0.01


@dataclass(frozen=True, slots=True)
class Heard:
    """The frames of 20 ms as a session gets them, the first when the caller's first was sent."""

    frames: list[Samples]
    lost: int


def through(samples: Samples, network: str, seed: int) -> Heard:
    """Send samples over a network.

    Args:
        samples: 8 kHz, shape (160 * k,); the line's noise is added.
        network: of ``NETWORKS``.
    """
    rng = np.random.default_rng(seed)
    noise = rng.normal(0.0, 32768 * 10 ** (LINE_NOISE_DBFS / 20), samples.size)
    sent = PCMU.encode(to_int16(samples + noise))
    line = Impairment(NETWORKS[network], seed=seed)
    arrivals: list[tuple[float, RtpPacket]] = []
    count = samples.size // FRAME_SAMPLES
    for number in range(count):
        at = FRAME_SAMPLES * number
        packet = RtpPacket(PCMU.payload_type, number & 0xFFFF, at, 1, False, sent[at : at + FRAME_SAMPLES])
        # A frame is sent when its last sample was spoken.
        arrivals += [(when + _NETWORK_S, packet) for when in line.deliveries((number + 1) * FRAME_S)]
    arrivals.sort(key=lambda each: each[0])
    buffer, concealer = JitterBuffer(PCMU, adaptive=True), Concealer()
    frames: list[Samples] = []
    for tick in range(count):
        now = (tick + 0.5) * FRAME_S
        while arrivals and arrivals[0][0] <= now:
            when, packet = arrivals.pop(0)
            buffer.put(packet, when)
        frame = buffer.pull(now)
        played = concealer.play(frame) if frame is not None else concealer.conceal()
        frames.append(silence() if played is None else played)
    return Heard(frames, line.lost)
