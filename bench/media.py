"""Audio on bad lines: does delay grow, is anything missing that the network did not lose, is it understood?

Calls of five minutes with loss, jitter, disorder and clocks that are off by 200 ppm, alone and together,
on both audio paths, against a whole line as `trunkline up` starts it. What the agent heard is the line's
own recording of the call, what the caller heard the telephone's; both are compared with what was said.
Then the tick that sends packets: how late it is with ten calls up while ten more come at once, and again.

    .venv/bin/python bench/media.py                                  # about 30 minutes
    .venv/bin/python bench/media.py --quick                          # one short call on each path
    .venv/bin/python bench/media.py --paths direct --minutes 1 --lines all
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.figures import Report, arguments
from telephony import logs
from telephony.audio.resample import resample
from telephony.audio.wav import read_wav, write_wav
from telephony.caller.engine import speech_engine
from telephony.caller.run import run_script
from telephony.caller.script import VoiceSettings
from telephony.caller.script_file import parse_script
from telephony.caller.voice import EngineVoice
from telephony.caller.words import words_of
from telephony.line.line import Line, LineOptions
from telephony.line.record import events_of
from tests.e2e.sample import sample_file
from tests.e2e.timed import SPEECH

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from telephony.audio.frame import Samples
    from telephony.caller.events import CallerEvent
    from telephony.caller.report import CallReport
    from telephony.speech.client import SpeechClient


LINES: dict[str, dict[str, float]] = {
    "clean": {},
    "loss 5 %": {"loss": 0.05},
    "jitter 40 ms": {"jitter_ms": 40.0},
    "disorder 5 %": {"reorder": 0.05},
    "+200 ppm": {"drift_ppm": 200.0},
    "-200 ppm": {"drift_ppm": -200.0},
    "all": {"loss": 0.05, "jitter_ms": 40.0, "reorder": 0.02, "drift_ppm": 200.0},
}

SAID = (
    "I would like to book a table for four people on Friday evening.",
    "Please send the confirmation to my office in the morning.",
    "Could you please repeat the address of the restaurant?",
    "We will arrive by train at half past six.",
)
ANSWER = "Thank you, your table is reserved by the window."

TURN_S = 8.5
RATE = 8000
STEP = RATE // 100
STEP_MS = 10.0
"""How exactly a line is found again."""
GAP_MS = 60
FORGIVEN_MS = 40.0
"""A telephone that is late by less is within what the line must bear."""
GROWTH_MS = 20.0
"""Delay is moved in frames of 20 ms; one more is no growth."""
LATE_MS = 5.0


@dataclass
class Made:
    """One call of a bad line, with the wall time of its INVITE and what was kept of it."""

    line: str
    report: CallReport
    invited_at: float
    folder: Path


@dataclass
class Spoken:
    """One line and where it came out on the other side."""

    text: str
    said_at: float
    delay_ms: float
    gaps: list[tuple[float, float]]
    """Where in the line, in s, and how long, in ms."""
    heard: Samples


async def _lines(options: Any, report: Report) -> None:
    for path in options.paths:
        with tempfile.TemporaryDirectory(prefix="trunkline-bench-") as name:
            await _on_path(Path(name), path, options, report)


async def _on_path(folder: Path, path: str, options: Any, report: Report) -> None:
    async with speech_engine(None) as speech:
        voice = EngineVoice(speech, VoiceSettings())
        answer = await voice.speak(ANSWER)
        write_wav(folder / "answer.wav", [answer], RATE)
        said = {text: await voice.speak(text) for text in SAID}
    line = Line(LineOptions(_config(folder, path), folder / "line", sip_port=0, api_port=None))
    info = await line.start()
    try:
        await asyncio.sleep(3)
        made: list[Made] = []
        names = list(options.lines)
        for first in range(0, len(names), options.at_once):
            group = names[first : first + options.at_once]
            made += await asyncio.gather(*(_call(name, folder, info.sip, said, options) for name in group))
            await asyncio.sleep(2)
        async with speech_engine(None) as speech:
            for one in made:
                await _judge(one, path, line, said, answer, speech, report)
    finally:
        await line.stop()


def _config(folder: Path, path: str) -> Path:
    voice = {"provider": "timed", "tts_ms": 50, "sound": "clip", "clip": str(folder / "answer.wav")}
    return sample_file(
        folder / "livekit-sip.yaml",
        warm=None,
        agent={"max_calls": 50, "audio_path": path},
        speech={**SPEECH, "tts": voice},
        recording={"enabled": True, "format": "ogg"},
    )


class _Fixed:
    """A voice whose lines are there already."""

    def __init__(self, said: dict[str, Samples]) -> None:
        self._said = said

    async def speak(self, text: str) -> Samples:
        return self._said[text]


async def _call(name: str, folder: Path, to: str, said: dict[str, Samples], options: Any) -> Made:
    turns = max(3, round(60 * options.minutes / TURN_S))
    steps = [
        {"say": {"text": SAID[number % len(SAID)], "when": "after_agent", "after_ms": 900}}
        for number in range(turns)
    ]
    number = list(LINES).index(name)
    settings = {
        "max_duration_s": 90.0 * options.minutes + 60,
        "from_user": f"+1555010{3000 + number}",
        "seed": 7 + number,
        "impairment": LINES[name],
    }
    content = {"name": name, "settings": settings, "steps": [*steps, {"wait": 4.0}, "hang_up"]}
    script = parse_script(json.dumps(content))
    invited: list[float] = []

    def watch(event: CallerEvent) -> None:
        # Not the first event of all: times count from the INVITE, which leaves a little after that.
        if event.kind == "answered":
            invited.append(time.time() - event.at_s)

    own = folder / f"call-{number}"
    # Nothing is recognised while calls are up: that is work for the processors of others.
    made = await run_script(script, to, voice=_Fixed(said), report_dir=own, on_event=watch)
    return Made(name, made, invited[0] if invited else 0.0, own)


# What came out


async def _judge(
    made: Made,
    path: str,
    line: Line,
    said: dict[str, Samples],
    answer: Samples,
    speech: SpeechClient,
    report: Report,
) -> None:
    name = f"{path}, {made.line}"
    if not made.report.ok:
        report.notes.append(f"{name}: the call did not go as scripted: {made.report.cause}")
    events = events_of(line.data.events, made.report.sip_call_id)
    ready = next((event for event in events if event.type == "recording.ready"), None)
    report.figure(f"{name}: recorded", "files", [float(ready is not None)], target=1, at_least=True)
    if ready is None:
        return
    caller, agent = _decoded(Path(ready.data["path"]))
    began_at = _wall(ready.data["started_at"]) - made.invited_at
    up = [
        spoken
        for turn in made.report.turns
        if turn.action == "say" and turn.said_start_s is not None
        if (spoken := _find(turn.said, said[turn.said], caller, turn.said_start_s, -began_at))
    ]
    _, heard = read_wav(made.folder / "call.wav")[0]
    down = [
        spoken
        for turn in made.report.turns
        if turn.heard_start_s is not None
        if (spoken := _find_answer(answer, agent, heard, turn.heard_start_s, began_at))
    ]
    said_turns = [turn for turn in made.report.turns if turn.action == "say"]
    report.figure(f"{name}: lines found again", "%", [100 * len(up) / max(1, len(said_turns))], target=95)
    report.figures[-1].at_least = True
    late = [stall for stall in made.report.stalls if stall["ms"] > FORGIVEN_MS]
    report.figure(f"{name}: the telephone itself was late", "times", [float(len(late))])
    for way, found in (("to the agent", up), ("to the caller", down)):
        _figures(f"{name}, {way}", found, late, report)
        report.figure(
            f"{name}, {way}: words understood",
            "%",
            await _understood(found, speech),
            target=90,
            at_least=True,
        )
    ended = next((event for event in events if event.type == "call.ended" and event.source == "bridge"), None)
    if ended is not None:
        packets = ended.data["packets"] + ended.data["lost"]
        shares = {key: 100 * ended.data[key] / max(1, packets) for key in ("lost", "late", "concealed")}
        report.figure(f"{name}: lost by the network", "%", [shares["lost"]])
        report.figure(f"{name}: too late for the jitter buffer", "%", [shares["late"]])
        # Losses, and the last packets before each pause, which nothing follows.
        report.figure(f"{name}: concealed", "%", [shares["concealed"]], target=shares["lost"] + 2.0)


def _figures(name: str, spoken: list[Spoken], late: list[dict[str, float]], report: Report) -> None:
    delays = [one.delay_ms for one in spoken]
    report.figure(f"{name}: one-way delay", "ms", delays)
    gaps = [(one.said_at + at_s, ms) for one in spoken for at_s, ms in one.gaps]
    # What the telephone did not send in time, nobody can play in time.
    ours = [gap for gap in gaps if not any(_falls_into(gap[0], stall) for stall in late)]
    report.figure(f"{name}: gaps > {GAP_MS} ms in speech", "gaps", [float(len(ours))], target=0)
    if gaps:
        told = ", ".join(f"{ms:.0f} ms at {at_s:.1f} s" for at_s, ms in gaps)
        report.notes.append(f"{name}: gaps {told}; the telephone's own share: {len(gaps) - len(ours)}")
    if len(spoken) < 4:
        return
    end = spoken[-1].said_at
    first = [one.delay_ms for one in spoken if one.said_at <= min(60.0, end / 2)]
    last = [one.delay_ms for one in spoken if one.said_at >= max(end - 60.0, end / 2)]
    # What is less than a millisecond is the clock's, not the call's.
    growth = float(round(statistics.median(last) - statistics.median(first)))
    report.figure(f"{name}: delay, last minute less the first", "ms", [growth], target=GROWTH_MS)


def _falls_into(at_s: float, stall: dict[str, float]) -> bool:
    return stall["at_s"] - stall["ms"] / 1000 - 0.1 <= at_s <= stall["at_s"] + 0.2


def _find(text: str, said: Samples, track: Samples, said_at: float, shift_s: float) -> Spoken | None:
    """Where in a track a line that was said at ``said_at`` comes out; None if it is not there."""
    start = round((said_at + shift_s - 0.2) * RATE)
    window = track[max(0, start) : start + said.size + RATE]
    lag = _lag(_levels(said), _levels(window))
    if lag is None:
        return None
    heard = window[lag * STEP : lag * STEP + said.size]
    delay_ms = 1000 * ((max(0, start) + lag * STEP) / RATE - said_at - shift_s)
    return Spoken(text, said_at, delay_ms, _gaps(said, heard), heard)


def _find_answer(
    answer: Samples, agent: Samples, heard: Samples, at: float, began_at: float
) -> Spoken | None:
    """The agent's answer in the line's recording, and then in what the telephone received."""
    spoken = _find(ANSWER, answer, agent, at - 0.3, -began_at)
    if spoken is None:
        return None
    left_at = at - 0.3 + spoken.delay_ms / 1000
    return _find(ANSWER, answer, heard, left_at, 0.0)


def _levels(samples: Samples) -> NDArray[np.float64]:
    """Level in dBFS each 10 ms, not below -60."""
    frames = samples[: samples.size // STEP * STEP].reshape(-1, STEP).astype(np.float64)
    rms = np.sqrt(np.mean(frames * frames, axis=1)) if frames.size else np.zeros(0)
    levels: NDArray[np.float64] = np.maximum(20 * np.log10(np.maximum(rms, 1.0) / 32768), -60.0)
    return levels


def _lag(said: NDArray[np.float64], window: NDArray[np.float64]) -> int | None:
    """How many steps into the window the line is, by the shape of its loudness."""
    if window.size < said.size:
        return None
    shape = said - said.mean()
    likeness = []
    for lag in range(window.size - said.size + 1):
        part = window[lag : lag + said.size] - window[lag : lag + said.size].mean()
        scale = np.linalg.norm(part) * np.linalg.norm(shape)
        likeness.append(float(part @ shape / scale) if scale else 0.0)
    best = int(np.argmax(likeness))
    return best if likeness[best] > 0.6 else None


def _gaps(said: Samples, heard: Samples) -> list[tuple[float, float]]:
    """Where, in s, something was said and nothing came out for more than 60 ms, and how long, in ms."""
    spoke, came = _levels(said), _levels(heard)
    missing = (spoke[: came.size] > -35) & (came < -52)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], missing.astype(np.int8), [0]))))
    stretches = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    return [
        (start * STEP_MS / 1000, (end - start) * STEP_MS)
        for start, end in stretches
        if (end - start) * STEP_MS > GAP_MS
    ]


async def _understood(spoken: list[Spoken], speech: SpeechClient) -> list[float]:
    """The share of words, in %, that a recogniser finds in each of some eight lines, spread over the call."""
    shares = []
    for one in spoken[:: max(1, len(spoken) // 8)]:
        padded = np.concatenate((np.zeros(RATE // 4, np.int16), one.heard, np.zeros(RATE // 2, np.int16)))
        text = (await speech.transcribe(padded, RATE)).text
        wanted, left = words_of(one.text), words_of(text)
        found = 0
        for word in wanted:
            if word in left:
                left.remove(word)
                found += 1
        shares.append(100 * found / len(wanted))
    return shares


def _decoded(path: Path) -> tuple[Samples, Samples]:
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        parts = [frame.to_ndarray() for frame in container.decode(stream)]
        rate, planar = stream.rate, stream.format.is_planar
    joined = np.concatenate(parts, axis=1)
    left, right = joined if planar else (joined[0][0::2], joined[0][1::2])
    if left.dtype != np.int16:
        left, right = ((side * 32767).astype(np.int16) for side in (left, right))
    return resample(left, rate, RATE), resample(right, rate, RATE)


def _wall(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


# The tick


async def _punctual(options: Any, report: Report) -> None:
    """How late packets are sent while the bridge answers bursts of ten, with ten calls up."""
    talk = {"say": {"text": SAID[0], "when": "after_agent", "after_ms": 900}}
    with tempfile.TemporaryDirectory(prefix="trunkline-bench-") as name:
        folder = Path(name)
        async with speech_engine(None) as speech:
            voice = EngineVoice(speech, VoiceSettings())
            said = {SAID[0]: await voice.speak(SAID[0])}
            write_wav(folder / "answer.wav", [await voice.speak(ANSWER)], RATE)
        line = Line(LineOptions(_config(folder, "direct"), folder / "line", sip_port=0, api_port=None))
        info = await line.start()
        try:
            await asyncio.sleep(5)
            ready = json.loads((line.data.ready / "bridge.json").read_text())
            long = {"name": "long", "steps": [talk] * (options.bursts + 3) + ["hang_up"]}
            short = {"name": "short", "steps": [{"wait": 3.0}, "hang_up"]}

            async def dial(content: dict[str, Any], number: int) -> CallReport:
                settings = {"from_user": f"+1555010{4000 + number}", "max_duration_s": 600.0}
                script = parse_script(json.dumps({**content, "settings": settings}))
                return await run_script(script, info.sip, voice=_Fixed(said))

            calls = [asyncio.create_task(dial(long, number)) for number in range(10)]
            await asyncio.sleep(10)
            for burst in range(options.bursts):
                made = await asyncio.gather(*(dial(short, 100 + 10 * burst + n) for n in range(10)))
                report.figure(
                    f"burst {burst + 1}: answered",
                    "calls",
                    [float(sum(one.invite_to_answer_ms is not None for one in made))],
                    target=10,
                    at_least=True,
                )
                await asyncio.sleep(2)
            lateness = await asyncio.to_thread(_lateness, ready["health_port"])
            report.figure("tick under bursts: late, p50", "ms", [lateness["0.5"]])
            report.figure("tick under bursts: late, p99", "ms", [lateness["0.99"]], target=LATE_MS)
            done = await asyncio.gather(*calls)
            gaps = [
                gap["ms"] for one in done for gap in one.gaps_ms_over_60 if gap["ms"] - gap["own_ms"] > GAP_MS
            ]
            report.figure("ten calls under bursts: gaps > 60 ms", "gaps", [float(len(gaps))], target=0)
        finally:
            await line.stop()


def _lateness(port: int) -> dict[str, float]:
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
    found = {}
    for row in text.splitlines():
        if row.startswith("bridge_media_tick_lateness_seconds{"):
            label, value = row.rsplit(" ", 1)
            found[label.split('"')[1]] = 1000 * float(value)
    return found


async def _measure(options: Any) -> Report:
    report = Report(f"Audio on bad lines, calls of {options.minutes:g} minutes")
    await _lines(options, report)
    if options.bursts:
        await _punctual(options, report)
    return report


def main() -> int:
    """Run the measurement and print its table."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--minutes", type=float, default=5.0, help="length of a call")
    parser.add_argument("--paths", default="direct,room", help="audio paths")
    parser.add_argument("--lines", default=",".join(LINES), help="which bad lines, by name")
    parser.add_argument("--at-once", type=int, default=4, help="calls side by side")
    parser.add_argument("--bursts", type=int, default=4, help="bursts of ten INVITEs; 0 leaves them out")
    options = parser.parse_args()
    if options.quick:
        options.minutes, options.lines, options.bursts = 0.4, "all", 0
    options.paths = [path for path in options.paths.split(",") if path]
    options.lines = [line for line in options.lines.split(",") if line]
    if unknown := [line for line in options.lines if line not in LINES]:
        parser.error(f"unknown lines {unknown}; there are {', '.join(LINES)}")
    logs.configure("WARNING")
    return asyncio.run(_measure(options)).show(as_json=options.as_json)


if __name__ == "__main__":
    sys.exit(main())
