"""A call's set-up and turns at the caller's ear, on both audio paths, with providers of known delay.

Two lines run side by side as `trunkline up` starts them, one with the direct line and one with room audio,
and are called in turn: what disturbs one disturbs the other. INVITE to 180, to 200, to the greeting heard;
one-way delays into and out of the agent's code; replies beyond endpointing; barge-in with the shortest
detection; ten INVITEs at once. Then, on the direct line alone, CPU at eight calls and ten calls without a
gap, the callers on the same two cores. The caller's own lateness is part of the report.

    .venv/bin/python bench/call_setup.py            # about six minutes; exit code 1 where a promise is broken
    .venv/bin/python bench/call_setup.py --quick    # about one, without the load
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.figures import Report, arguments
from bench.load import Load
from bench.timed_line import LLM_MS, STT_MS, TTS_MS, Made, Spoken, TimedLine
from telephony import logs
from telephony.agent.session import INTERRUPTION_S
from telephony.caller.script_file import parse_script
from telephony.speech.marks import read_marks
from telephony.turns.endpointing import EndpointingSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telephony.caller.report import CallReport

SHORTEST_INTERRUPTION_S = 0.05
ENDPOINTING_S = EndpointingSettings().silence_ms / 1000
PROVIDERS_BEYOND_MS = max(0.0, STT_MS + LLM_MS + TTS_MS - 1000 * ENDPOINTING_S)
"""What the providers take after the end of the turn: the rest they do while it is waited for."""

SET_UP = "name: set-up\nsteps:\n  - wait: 1.2\n  - hang_up\n"
TURNS = "name: turns\nsettings: {max_duration_s: 300}\nsteps:\n"
TURN = "  - say: {text: I would like to know your opening hours., when: after_agent, after_ms: 900}\n"
INTERRUPT = "  - interrupt: {text: Please wait a moment., after_ms: 700, silent_within_ms: 3000}\n"
END = "  - hang_up\n"

PROMISED: dict[str, float] = {
    "INVITE → 180": 10,
    "INVITE → 200": 70,
    "INVITE → greeting heard": 170,
    "reply beyond endpointing and providers": 120,
    "barge-in: speech → last agent packet": 140,
}
"""Medians on the direct line, in ms."""

_PARTS = ("worker", "bridge", "livekit-server", "dispatcher")
_STEADY_S = 4.0
_TURN_S = 4.0


class Bench:
    """One run.

    Args:
        lines: those that are compared, the first the one that is promised for.
        voice: the callers'.
    """

    def __init__(self, lines: Sequence[TimedLine], voice: Spoken, report: Report) -> None:
        self._lines = lines
        self._voice = voice
        self._report = report
        self._one_call_p95: float | None = None

    def _figure(self, line: TimedLine, name: str, samples: list[float], unit: str = "ms") -> None:
        target = PROMISED.get(name) if line is self._lines[0] and line.path == "direct" else None
        self._report.figure(f"{line.path}: {name}", unit, samples, target=target)

    async def set_up(self, calls: int) -> None:
        """Calls one at a time, the lines in turn."""
        script = parse_script(SET_UP)
        made: dict[str, list[CallReport]] = {line.path: [] for line in self._lines}
        for _ in range(calls):
            for line in self._lines:
                made[line.path].append((await line.call(script, self._voice)).report)
                await asyncio.sleep(0.8)
        for line in self._lines:
            reports = made[line.path]
            answered = _all(reports, "invite_to_answer_ms")
            self._report.figure(
                f"{line.path}: calls answered", "calls", [float(len(answered))], target=calls, at_least=True
            )
            self._figure(line, "INVITE → 180", _all(reports, "invite_to_ringing_ms"))
            self._figure(line, "INVITE → 200", answered)
            self._figure(line, "200 → greeting heard", _all(reports, "answer_to_first_audio_ms"))
            self._figure(
                line, "INVITE → greeting heard", [whole for one in reports if (whole := _whole(one))]
            )

    async def turns(self, turns: int, rounds: int) -> None:
        """Conversations, the lines in turn: replies, interruptions, one-way delays."""
        script = parse_script(TURNS + TURN * turns + (TURN + INTERRUPT) * max(1, turns // 2) + END)
        made: dict[str, list[Made]] = {line.path: [] for line in self._lines}
        for _ in range(rounds):
            for line in self._lines:
                made[line.path].append(await line.call(script, self._voice))
        for line in self._lines:
            self._turn_figures(line, made[line.path])

    def _turn_figures(self, line: TimedLine, made: list[Made]) -> None:
        replies = _replies([one.report for one in made])
        self._figure(line, "reply after the caller's last word", replies)
        beyond = [reply - 1000 * ENDPOINTING_S - PROVIDERS_BEYOND_MS for reply in replies]
        self._figure(line, "reply beyond endpointing and providers", beyond)
        silences = [
            turn.barge_in_silence_ms
            for one in made
            for turn in one.report.turns
            if turn.barge_in_silence_ms is not None
        ]
        self._figure(line, "barge-in: speech → last agent packet", silences)
        up, down = _one_way(made, line.marks)
        self._figure(line, "phone → agent's recogniser", up)
        self._figure(line, "agent's voice → phone", down)
        for one in made:
            self._note_trouble(f"{line.path}, turns", one.report)
        if line is self._lines[0]:
            self._one_call_p95 = _p95(replies)

    async def burst(self, calls: int, rounds: int) -> None:
        """INVITEs at one moment."""
        script = parse_script(SET_UP)
        for line in self._lines:
            slowest, answered = [], 0
            for _ in range(rounds):
                made = await asyncio.gather(
                    *(line.call(script, self._voice, number) for number in range(calls))
                )
                waits = _all([one.report for one in made], "invite_to_answer_ms")
                answered += len(waits)
                slowest.append(max(waits, default=0.0))
                await asyncio.sleep(5.0)
            promised = line is self._lines[0] and line.path == "direct"
            name = f"{line.path}: {calls} INVITEs at once"
            self._report.figure(
                f"{name}: answered",
                "calls",
                [float(answered)],
                target=rounds * calls if promised else None,
                at_least=True,
            )
            self._report.figure(
                f"{name}: slowest 200", "ms", slowest, target=1500 if promised else None, judged="max"
            )

    async def at_once(self, calls: int, seconds: float, *, cpu_target: float | None, clean: bool) -> None:
        """Conversations at the same time on the first line.

        Args:
            seconds: for how long CPU is counted, from when all calls are up.
            cpu_target: CPU seconds per call-minute of job, bridge and server.
            clean: no gap and no slower replies are promised.
        """
        line = self._lines[0]
        script = parse_script(TURNS + TURN * round((seconds + 2 * _STEADY_S) / _TURN_S) + END)
        calling = asyncio.gather(*(line.call(script, self._voice, number) for number in range(calls)))
        await asyncio.sleep(_STEADY_S)
        load = Load(line.line.info().pids)
        await asyncio.sleep(seconds)
        memory = load.memory_mb()
        cpu = await load.per_call_minute(calls)
        reports = [one.report for one in await calling]
        name = f"{line.path}: {calls} at once"
        answered = _all(reports, "invite_to_answer_ms")
        self._report.figure(f"{name}: answered", "calls", [float(len(answered))], target=calls, at_least=True)
        for part in _PARTS:
            self._report.figure(f"{name}: CPU, {part}", "s/call-min", [cpu.get(part, 0.0)])
        whole = sum(cpu.get(part, 0.0) for part in _PARTS)
        self._report.figure(f"{name}: CPU, job + bridge + server", "s/call-min", [whole], target=cpu_target)
        replies = _replies(reports)
        self._report.figure(f"{name}: reply", "ms", replies)
        if clean:
            ratio = _p95(replies) / self._one_call_p95 if replies and self._one_call_p95 else 99.0
            self._report.figure(f"{name}: reply p95, of one call's", "times", [ratio], target=1.3)
        gaps = [gap for one in reports for gap in one.gaps_ms_over_60 if gap["ms"] - gap["own_ms"] > 60]
        self._report.figure(f"{name}: gaps > 60 ms", "gaps", [float(len(gaps))], target=0 if clean else None)
        late = max((one.pacing.p99_ms for one in reports if one.pacing), default=0.0)
        self._report.figure(f"{name}: callers' own lateness p99", "ms", [late])
        for part in ("largest job", "smallest job", "bridge"):
            self._report.figure(f"{name}: private memory, {part}", "MB", [memory[part]])
        for gap in sorted(gaps, key=lambda gap: gap["at_s"]):
            self._report.notes.append(
                f"{name}: {gap['ms']:.0f} ms without a packet, {gap['at_s']:.1f} s after the INVITE"
            )
        for one in reports:
            self._note_trouble(name, one)

    def _note_trouble(self, name: str, one: CallReport) -> None:
        if not one.ok:
            problems = "; ".join(problem.text for problem in one.problems)
            self._report.notes.append(f"{name}: not as scripted: {one.cause or problems}")
        if one.noisy and one.pacing is not None:
            self._report.notes.append(f"{name}: the caller itself was late, p99 {one.pacing.p99_ms:.0f} ms")


def _all(reports: list[CallReport], name: str) -> list[float]:
    return [value for one in reports if (value := getattr(one, name)) is not None]


def _whole(one: CallReport) -> float | None:
    if one.invite_to_answer_ms is None or one.answer_to_first_audio_ms is None:
        return None
    return one.invite_to_answer_ms + one.answer_to_first_audio_ms


def _replies(reports: list[CallReport]) -> list[float]:
    return [
        turn.reply_latency_ms
        for one in reports
        for turn in one.turns
        if turn.action == "say" and turn.reply_latency_ms is not None
    ]


def _p95(samples: list[float]) -> float:
    ordered = sorted(samples)
    return ordered[round(0.95 * (len(ordered) - 1))] if ordered else 0.0


def _one_way(made: list[Made], marks: Path) -> tuple[list[float], list[float]]:
    heard, spoke = read_marks(marks, "heard"), read_marks(marks, "spoke")
    up, down = [], []
    for one in made:
        for turn in one.report.turns:
            if turn.said_start_s is not None:
                said_at = one.invited_at + turn.said_start_s
                up += [1000 * (at - said_at) for at in heard if 0 <= at - said_at < 1.0][:1]
            if turn.heard_start_s is not None:
                heard_at = one.invited_at + turn.heard_start_s
                down += [1000 * (heard_at - at) for at in reversed(spoke) if 0 <= heard_at - at < 1.0][:1]
    return up, down


async def _measure(options: Any) -> Report:
    report = Report("Call set-up and turns, providers of known delay")
    report.notes.append(
        f"timed providers: STT final {STT_MS} ms, LLM {LLM_MS} ms, TTS {TTS_MS} ms; the agent stops after "
        f"{1000 * SHORTEST_INTERRUPTION_S:.0f} ms of speech (in operation {1000 * INTERRUPTION_S:.0f})"
    )
    voice = await Spoken.prepare([parse_script(TURNS + TURN + INTERRUPT + END)])
    with tempfile.TemporaryDirectory(prefix="trunkline-bench-") as name:
        lines = [
            TimedLine(Path(name), path, bridge=options.bridge, interruption_s=SHORTEST_INTERRUPTION_S)
            for path in options.paths
        ]
        try:
            for line in lines:
                await line.start()
            # The first jobs' processes are still getting ready.
            await asyncio.sleep(5)
            bench = Bench(lines, voice, report)
            await bench.set_up(options.calls)
            await bench.turns(options.turns, options.rounds)
            await bench.burst(options.burst, options.rounds)
            for line in lines[1:]:
                await line.line.stop()
            for level in options.levels:
                await asyncio.sleep(5)
                await bench.at_once(
                    level, options.seconds, cpu_target=6.0 if level == 8 else None, clean=level == 10
                )
        finally:
            for line in lines:
                await line.line.stop()
    return report


def main() -> int:
    """Run the measurement and print its table."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--calls", type=int, default=30, help="calls for the set-up figures, on each line")
    parser.add_argument("--turns", type=int, default=8, help="turns in a call with turns")
    parser.add_argument("--rounds", type=int, default=3, help="calls with turns on each line; bursts")
    parser.add_argument("--burst", type=int, default=10, help="INVITEs at one moment")
    parser.add_argument("--levels", default="8,10", help="numbers of calls at once, on the first line")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long a level is held")
    parser.add_argument("--paths", default="direct,room", help="audio paths to compare")
    parser.add_argument("--bridge", default="embedded", help="as trunkline up --bridge; others: --paths room")
    options = parser.parse_args()
    if options.quick:
        options.calls, options.turns, options.rounds, options.levels = 6, 2, 1, ""
    options.levels = [int(level) for level in options.levels.split(",") if level]
    options.paths = [path for path in options.paths.split(",") if path]
    logs.configure("WARNING")
    return asyncio.run(_measure(options)).show(as_json=options.as_json)


if __name__ == "__main__":
    sys.exit(main())
