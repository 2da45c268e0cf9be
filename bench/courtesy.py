"""Is everybody heard: the caller's first words, the agent's greeting and its goodbye, whole?

The caller speaks with the answer, and how much loud sound reaches the agent's recogniser is compared with
what was sent. Greeting and goodbye are tones of known length: what the phone hears of them is
measured. Part of ``bench/conversation.py``.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.floor import sounds
from bench.timed_line import Spoken, TimedLine
from telephony.audio.frame import FRAME_S, FRAME_SAMPLES
from telephony.audio.level import dbfs
from telephony.audio.wav import read_wav
from telephony.caller.script_file import parse_script
from telephony.speech.marks import loud_seconds

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from bench.figures import Report
    from bench.timed_line import Made
    from telephony.audio.frame import Samples

SPOKEN_S = 1.5
SPEECH: dict[str, Any] = {
    "stt": {"provider": "timed", "stt_final_ms": 200},
    "llm": {"provider": "timed", "llm_ms": 50},
    "tts": {"provider": "timed", "tts_ms": 50, "duration_s": SPOKEN_S},
    "vad": {"provider": "bundled"},
}
LOUD_DBFS = -45.0
"""As the timed recogniser counts."""
WORDS = "Hello, I would like an appointment."
FIRST_WORDS = (
    f"name: first-words\nsteps:\n  - say: {{text: '{WORDS}', when: after_ms, after_ms: 0}}\n"
    "  - wait: 2.0\n  - hang_up\n"
)
WHOLE = (
    f"name: whole\nsteps:\n  - say: {{text: '{WORDS}', when: after_ms, after_ms: 3500}}\n  - expect_hang_up\n"
)
"""The line's calls last ten seconds, after which the agent says goodbye."""
LIMIT_S = 10
_WINDOW_S = 0.005
_PAUSE_S = 0.3
_SETTLED_S = 3.0
_MISSED_S = 0.1
"""Half of a first syllable; a busy caller's own packets are late now and then."""


@dataclass
class Courtesy:
    """In how many calls each was whole."""

    calls: int
    captured: int = 0
    greeted: int = 0
    parted: int = 0
    late_ms: list[float] = field(default_factory=list)
    """Of each caller's own packets, the 99th percentile."""
    notes: list[str] = field(default_factory=list)


async def courtesy(options: Any, report: Report, folder: Path) -> None:
    """Add how many calls out of how many had each."""
    found = await count_courtesies(folder, options.courtesies, options.at_once)
    for name, number in (
        ("first words captured", found.captured),
        ("greeting from its first sound", found.greeted),
        ("goodbye to its last sound", found.parted),
    ):
        report.figure(f"calls with the {name}", "", [float(number)], target=found.calls, at_least=True)
    report.figure("the callers' own packets late, 99th percentile of each call", "ms", found.late_ms)
    report.notes += found.notes


async def count_courtesies(folder: Path, calls: int, at_once: int) -> Courtesy:
    """Make so many calls of both kinds on a line of their own.

    Args:
        folder: for everything that is written.
        at_once: of each kind. Five of each are more than two cores begin in time: the callers' own
            packets are then late by a quarter of a second, and lost in the jitter buffer.
    """
    first, whole = parse_script(FIRST_WORDS), parse_script(WHOLE)
    voice = await Spoken.prepare([first])
    line = TimedLine(folder, "direct", speech=SPEECH, agent={"max_call_duration": f"{LIMIT_S}s"})
    await line.start()
    found = Courtesy(calls)
    try:
        await asyncio.sleep(_SETTLED_S)
        for begin in range(0, calls, at_once):
            numbers = range(begin, min(calls, begin + at_once))
            folders = [folder / f"whole-{number}" for number in numbers]
            made, short = await asyncio.gather(
                asyncio.gather(
                    *(line.call(whole, voice, at, own) for at, own in zip(numbers, folders, strict=True))
                ),
                asyncio.gather(*(line.call(first, voice, calls + number) for number in numbers)),
            )
            found.late_ms += [
                one.report.pacing.p99_ms for one in (*made, *short) if one.report.pacing is not None
            ]
            for one, own in zip(made, folders, strict=True):
                _judge(found, one, own)
        wanted_s = loud_s(voice.lines[WORDS])
        heard_s = loud_seconds(line.marks)
        # The others say the same words later; with both kinds whole, so are those that were said at once.
        found.captured = max(0, sum(each >= wanted_s - _MISSED_S for each in heard_s) - calls)
        if found.captured < calls:
            told = ", ".join(f"{each:.2f}" for each in heard_s)
            found.notes.append(f"of {wanted_s:.2f} s of loud sound the agent heard {told}")
    finally:
        await line.line.stop()
    return found


def _judge(found: Courtesy, made: Made, folder: Path) -> None:
    greeting, goodbye = _first_and_last_s(folder)
    found.greeted += is_whole(greeting)
    found.parted += is_whole(goodbye) and made.report.ended_by == "agent"
    if not (is_whole(greeting) and is_whole(goodbye)):
        found.notes.append(f"greeting {greeting:.3f} s, goodbye {goodbye:.3f} s: {_said_of(made)}")


def loud_s(samples: Samples) -> float:
    """How much of a line is loud, by frames of 20 ms, in s."""
    frames = samples[: samples.size // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
    return FRAME_S * sum(dbfs(frame) >= LOUD_DBFS for frame in frames)


def is_whole(heard_s: float) -> bool:
    """Whether a tone of ``SPOKEN_S`` was heard to within 10 ms: half a frame at its edges is silence."""
    return abs(heard_s - SPOKEN_S) <= 0.01


def utterances_s(loud: NDArray[np.bool_]) -> list[float]:
    """The lengths of what is loud without a pause of ``_PAUSE_S``, counting loud windows alone."""
    at = np.flatnonzero(loud)
    if not len(at):
        return []
    parts = np.split(at, np.flatnonzero(np.diff(at) * _WINDOW_S > _PAUSE_S) + 1)
    return [len(part) * _WINDOW_S for part in parts]


def _first_and_last_s(folder: Path) -> tuple[float, float]:
    files = list(folder.rglob("*.wav"))
    if not files:
        return 0.0, 0.0
    (_, agent), _ = read_wav(files[0])
    lengths = utterances_s(sounds(agent))
    return (lengths[0], lengths[-1]) if len(lengths) > 1 else (0.0, 0.0)


def _said_of(made: Made) -> str:
    return made.report.cause or "; ".join(problem.text for problem in made.report.problems) or "as scripted"
