"""Eight calls at once for twenty minutes, dialled again as they end: does anything grow, or stay behind?

Memory of every process and the latency of replies are compared between the first quarter and the last, the
time to answer between the halves, since there is one of a call. A call that begins while the process of
another one is made ready, or taken down, is answered two or three times later than one that begins alone; how
many do is chance, so those that begin alone are compared. Calls are of random length, or they would begin
together in one quarter and not in another. When all calls are over, sockets, open files, rooms, processes,
media ports and jobs are counted against what there was before the first one. Providers have known delays, so
that what grows is ours.

    .venv/bin/python bench/soak.py                          # 20 minutes, 8 calls
    .venv/bin/python bench/soak.py --minutes 2 --calls 4
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from livekit import api

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.figures import Report, arguments
from telephony import logs
from telephony.caller.engine import speech_engine
from telephony.caller.run import run_script
from telephony.caller.script import VoiceSettings
from telephony.caller.script_file import parse_script
from telephony.caller.voice import EngineVoice
from telephony.line.line import Line, LineOptions
from tests.e2e.sample import sample_file
from tests.e2e.timed import SPEECH

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.audio.frame import Samples
    from telephony.caller.report import CallReport
    from telephony.caller.script import Script


SAID = "I would like to know your opening hours."
TURNS_S = 6.0
GROWTH_PERCENT = 5.0
GROWTH_MB = 3.0
"""Less than this is the allocator's affair."""
SLOWER = 1.15
_BUSY_S = 3.0
"""So long a process that takes the place of a call's is being made ready, on two busy cores."""

_LOOK_S = 5.0
_SETTLE_S = 25.0
"""livekit-server keeps an empty room some seconds, the worker makes idle processes anew."""

_POOLED = 12
"""Connections that the servers, and the api to its database, may open under load and keep in a pool."""

PARTS = ("bridge", "worker", "dispatcher", "livekit-server", "redis", "api")


@dataclass
class Held:
    """What the line holds at one moment."""

    at: float
    memory_mb: dict[str, float] = field(default_factory=dict)
    cpu_s: dict[str, float] = field(default_factory=dict)
    """Of the part and of what it has started, ended processes too; ``callers`` is this program."""
    files: dict[str, int] = field(default_factory=dict)
    threads: dict[str, int] = field(default_factory=dict)
    processes: int = 0
    udp_ports: int = 0
    link_sockets: int = 0


@dataclass
class Done:
    """One call that is over; its place among those of its caller."""

    began_at: float
    ended_at: float
    number: int
    place: int
    report: CallReport

    def alone_among(self, others: list[Done]) -> bool:
        """Whether no other caller's call began or ended shortly before its INVITE."""
        return not any(
            0 <= self.began_at - moment <= _BUSY_S
            for other in others
            if other.number != self.number
            for moment in (other.began_at, other.ended_at)
        )


class Voice:
    """The one line, spoken beforehand."""

    def __init__(self, samples: Samples) -> None:
        self._samples = samples

    async def speak(self, _: str) -> Samples:
        return self._samples


def look(line: Line) -> Held:
    """Count now."""
    held = Held(time.monotonic(), cpu_s={"callers": sum(psutil.Process().cpu_times()[:2])})
    for name, pid in line.info().pids.items():
        try:
            process = psutil.Process(pid)
            family = process.children(recursive=True)
            held.memory_mb[name] = process.memory_full_info().uss / 1e6
            held.cpu_s[name] = sum(_cpu_s(one) for one in (process, *family))
            held.files[name] = process.num_fds()
            held.threads[name] = process.num_threads()
            held.processes += 1 + len(family)
            if name == "bridge":
                held.udp_ports = sum(1 for connection in process.net_connections("udp") if connection.laddr)
        except psutil.NoSuchProcess:
            continue
    links = line.data.sockets / "calls"
    held.link_sockets = len(list(links.iterdir())) if links.exists() else 0
    return held


def _cpu_s(process: psutil.Process) -> float:
    """What a process has taken, and those of its children that are over."""
    try:
        return float(sum(process.cpu_times()[:4]))
    except psutil.NoSuchProcess:
        return 0.0


async def _rooms(line: Line) -> int:
    info = line.info()
    secret = Path(info.api_secret_file).read_text()
    async with api.LiveKitAPI(info.livekit_url, info.api_key, secret) as livekit:
        return len((await livekit.room.list_rooms(api.ListRoomsRequest())).rooms)


async def _keep_calling(
    line: Line, number: int, until: float, call_s: float, voice: Voice, done: list[Done]
) -> None:
    """Call again and again, for half to one and a half times ``call_s``; the first call may be shorter."""
    await asyncio.sleep(number * 0.7)
    lengths = random.Random(number)
    shortest = 0.1
    place = 0
    while time.monotonic() < until:
        length_s = call_s * lengths.uniform(shortest, 1.5)
        shortest = 0.5
        script = _script(number, length_s)
        began_at = time.monotonic()
        report = await run_script(script, line.info().sip, voice=voice)
        done.append(Done(began_at, time.monotonic(), number, place, report))
        place += 1
        await asyncio.sleep(0.5)


def _script(number: int, length_s: float) -> Script:
    steps: list[Any] = [{"say": {"text": SAID, "when": "after_agent", "after_ms": 900}}]
    content = {
        "name": "soak",
        "settings": {"from_user": f"+1555010{5000 + number}", "max_duration_s": length_s * 3 + 60},
        "steps": [*steps * max(2, round(length_s / TURNS_S)), {"wait": 2.5}, "hang_up"],
    }
    return parse_script(json.dumps(content))


async def _watch(line: Line, held: list[Held]) -> None:
    while True:
        held.append(await asyncio.to_thread(look, line))
        await asyncio.sleep(_LOOK_S)


async def _measure(options: Any) -> Report:
    report = Report(f"{options.calls} calls at once for {options.minutes:g} minutes, {options.path}")
    with tempfile.TemporaryDirectory(prefix="trunkline-bench-") as name:
        folder = Path(name)
        async with speech_engine(None) as speech:
            voice = Voice(await EngineVoice(speech, VoiceSettings()).speak(SAID))
        line = Line(LineOptions(_config(folder, options), folder / "line", sip_port=0))
        await line.start()
        try:
            await _soak(line, voice, options, report)
        finally:
            await line.stop()
        left = [process for process in psutil.process_iter(["cmdline"]) if _is_ours(process, name)]
        report.figure("processes left after the line", "", [float(len(left))], target=0, judged="max")
    return report


async def _soak(line: Line, voice: Voice, options: Any, report: Report) -> None:
    done: list[Done] = []
    held: list[Held] = []
    # What the first calls leave warm is part of the base.
    await asyncio.gather(
        *(_keep_calling(line, n, time.monotonic() + 1, 10.0, voice, []) for n in range(options.calls))
    )
    await asyncio.sleep(_SETTLE_S)
    before = look(line)
    began = time.monotonic()
    watching = asyncio.create_task(_watch(line, held))
    until = began + 60 * options.minutes
    call_s = min(60.0, 60 * options.minutes / 3)
    progress = asyncio.create_task(_progress(began, until, done, held))
    await asyncio.gather(*(_keep_calling(line, n, until, call_s, voice, done) for n in range(options.calls)))
    ended = time.monotonic()
    watching.cancel()
    progress.cancel()
    await asyncio.gather(watching, progress, return_exceptions=True)
    await asyncio.sleep(_SETTLE_S)
    _figures(report, done, [one for one in held if one.at <= until], began, ended)
    _left(report, before, look(line), await _rooms(line), line)


def _figures(report: Report, done: list[Done], held: list[Held], began: float, ended: float) -> None:
    good = [one for one in done if one.report.ok]
    for one in done:
        if not one.report.ok:
            problem = one.report.cause or "; ".join(problem.text for problem in one.report.problems)
            report.notes.append(f"at {one.ended_at - began:.0f} s: {one.report.outcome}: {problem}")
    report.figure("calls", "", [float(len(done))])
    share = 100 * len(good) / max(1, len(done))
    report.figure("calls that went as scripted", "%", [share], target=100, at_least=True)
    _flat(report, "reply", "quarter", _parts(good, began, ended, 4), _replies)
    # A caller's first call begins while others are still silent: it is answered quicker than later ones.
    later = [one for one in good if one.place]
    halves = _parts(later, began, ended, 2)
    for which, calls in zip(("first", "last"), halves, strict=True):
        report.figure(
            f"INVITE → 200, {which} half", "ms", [ms for one in calls for ms in _answers(one)] or [0.0]
        )
    alone = [one for one in later if one.alone_among(done)]
    _flat(report, "INVITE → 200, calls that begin alone", "half", _parts(alone, began, ended, 2), _answers)
    for which, calls in zip(("first", "last"), halves, strict=True):
        late = [call.pacing.p99_ms for call in calls if call.pacing is not None]
        report.figure(f"callers' own lateness, {which} half: p99 of each call", "ms", late or [0.0])
    for name in ("callers", *PARTS):
        _cpu(report, name, held)
    gaps = [gap for one in good for gap in one.report.gaps_ms_over_60 if gap["ms"] - gap["own_ms"] > 60]
    report.figure("gaps > 60 ms", "gaps", [float(len(gaps))], target=0)
    for name in PARTS:
        _memory(report, name, held, began)


def _parts(
    done: list[Done], began: float, ended: float, parts: int
) -> tuple[list[CallReport], list[CallReport]]:
    """The calls of the first part of so many, and of the last."""
    length = (ended - began) / parts
    return (
        [one.report for one in done if one.ended_at <= began + length],
        [one.report for one in done if one.ended_at > ended - length],
    )


def _flat(
    report: Report,
    what: str,
    part: str,
    calls: tuple[list[CallReport], list[CallReport]],
    of: Callable[[CallReport], list[float]],
) -> None:
    early, late = ([ms for one in some for ms in of(one)] for some in calls)
    if not early or not late:
        report.notes.append(f"{what}: too few calls to compare")
        return
    report.figure(f"{what}, first {part}", "ms", early)
    report.figure(f"{what}, last {part}", "ms", late)
    ratio = statistics.median(late) / statistics.median(early)
    report.figure(f"{what}: last to first", "times", [ratio], target=SLOWER)


def _cpu(report: Report, name: str, held: list[Held]) -> None:
    """Processor time in each quarter: what grows here makes the calls slow."""
    found = [(one.at, one.cpu_s[name]) for one in held if name in one.cpu_s]
    step = len(found) // 4
    if step < 2:
        return
    for quarter in range(4):
        (began, before), (ended, after) = found[quarter * step], found[quarter * step + step - 1]
        share = 60 * (after - before) / (ended - began)
        report.figure(f"CPU: {name}, quarter {quarter + 1}", "s a minute", [share])


def _memory(report: Report, name: str, held: list[Held], began: float) -> None:
    """Growth from the second quarter to the last: the first one fills caches and arenas."""
    found = [(one.at - began, one.memory_mb[name]) for one in held if name in one.memory_mb]
    if len(found) < 8:
        return
    sizes = [size for _, size in found]
    report.figure(f"memory: {name}", "MB", sizes)
    step = len(sizes) // 4
    early, late = statistics.median(sizes[step : 2 * step]), statistics.median(sizes[-step:])
    allowed = max(GROWTH_MB, early * GROWTH_PERCENT / 100)
    report.figure(f"memory: {name}, last quarter less the second", "MB", [late - early], target=allowed)


def _left(report: Report, before: Held, after: Held, rooms: int, line: Line) -> None:
    report.figure("rooms left", "", [float(rooms)], target=0, judged="max")
    report.figure("sockets of calls left", "", [float(after.link_sockets)], target=0, judged="max")
    ports = after.udp_ports - before.udp_ports
    report.figure("bridge: UDP ports more than before", "", [float(ports)], target=0, judged="max")
    grown = after.processes - before.processes
    report.figure("processes more than before", "", [float(grown)], target=0, judged="max")
    for name in PARTS:
        if name in before.files and name in after.files:
            files = after.files[name] - before.files[name]
            allowed = _POOLED if name in ("livekit-server", "redis", "api") else 2
            report.figure(
                f"{name}: open files more than before", "", [float(files)], target=allowed, judged="max"
            )
            threads = after.threads[name] - before.threads[name]
            report.figure(
                f"{name}: threads more than before", "", [float(threads)], target=allowed, judged="max"
            )
    drafts = [path for path in line.data.root.rglob("*") if path.suffix in {".new", ".tmp", ".part"}]
    report.figure("half-written files left", "", [float(len(drafts))], target=0, judged="max")


def _replies(report: CallReport) -> list[float]:
    return [turn.reply_latency_ms for turn in report.turns if turn.reply_latency_ms is not None]


def _answers(report: CallReport) -> list[float]:
    return [] if report.invite_to_answer_ms is None else [report.invite_to_answer_ms]


def _is_ours(process: psutil.Process, name: str) -> bool:
    command: list[str] = process.info["cmdline"] or []
    return process.pid != os.getpid() and any(name in word for word in command)


def _config(folder: Path, options: Any) -> Path:
    return sample_file(
        folder / "livekit-sip.yaml",
        warm=None,
        agent={"max_calls": 4 * options.calls, "audio_path": options.path},
        speech={**SPEECH, "tts": {"provider": "timed", "tts_ms": 50, "duration_s": 2.0}},
        recording={"enabled": True, "format": "ogg"},
    )


async def _progress(began: float, until: float, done: list[Done], held: list[Held]) -> None:
    while True:
        await asyncio.sleep(60)
        sizes = ", ".join(f"{name} {size:.0f}" for name, size in held[-1].memory_mb.items())
        passed, whole = (time.monotonic() - began) / 60, (until - began) / 60
        sys.stderr.write(f"{passed:.0f} of {whole:.0f} min, {len(done)} calls done; MB: {sizes}\n")
        sys.stderr.flush()


def main() -> int:
    """Run the calls and print the table."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--calls", type=int, default=8, help="calls at once")
    parser.add_argument("--path", default="direct", choices=("direct", "room"), help="audio path")
    options = parser.parse_args()
    if options.quick:
        options.minutes, options.calls = 0.7, 2
    logs.configure("ERROR")
    return asyncio.run(_measure(options)).show(as_json=options.as_json)


if __name__ == "__main__":
    sys.exit(main())
