"""Our agent beside the stock one: the same server, bridge, callers and providers, call by call in turn.

Replies and barge-in with one call up; then CPU and memory of all processes with several. Part of
``bench/conversation.py``.
"""

from __future__ import annotations

import asyncio
import statistics
from typing import TYPE_CHECKING, Any

from bench.floor import sounds, stopped_ms
from bench.load import Load
from bench.timed_line import LLM_MS, STT_MS, TTS_MS, Spoken, TimedLine
from telephony.audio.wav import read_wav
from telephony.caller.script_file import parse_script
from telephony.turns.endpointing import EndpointingSettings

if TYPE_CHECKING:
    from pathlib import Path

    from bench.figures import Report
    from bench.timed_line import Made

ANSWER_S = 4.0
SPEECH: dict[str, Any] = {
    "stt": {
        "provider": "timed",
        "stt_final_ms": STT_MS,
        "interim_ms": 250,
        # Whoever says the same again and again is taken for a machine, and the call ended.
        "texts": [
            "I would like to know your opening hours",
            "and what does it cost for two people",
            "tell me where I can leave the car",
            "I have heard there is a garden too",
        ],
    },
    "llm": {"provider": "timed", "llm_ms": LLM_MS, "text": "This is an answer without any question in it."},
    "tts": {"provider": "timed", "tts_ms": TTS_MS, "duration_s": ANSWER_S},
    "vad": {"provider": "bundled"},
}
ENDPOINTING_MS = {"stock": 300.0, "direct": float(EndpointingSettings().silence_ms)}
"""Silence that ends a turn by the defaults, after a text without a full stop; the recogniser's and the
model's time passes within it."""
VISIBLE_MS = {"stock": TTS_MS, "direct": 0}
"""What providers take after it: the stock agent begins to speak only then, ours has the voice ready."""

OVERHEAD_MS, OVERHEAD_TIMES = 100.0, 0.5
BARGE_IN_MS, BARGE_IN_P95_MS, BARGE_IN_TIMES = 130.0, 180.0, 0.2
CPU_TIMES = 0.5

_TURN = "  - say: {text: I would like to know your opening hours., when: after_agent, after_ms: 900}\n"
_INTERRUPT = (
    "  - interrupt: {text: 'No, listen, I would like to know something else.', after_ms: 1300,"
    " silent_within_ms: 3500}\n"
)
_HEAD = "name: beside\nsettings: {max_duration_s: 300}\nsteps:\n"
_STEADY_S = 6.0
_TURN_S = 7.5


def script_text(turns: int, interruptions: int) -> str:
    """A call with so many turns, and then so many answers that are talked over."""
    return _HEAD + _TURN * turns + _INTERRUPT * interruptions + "  - hang_up\n"


async def beside_stock(options: Any, report: Report, folder: Path) -> None:
    """Add the figures of both agents, and how many times the one's are the other's."""
    voice = await Spoken.prepare([parse_script(script_text(1, 1))])
    lines = [
        TimedLine(folder, "direct", speech=SPEECH),
        TimedLine(folder, "room", speech=SPEECH, stock=True),
    ]
    try:
        for line in lines:
            await line.start()
        # The first jobs' processes are still getting ready.
        await asyncio.sleep(8)
        await _in_turn(options, report, lines, voice, folder)
        if options.calls:
            await _at_once(options, report, lines, voice)
    finally:
        for line in lines:
            await line.line.stop()


async def _in_turn(options: Any, report: Report, lines: list[TimedLine], voice: Spoken, folder: Path) -> None:
    script = parse_script(script_text(options.turns, options.turns))
    overhead: dict[str, list[float]] = {line.name: [] for line in lines}
    scripted = 0
    silent: dict[str, list[float]] = {line.name: [] for line in lines}
    for number in range(options.rounds):
        for line in lines:
            own = folder / f"call-{line.name}-{number}"
            made = await line.call(script, voice, report_dir=own)
            replies, silences = _of_call(made, own)
            beyond = ENDPOINTING_MS[line.name] + VISIBLE_MS[line.name]
            overhead[line.name] += [reply - beyond for reply in replies]
            silent[line.name] += silences
            scripted += _is_scripted(report, line.name, made)
            await asyncio.sleep(1.0)
    calls = options.rounds * len(lines)
    report.figure("calls in turn that went as scripted", "", [float(scripted)], target=calls, at_least=True)
    ours, stock = overhead["direct"], overhead["stock"]
    report.figure("stock: reply beyond endpointing and providers", "ms", stock)
    report.figure("reply beyond endpointing and providers", "ms", ours, target=OVERHEAD_MS)
    report.figure("the same, of stock's", "times", _times(ours, stock), target=OVERHEAD_TIMES)
    ours, stock = silent["direct"], silent["stock"]
    report.figure("stock: barge-in → last agent packet", "ms", stock)
    report.figure("barge-in → last agent packet", "ms", ours, target=BARGE_IN_MS)
    report.figure("the same, 95th percentile", "ms", ours, target=BARGE_IN_P95_MS, judged="p95")
    report.figure("the same, of stock's", "times", _times(ours, stock), target=BARGE_IN_TIMES)


def _of_call(made: Made, folder: Path) -> tuple[list[float], list[float]]:
    """Replies to turns that were not talked over, and silences after the beginnings of interruptions."""
    replies = [
        turn.reply_latency_ms
        for turn in made.report.turns
        if turn.action == "say" and turn.reply_latency_ms is not None
    ]
    files = list(folder.rglob("*.wav"))
    if not files:
        return replies, []
    (_, agent), _ = read_wav(files[0])
    loud = sounds(agent)
    onsets = [
        turn.said_start_s
        for turn in made.report.turns
        if turn.action == "interrupt" and turn.said_start_s is not None
    ]
    silences = [stopped for onset in onsets if (stopped := stopped_ms(loud, onset)) is not None]
    return replies, silences


async def _at_once(options: Any, report: Report, lines: list[TimedLine], voice: Spoken) -> None:
    turns = round((options.seconds + 2 * _STEADY_S) / _TURN_S) + 1
    script = parse_script(script_text(turns, 0))
    whole: dict[str, float] = {}
    scripted = 0
    for line in lines:
        calling = asyncio.gather(*(line.call(script, voice, number) for number in range(options.calls)))
        await asyncio.sleep(_STEADY_S)
        load = Load(line.line.info().pids)
        await asyncio.sleep(options.seconds)
        memory = load.memory_mb()
        cpu = await load.per_call_minute(options.calls)
        for made in await calling:
            scripted += _is_scripted(report, f"{line.name}, {options.calls} at once", made)
        whole[line.name] = sum(cpu.values())
        name = "stock: " if line.name == "stock" else ""
        for part in ("worker", "bridge", "livekit-server"):
            report.figure(f"{name}CPU at {options.calls} calls, {part}", "s/call-min", [cpu.get(part, 0.0)])
        report.figure(f"{name}CPU at {options.calls} calls, all", "s/call-min", [whole[line.name]])
        report.figure(f"{name}private memory of a call's process", "MB", [memory["largest job"]])
        await asyncio.sleep(5)
    times = whole["direct"] / whole["stock"] if whole["stock"] else 99.0
    report.figure("CPU of all processes, of stock's", "times", [times], target=CPU_TIMES)
    calls = options.calls * len(lines)
    report.figure("calls at once that went as scripted", "", [float(scripted)], target=calls, at_least=True)


def _times(ours: list[float], stock: list[float]) -> list[float]:
    if not ours or not stock:
        return []
    return [statistics.median(ours) / max(1.0, statistics.median(stock))]


def _is_scripted(report: Report, name: str, made: Made) -> bool:
    """Whether a call did what was to be measured; what troubled it becomes a note."""
    if not made.report.ok:
        problems = "; ".join(problem.text for problem in made.report.problems)
        report.notes.append(f"{name}: not as scripted: {made.report.cause or problems}")
    if made.report.noisy and made.report.pacing is not None:
        late = made.report.pacing.p99_ms
        report.notes.append(f"{name}: the caller itself was late, p99 {late:.0f} ms")
    return made.report.ok
