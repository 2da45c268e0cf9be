"""Many calls in a row on one line: does every one succeed, and does anything stay behind?

After each call the line's processes, rooms, open files, sockets and private memory are counted; what
the first ten calls leave warm is the base that later growth is judged against.

    .venv/bin/python bench/endurance.py                       # 50 sample calls, about 45 minutes
    .venv/bin/python bench/endurance.py --calls 20 --loss 0.05 --jitter-ms 40 --at-least 18
    .venv/bin/python bench/endurance.py --quick               # 3 short calls
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from livekit import api

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.figures import Report, arguments
from telephony import logs
from telephony.caller.run import run_script
from telephony.caller.script_file import load_script
from telephony.line.line import Line, LineOptions
from telephony.line.record import recorded_outcome
from telephony.speech.client import SpeechClient
from tests.e2e.sample import CONFIG

if TYPE_CHECKING:
    from telephony.caller.report import CallReport
    from telephony.caller.script import Script


_SETTLE_S = 2.0
_WARM_CALLS = 10


def _script(options: Any) -> Script:
    script = load_script(options.script)
    impairment = script.settings.impairment.model_copy(
        update={"loss": options.loss, "jitter_ms": options.jitter_ms}
    )
    settings = script.settings.model_copy(update={"impairment": impairment})
    return script.model_copy(update={"settings": settings})


def _seeded(script: Script, seed: int) -> Script:
    return script.model_copy(update={"settings": script.settings.model_copy(update={"seed": seed})})


def _count(line: Line) -> dict[str, float]:
    """What the line holds now."""
    parts = [psutil.Process(pid) for pid in line.info().pids.values()]
    family = [*parts, *(child for part in parts for child in part.children(recursive=True))]
    private, files = 0.0, 0
    for process in family:
        try:
            private += process.memory_full_info().uss / 1e6
            files += process.num_fds()
        except psutil.NoSuchProcess:
            continue
    return {
        "processes": len(family),
        "open files": files,
        "memory": private,
        "sockets": len(list(line.data.sockets.iterdir())),
    }


async def _rooms(line: Line) -> int:
    info = line.info()
    secret = Path(info.api_secret_file).read_text()
    async with api.LiveKitAPI(info.livekit_url, info.api_key, secret) as livekit:
        return len((await livekit.room.list_rooms(api.ListRoomsRequest())).rooms)


async def _one(line: Line, script: Script) -> tuple[CallReport, bool]:
    async with await SpeechClient.connect(line.speech_socket) as speech:
        report = await run_script(script, line.info().sip, speech=speech)
    outcome = await recorded_outcome(line.data.events, report.sip_call_id, wait_s=10)
    return report, report.ok and outcome == "answered"


async def _measure(options: Any) -> Report:
    report = Report(f"{options.calls} calls in a row: {options.script}")
    script = _script(options)
    good: list[CallReport] = []
    counts: list[dict[str, float]] = []
    rooms: list[int] = []
    with tempfile.TemporaryDirectory(prefix="trunkline-bench-") as name:
        line = Line(LineOptions(CONFIG, Path(name) / "line", sip_port=0))
        await line.start()
        try:
            for number in range(options.calls):
                made, ok = await _one(line, _seeded(script, number))
                if ok:
                    good.append(made)
                else:
                    problems = "; ".join(problem.text for problem in made.problems)
                    report.notes.append(f"call {number + 1}: {made.outcome}: {made.cause or problems}")
                await asyncio.sleep(_SETTLE_S)
                counts.append(_count(line))
                rooms.append(await _rooms(line))
                _progress(number + 1, options.calls, len(good), counts[-1])
        finally:
            await line.stop()
    _figures(report, options, good, counts, rooms)
    return report


def _figures(
    report: Report, options: Any, good: list[CallReport], counts: list[dict[str, float]], rooms: list[int]
) -> None:
    wanted = options.at_least or options.calls
    report.figure("calls that succeeded", "calls", [float(len(good))], target=wanted, at_least=True)
    answered = [one.invite_to_answer_ms for one in good if one.invite_to_answer_ms is not None]
    ringing = [one.invite_to_ringing_ms for one in good if one.invite_to_ringing_ms is not None]
    greeted = [one.answer_to_first_audio_ms for one in good if one.answer_to_first_audio_ms is not None]
    report.figure("INVITE → 180", "ms", ringing, target=10)
    report.figure("INVITE → 200", "ms", answered, target=550)
    report.figure("200 → greeting heard", "ms", greeted, target=150)
    whole = [float(bool(one.greeting_complete)) for one in good]
    report.figure("greeting from its first syllable", "share", whole, target=1.0, at_least=True, judged="min")
    silences = [one.barge_in_silence_ms for one in good if one.barge_in_silence_ms is not None]
    report.figure("barge-in: speech → silence", "ms", silences)
    replies = [one.reply_latency_p50_ms for one in good if one.reply_latency_p50_ms is not None]
    report.figure("reply, median of a call", "ms", replies)
    gaps = [float(sum(gap["ms"] - gap["own_ms"] > 60 for gap in one.gaps_ms_over_60)) for one in good]
    report.figure("gaps > 60 ms in a call", "gaps", gaps)
    report.figure(
        "rooms left after a call", "rooms", [float(number) for number in rooms], target=0, judged="max"
    )
    base = counts[min(_WARM_CALLS, len(counts)) - 1]
    for name in ("processes", "open files", "sockets"):
        grown = [later[name] - base[name] for later in counts[_WARM_CALLS:]]
        report.figure(f"{name} more than after ten calls", "", grown[-5:], target=0)
    growth = [100 * (later["memory"] / base["memory"] - 1) for later in counts[_WARM_CALLS:]]
    report.figure("memory more than after ten calls", "%", growth[-5:], target=5)
    report.figure("private memory of the line", "MB", [count["memory"] for count in counts])


def _progress(number: int, calls: int, good: int, count: dict[str, float]) -> None:
    held = ", ".join(f"{name} {value:.0f}" for name, value in count.items())
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} call {number}/{calls}, {good} good; {held}\n")
    sys.stderr.flush()


def main() -> int:
    """Run the calls and print the table."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--at-least", type=int, default=0, help="how many must succeed; default: all")
    parser.add_argument("--script", default="demo", help="a script's name or file")
    parser.add_argument("--loss", type=float, default=0.0, help="share of the caller's packets lost")
    parser.add_argument("--jitter-ms", type=float, default=0.0, help="peak of the caller's extra delay")
    options = parser.parse_args()
    if options.quick:
        options.calls, options.script = 3, "hello"
    logs.configure("ERROR")
    return asyncio.run(_measure(options)).show(as_json=options.as_json)


if __name__ == "__main__":
    sys.exit(main())
