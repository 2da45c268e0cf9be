"""What noise on a line does to who hears that somebody speaks: without the energy gate and with it.

Both detectors, at the settings that a line has by default, on noise of six kinds, other people's talk among
them, at 20 and 10 dB below the speech: how much of noise alone is taken for a voice, how many short
utterances in it are not heard, and how late the others are. Noise is computed, utterances are spoken by
espeak-ng and hibari; seeded.

    .venv/bin/python bench/noisy_lines.py              # about three minutes
    .venv/bin/python bench/noisy_lines.py --quick      # the bundled detector, traffic and talk
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
from livekit import rtc
from livekit.agents import vad

from bench.figures import Report, arguments
from bench.interruptions.sounds import sound
from bench.interruptions.voices import speak
from telephony import logs
from telephony.agent.watched_vad import WatchedVad
from telephony.audio.frame import FRAME_SAMPLES, RATE, to_int16
from telephony.audio.g711 import PCMU
from telephony.speech.providers import build_vad
from telephony.speech.settings import BundledVadSettings, SileroVadSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from telephony.audio.frame import Samples
    from telephony.speech.settings import VadSettings

GATES_DB = (None, 6.0, 10.0)
SPEECH_DBFS = -20.0
LINE_DBFS = -62.0
KINDS = ("white", "traffic", "hiss", "hum", "crackle", "babble")
UTTERANCES = (
    ("hibari:1.0", "Yes."),
    ("espeak:en-us", "On Tuesday, please."),
    ("hibari:0.84", "Stop."),
    ("espeak:ru", "Подождите."),
    ("hibari:1.0", "I want to cancel it."),
    ("espeak:ru+f2", "Да, верно."),
)
NOISE_S = 24.0
_EVERY_S = 3.0
_PEOPLE = ("espeak:en-us+m3", "espeak:en-gb+f2", "espeak:en-us", "hibari:0.84")
_TALK = ("and then we went to the market", "it was raining all day long", "she has told me about it already")
_SOON_S = 0.4
_DETECTORS: dict[str, VadSettings] = {
    "bundled": BundledVadSettings(),
    "silero": SileroVadSettings(provider="silero"),
}


@dataclass(slots=True)
class Told:
    """What one detector told of some lines."""

    windows: int = 0
    voiced: int = 0
    spoken: int = 0
    missed: int = 0
    late_ms: list[float] = field(default_factory=list)


def noise(kind: str, seconds: float, dbfs: float, seed: int) -> Samples:
    """A noise that goes on, at 8 kHz."""
    rng, length = np.random.default_rng(seed), round(seconds * RATE)
    if kind == "white":
        wave = rng.normal(0.0, 1.0, length)
    elif kind == "babble":
        wave = np.sum(
            [np.resize(np.roll(_talk(voice), int(rng.integers(RATE))), length) for voice in _PEOPLE], 0
        )
    else:
        wave, at = np.zeros(length), 0
        while at < length:
            # One begins while the one before it fades.
            burst = sound(kind, int(rng.integers(2**31))).astype(np.float64)[: length - at]
            wave[at : at + burst.size] += burst
            at += max(FRAME_SAMPLES, burst.size // 2)
    wave *= 32768 * 10 ** (dbfs / 20) / float(np.sqrt(np.mean(np.square(wave))))
    return to_int16(wave)


def _talk(voice: str) -> NDArray[np.float64]:
    """A person in the background, who never stops."""
    return np.concatenate([speak(voice, text).astype(np.float64) for text in _TALK])


def _line(samples: Samples, seed: int) -> Samples:
    """Through G.711, with a quiet line's own noise and a second of nothing else before it."""
    whole = np.concatenate([np.zeros(RATE), samples, np.zeros(-samples.size % FRAME_SAMPLES)])
    own = np.random.default_rng(seed).normal(0.0, 32768 * 10 ** (LINE_DBFS / 20), whole.size)
    return PCMU.decode(PCMU.encode(to_int16(whole + own)))


async def heard_in(
    detector: vad.VAD, samples: Samples, gate_db: float | None
) -> tuple[list[float], list[bool]]:
    """When the detector takes somebody to begin to speak, in s, and for each window whether somebody does."""
    watched = WatchedVad(detector, lambda _: None, lambda *_: None, gate_db)
    stream = watched.stream()

    async def listen() -> tuple[list[float], list[bool]]:
        starts, windows = [], []
        async for event in stream:
            if event.type == vad.VADEventType.START_OF_SPEECH:
                starts.append(event.timestamp)
            elif event.type == vad.VADEventType.INFERENCE_DONE:
                windows.append(event.speaking)
        return starts, windows

    listening = asyncio.create_task(listen())
    for at in range(0, samples.size, FRAME_SAMPLES):
        frame = samples[at : at + FRAME_SAMPLES]
        stream.push_frame(rtc.AudioFrame(frame.tobytes(), RATE, 1, frame.size))
        await asyncio.sleep(0)
    stream.end_input()
    found = await listening
    await stream.aclose()
    return found


async def measure(
    settings: VadSettings, snr_db: float, gate_db: float | None, kinds: Sequence[str], seconds: float
) -> Told:
    """One detector on every kind of noise, alone and under utterances."""
    told, detector = Told(), build_vad(settings)
    for seed, kind in enumerate(kinds):
        alone = noise(kind, seconds, SPEECH_DBFS - snr_db, seed)
        _, windows = await heard_in(detector, _line(alone, seed), gate_db)
        told.windows += len(windows)
        told.voiced += sum(windows)
        under = alone.astype(np.float64)
        said: list[tuple[float, float]] = []
        for number, (voice, text) in enumerate(UTTERANCES):
            samples, at = speak(voice, text), round((1.0 + number * _EVERY_S) * RATE)
            if at + samples.size > under.size:
                break
            under[at : at + samples.size] += samples
            said.append((1.0 + at / RATE, 1.0 + (at + samples.size) / RATE))
        heard, _ = await heard_in(detector, _line(to_int16(under), seed), gate_db)
        for begins, ends in said:
            hits = [each for each in heard if begins <= each <= ends + _SOON_S]
            told.spoken += 1
            told.missed += not hits
            told.late_ms += [1000 * (hits[0] - begins)] if hits else []
    return told


async def run(options: Any) -> Report:
    """Every detector, noise and gate."""
    report = Report("Who hears a voice on a noisy line")
    detectors = {"bundled": _DETECTORS["bundled"]} if options.quick else _DETECTORS
    kinds, seconds = (KINDS[1::4], NOISE_S / 3) if options.quick else (KINDS, NOISE_S)
    for name, settings in detectors.items():
        for snr_db in (20.0, 10.0):
            for gate_db in GATES_DB:
                told = await measure(settings, snr_db, gate_db, kinds, seconds)
                title = f"{name}, {snr_db:g} dB, {'no gate' if gate_db is None else f'gate {gate_db:g} dB'}"
                taken = 100 * told.voiced / max(1, told.windows)
                report.figure(f"{title}: of noise taken for a voice", "%", [taken])
                share = 100 * told.missed / max(1, told.spoken)
                report.figure(f"{title}: of {told.spoken} utterances not heard", "%", [share])
                report.figure(f"{title}: heard after", "ms", told.late_ms)
    return report


def main() -> int:
    """Run the measurement and print its table."""
    options = arguments(__doc__ or "").parse_args()
    logs.configure("ERROR")
    return asyncio.run(run(options)).show(as_json=options.as_json)


if __name__ == "__main__":
    sys.exit(main())
