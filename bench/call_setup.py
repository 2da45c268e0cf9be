"""A call's set-up and turns at the caller's ear, with providers of known delay, on one machine.

INVITE to 180, to 200, to the greeting heard; one-way delays into and out of the agent's code; reply
latency beyond endpointing; barge-in; CPU per call-minute and memory per process; and how many calls
at once stay without gaps. The whole line runs as `trunkline up` starts it; the caller is the simulated
person, whose own lateness is part of the report.

    .venv/bin/python bench/call_setup.py --quick
    .venv/bin/python bench/call_setup.py --calls 50 --levels 1,2,4,6,8
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import yaml

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.figures import Report, arguments
from telephony import logs
from telephony.agent.session import MIN_ENDPOINTING_S
from telephony.caller.engine import speech_engine
from telephony.caller.run import run_script
from telephony.caller.script_file import parse_script
from telephony.line.line import Line, LineOptions
from telephony.speech.marks import VARIABLE, read_marks

if TYPE_CHECKING:
    from telephony.caller.events import CallerEvent
    from telephony.caller.report import CallReport
    from telephony.caller.script import Script
    from telephony.speech.client import SpeechClient

CONFIG = Path(__file__).parent.parent / "config" / "livekit-sip.yaml"

STT_MS, LLM_MS, TTS_MS = 200, 50, 50

SPEECH = {
    "stt": {"provider": "timed", "stt_final_ms": STT_MS},
    "llm": {"provider": "timed", "llm_ms": LLM_MS},
    "tts": {"provider": "timed", "tts_ms": TTS_MS, "duration_s": 2.0},
}

SETUP = """
name: set-up
steps:
  - wait: 1.2
  - hang_up
"""

TURNS = """
name: turns
settings: {max_duration_s: 300}
steps:
"""
TURN = "  - say: {text: I would like to know your opening hours., when: after_agent, after_ms: 900}\n"
INTERRUPT = "  - interrupt: {text: Please wait a moment., after_ms: 700, silent_within_ms: 3000}\n"


@dataclass
class Made:
    """One call of a measurement, with the instant of its INVITE on the monotonic clock."""

    report: CallReport
    invited_at: float


class Load:
    """CPU time and memory of the line's processes during a stretch of conversation.

    Jobs end with their calls and take their counters along, so everybody is looked at twice a second.
    """

    def __init__(self, pids: dict[str, int]) -> None:
        self._pids = pids
        self._first: dict[tuple[str, int], float] = {}
        self._last: dict[tuple[str, int], float] = {}
        self._began = time.monotonic()
        self._look(new_ones_count_from_zero=False)
        self._looking = asyncio.create_task(self._keep_looking())

    async def per_call_minute(self, calls: int) -> dict[str, float]:
        """Stop looking, and give the CPU seconds per minute of one call, by part."""
        self._looking.cancel()
        await asyncio.gather(self._looking, return_exceptions=True)
        self._look()
        minutes = (time.monotonic() - self._began) / 60 * calls
        used: dict[str, float] = {}
        for (name, pid), last in self._last.items():
            used[name] = used.get(name, 0.0) + (last - self._first[name, pid]) / minutes
        return used

    def memory_mb(self) -> dict[str, float]:
        """Private memory (USS) of each part, of the largest job, and of the smallest, which is idle."""
        found = {name: _private_mb(psutil.Process(pid)) for name, pid in self._pids.items()}
        jobs = [size for child in _children(self._pids["worker"]) if (size := _private_mb(child))]
        return {**found, "largest job": max(jobs, default=0.0), "smallest job": min(jobs, default=0.0)}

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(0.5)
            self._look()

    def _look(self, *, new_ones_count_from_zero: bool = True) -> None:
        for name, pid in self._pids.items():
            for process in (psutil.Process(pid), *_children(pid)):
                seconds = _cpu_s(process)
                key = (name, process.pid)
                self._first.setdefault(key, 0.0 if new_ones_count_from_zero else seconds)
                self._last[key] = max(seconds, self._last.get(key, 0.0))


def _private_mb(process: psutil.Process) -> float:
    try:
        return float(process.memory_full_info().uss) / 1e6
    except psutil.NoSuchProcess:
        return 0.0


def _children(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def _cpu_s(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def _timed_config(folder: Path) -> Path:
    content: dict[str, Any] = yaml.safe_load(CONFIG.read_text())
    content["speech"] = {**SPEECH, "vad": {"provider": "bundled"}}
    content["agent"]["max_calls"] = 50
    path = folder / "livekit-sip.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


async def _call(script: Script, to: str, speech: SpeechClient) -> Made:
    invited: list[float] = []

    def watch(event: CallerEvent) -> None:
        if event.kind == "inviting":
            invited.append(time.monotonic() - event.at_s)

    report = await run_script(script, to, speech=speech, on_event=watch)
    return Made(report, invited[0] if invited else time.monotonic())


def _from(script: Script, number: int) -> Script:
    settings = script.settings.model_copy(update={"from_user": f"+1555010{2000 + number}"})
    return script.model_copy(update={"settings": settings})


async def _set_up(line: Line, to: str, speech: SpeechClient, calls: int, report: Report) -> None:
    script = parse_script(SETUP)
    made = []
    for _ in range(calls):
        made.append(await _call(script, to, speech))
        await asyncio.sleep(1.0)
    reports = [one.report for one in made]
    answered = [one for one in reports if one.invite_to_answer_ms is not None]
    report.figure(
        "calls answered", "calls", [100.0 * len(answered) / calls], target=100, at_least=True
    ).unit = "%"
    report.figure("INVITE → 180", "ms", _all(reports, "invite_to_ringing_ms"), target=10)
    report.figure("INVITE → 200", "ms", _all(reports, "invite_to_answer_ms"), target=550)
    report.figure("200 → greeting heard", "ms", _all(reports, "answer_to_first_audio_ms"), target=150)
    whole = [
        one.invite_to_answer_ms + one.answer_to_first_audio_ms
        for one in answered
        if one.invite_to_answer_ms is not None and one.answer_to_first_audio_ms is not None
    ]
    report.figure("INVITE → greeting heard", "ms", whole)


def _all(reports: list[CallReport], name: str) -> list[float]:
    return [value for one in reports if (value := getattr(one, name)) is not None]


async def _turns(line: Line, to: str, speech: SpeechClient, turns: int, marks: Path, report: Report) -> None:
    marks.unlink(missing_ok=True)
    script = parse_script(TURNS + TURN * turns + (TURN + INTERRUPT) * max(1, turns // 2) + "  - hang_up\n")
    load = Load(line.info().pids)
    made = await _call(script, to, speech)
    cpu = await load.per_call_minute(1)
    done = made.report
    replies = [turn for turn in done.turns if turn.action == "say" and turn.reply_latency_ms is not None]
    report.figure(
        "reply after the caller's last word", "ms", [turn.reply_latency_ms or 0 for turn in replies]
    )
    beyond = [(turn.reply_latency_ms or 0) - 1000 * MIN_ENDPOINTING_S for turn in replies]
    report.figure("reply beyond 300 ms of endpointing", "ms", beyond)
    silences = [turn.barge_in_silence_ms for turn in done.turns if turn.barge_in_silence_ms is not None]
    report.figure("barge-in: speech → last agent packet", "ms", silences)
    _one_way(made, marks, report)
    for name, seconds in cpu.items():
        report.figure(f"CPU: {name}", "s/call-min", [seconds])
    report.figure("CPU: whole line, one call", "s/call-min", [sum(cpu.values())])
    if done.pacing is not None:
        report.notes.append(
            f"caller's own lateness p99 {done.pacing.p99_ms:.1f} ms over {len(done.turns)} turns"
        )
    if not done.ok:
        report.notes.append(f"the call with turns did not go as scripted: {done.cause or done.problems}")


def _one_way(made: Made, marks: Path, report: Report) -> None:
    heard, spoke = read_marks(marks, "heard"), read_marks(marks, "spoke")
    up, down = [], []
    for turn in made.report.turns:
        if turn.said_start_s is not None:
            said_at = made.invited_at + turn.said_start_s
            up += [1000 * (at - said_at) for at in heard if 0 <= at - said_at < 1.0][:1]
        if turn.heard_start_s is not None:
            heard_at = made.invited_at + turn.heard_start_s
            down += [1000 * (heard_at - at) for at in reversed(spoke) if 0 <= heard_at - at < 1.0][:1]
    report.figure("phone → agent's recogniser", "ms", up)
    report.figure("agent's voice → phone", "ms", down)


async def _at_once(line: Line, to: str, speech: SpeechClient, calls: int, turns: int, report: Report) -> None:
    script = parse_script(TURNS + TURN * turns + "  - hang_up\n")
    load = Load(line.info().pids)
    calling = asyncio.gather(*(_call(_from(script, n), to, speech) for n in range(calls)))
    await asyncio.sleep(12)
    memory = load.memory_mb()
    made = await calling
    cpu = await load.per_call_minute(calls)
    reports = [one.report for one in made]
    name = f"{calls} at once"
    report.figure(
        f"{name}: answered",
        "calls",
        [float(len(_all(reports, "invite_to_answer_ms")))],
        target=calls,
        at_least=True,
        judged="min",
    )
    report.figure(f"{name}: INVITE → 200", "ms", _all(reports, "invite_to_answer_ms"))
    replies = [
        turn.reply_latency_ms
        for one in reports
        for turn in one.turns
        if turn.action == "say" and turn.reply_latency_ms is not None
    ]
    report.figure(f"{name}: reply", "ms", replies)
    gaps = [gap for one in reports for gap in one.gaps_ms_over_60 if gap["ms"] - gap["own_ms"] > 60]
    report.figure(f"{name}: gaps > 60 ms", "gaps", [float(len(gaps))], target=0 if calls <= 4 else None)
    report.figure(f"{name}: CPU of the line", "s/call-min", [sum(cpu.values())])
    late = max((one.pacing.p99_ms for one in reports if one.pacing), default=0.0)
    report.figure(f"{name}: caller's own lateness p99", "ms", [late])
    if calls == 1 or name.startswith("4 "):
        for part, megabytes in memory.items():
            report.figure(f"{name}: private memory, {part}", "MB", [megabytes])


async def _measure(options: Any) -> Report:
    report = Report("Call set-up and turns, providers of known delay")
    report.notes.append(f"timed providers: STT final {STT_MS} ms, LLM {LLM_MS} ms, TTS {TTS_MS} ms")
    with tempfile.TemporaryDirectory(prefix="trunkline-bench-") as name:
        folder = Path(name)
        marks = folder / "marks.jsonl"
        os.environ[VARIABLE] = str(marks)
        line = Line(LineOptions(_timed_config(folder), folder / "line", sip_port=0, bridge=options.bridge))
        info = await line.start()
        try:
            async with speech_engine(None) as speech:
                await asyncio.sleep(3)
                await _set_up(line, info.sip, speech, options.calls, report)
                await _turns(line, info.sip, speech, options.turns, marks, report)
                for level in options.levels:
                    await asyncio.sleep(3)
                    await _at_once(line, info.sip, speech, level, max(2, options.turns // 2), report)
        finally:
            await line.stop()
    return report


def main() -> int:
    """Run the measurement and print its table."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--calls", type=int, default=50, help="calls for the set-up figures")
    parser.add_argument("--turns", type=int, default=10, help="turns in the call with turns")
    parser.add_argument("--levels", default="1,4,8", help="numbers of calls at once")
    parser.add_argument("--bridge", default="embedded", help="as trunkline up --bridge")
    options = parser.parse_args()
    if options.quick:
        options.calls, options.turns, options.levels = 4, 2, ""
    options.levels = [int(level) for level in options.levels.split(",") if level]
    logs.configure("WARNING")
    return asyncio.run(_measure(options)).show(as_json=options.as_json)


if __name__ == "__main__":
    sys.exit(main())
