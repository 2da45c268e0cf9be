"""The phone line as desired state, at full size: 1,000 trunks and 1,000 rules of one generated file.

First apply, second apply, ten objects changed by hand, numbers that move between trunks, and applies killed
in the middle while a caller keeps dialling. livekit-server and Redis are real and started here; so is the
bridge that takes the calls.

    .venv/bin/python bench/provisioning.py --quick
    .venv/bin/python bench/provisioning.py --objects 1000 --moves 25 --kills 20
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import random
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

sys.path.insert(0, str(Path(__file__).parent.parent))

from livekit.protocol.sip import SIPDispatchRuleInfo

from bench.figures import Report, arguments
from provisioning.apply import apply_line
from provisioning.config import load
from provisioning.drift import find_drift
from provisioning.match import Call
from provisioning.objects import copy_of
from telephony.logs import configure_structlog
from tests.bridge.servers import livekit_server, redis_server, started
from tests.provisioning.asking import Asking
from tests.provisioning.conftest import LiveKit
from tests.provisioning.kills import under_fire
from tests.provisioning.large_file import large_file, number

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

    from provisioning.apply import ApplyResult
    from provisioning.config import LineConfig
    from provisioning.objects import Live, Message
    from provisioning.sip_service import SipService

Judged = Literal["median", "p95"]

_CALLER = "+15550009999"
_CHANGED_BY_HAND = 10
_MOVED_AT_ONCE = 50
_RATE = "objects/s"


def main() -> int:
    """Entry point; returns the exit code."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--objects", type=int, default=1000, help="trunks, and as many rules")
    parser.add_argument("--moves", type=int, default=25, help="applies that move one number each")
    parser.add_argument("--kills", type=int, default=20, help="applies that are killed and resumed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", choices=["text", "json"], default="text", help="json: like --json")
    given = parser.parse_args()
    configure_structlog()
    logging.getLogger().addHandler(logging.NullHandler())
    size, moves, kills = (200, 5, 3) if given.quick else (given.objects, given.moves, given.kills)
    judged: Judged = "median" if given.quick else "p95"
    report = Report(f"{size:,} trunks and {size:,} rules from one file")
    chance = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as name, _servers(Path(name)) as livekit:
        line = _Line(livekit, Path(name), size)
        asyncio.run(_measure(report, line, moves, chance, judged))
        if kills:
            asyncio.run(_kill(report, livekit, Path(name), kills, chance))
    return report.show(as_json=given.as_json or given.output == "json")


@contextmanager
def _servers(folder: Path) -> Iterator[LiveKit]:
    redis = started(lambda: redis_server(folder))
    try:
        livekit = started(lambda: livekit_server(folder, redis.port))
        try:
            yield LiveKit(livekit, redis)
        finally:
            livekit.stop()
    finally:
        redis.stop()


class _Line:
    """The large line: its file and what is done with it."""

    def __init__(self, livekit: LiveKit, folder: Path, size: int) -> None:
        self.livekit = livekit
        self.size = size
        self.at: dict[int, int] = {}
        self._file = folder / "large.yaml"

    def config(self) -> LineConfig:
        """Write the file with every number where it is to be, and read it."""
        livekit = self.livekit
        self._file.write_text(
            large_file(
                self.size,
                url=livekit.url,
                api_key=livekit.api_key,
                api_secret=livekit.api_secret,
                redis=livekit.redis_address,
                at=self.at,
            )
        )
        return load(self._file, {}).config

    async def apply(self, config: LineConfig) -> tuple[ApplyResult, float]:
        """Apply, and how long that took in s, planning included."""
        began = time.monotonic()
        livekit = self.livekit
        result = await apply_line(
            config, url=livekit.url, api_key=livekit.api_key, api_secret=livekit.api_secret
        )
        return result, time.monotonic() - began


async def _measure(report: Report, line: _Line, moves: int, chance: random.Random, judged: Judged) -> None:
    began = time.monotonic()
    config = line.config()
    report.figure("reading the file", "s", [time.monotonic() - began])
    first, took = await line.apply(config)
    report.figure("first apply", _RATE, [first.writes / took], target=100, at_least=True)
    report.figure("first apply: objects made", "objects", [first.writes], target=2 * line.size, judged="max")
    report.figures[-1].at_least = True
    second, took = await line.apply(config)
    report.figure("second apply: writes", "writes", [second.writes], target=0, judged="max")
    report.figure("second apply", "s", [took])
    async with line.livekit.service() as service:
        await _mend(report, line, config, service, chance)
    await _move_one_by_one(report, line, moves, chance, judged)
    await _move_at_once(report, line, judged)


async def _mend(
    report: Report, line: _Line, config: LineConfig, service: SipService, chance: random.Random
) -> None:
    """Change some objects as a hand would, and see that they, and only they, are found and written."""
    lives = await service.list_all()
    changed = chance.sample(lives, _CHANGED_BY_HAND)
    for live in changed:
        await service.replace(live.kind, live.id, _meddled(live))
    began = time.monotonic()
    found = find_drift(config, await service.list_all())
    took = time.monotonic() - began
    ids = {live.id for live in changed}
    report.figure("drift: looked for", "s", [took])
    report.figure(
        "drift: objects changed by hand and not found, or found and not changed",
        "objects",
        [len(ids ^ {one.id for one in found.fields if one.cause == "hand"})],
        target=0,
        judged="max",
    )
    result, _ = await line.apply(config)
    report.figure(
        "drift: objects not mended, or touched for nothing",
        "objects",
        [len(ids ^ {write.id for write in result.written}) + abs(result.writes - len(ids))],
        target=0,
        judged="max",
    )
    left = find_drift(config, await service.list_all())
    report.figure("drift: left after apply", "fields", [len(left.fields)], target=0, judged="max")


def _meddled(live: Live) -> Message:
    message = copy_of(live.message)
    if isinstance(message, SIPDispatchRuleInfo):
        message.attributes["by"] = "hand"
    else:
        message.name += " (by hand)"
    return message


async def _move_one_by_one(
    report: Report, line: _Line, moves: int, chance: random.Random, judged: Judged
) -> None:
    """One number a time, from trunk to trunk; a bridge asks for it all the while."""
    seen: list[float] = []
    reported: list[float] = []
    with _watcher(line.livekit.redis.port) as watcher:
        for n in chance.sample(range(line.size), moves):
            line.at[n] = (n + 1) % line.size
            config = line.config()
            watcher.send(number(n))
            result, _ = await line.apply(config)
            watcher.send("")
            seen.append(watcher.recv())
            reported += result.gaps_ms
    report.figure("number moves: not served, as a bridge sees it", "ms", seen, target=100, judged=judged)
    report.figure("number moves: not served, as apply tells it", "ms", reported, target=100, judged=judged)


@contextmanager
def _watcher(redis_port: int) -> Iterator[Connection]:
    """A process of its own that asks for numbers: what a plan takes to be made must not hold it up."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_keep_watching, args=(redis_port, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours
    finally:
        process.kill()
        process.join()


def _keep_watching(redis_port: int, orders: Connection) -> None:
    async def watch_all() -> None:
        async with Asking(redis_port) as asking:
            while called := await asyncio.to_thread(orders.recv):
                enough = asyncio.Event()
                watch = asyncio.create_task(_watch(asking, called, enough))
                await asyncio.to_thread(orders.recv)
                enough.set()
                orders.send(await watch)

    asyncio.run(watch_all())


async def _watch(asking: Asking, called: str, enough: asyncio.Event) -> float:
    """Ask for a number until told enough, and say for how long calls that came were refused, in ms.

    From the first call refused to the first served after the last one refused: too long by up to the time
    between two calls, never too short.
    """
    call = Call(to_user=called, from_user=_CALLER, source_ip="127.0.0.1")
    asked: list[tuple[float, bool]] = []
    while not enough.is_set():
        at = time.monotonic()
        asked.append((at, (await asking.outcome(call)).result == "accepted"))
        await asyncio.sleep(0.001)
    refused = [at for at, served in asked if not served]
    if not refused:
        return 0.0
    served_again = min((at for at, served in asked if served and at > max(refused)), default=max(refused))
    return (served_again - min(refused)) * 1000


async def _move_at_once(report: Report, line: _Line, judged: Judged) -> None:
    """Many numbers in one apply: each has a gap of its own, and none waits for another."""
    for n in range(0, 2 * _MOVED_AT_ONCE, 2):
        line.at[n] = n + 1
    config = line.config()
    result, took = await line.apply(config)
    report.figure(
        f"{_MOVED_AT_ONCE} numbers move in one apply", "ms", result.gaps_ms, target=100, judged=judged
    )
    report.notes.append(f"{_MOVED_AT_ONCE} numbers moved in {took:.1f} s")


async def _kill(report: Report, livekit: LiveKit, folder: Path, kills: int, chance: random.Random) -> None:
    """Kill applies at random writes, resume each, while a caller dials."""
    livekit.forget_everything()
    fire = await under_fire(livekit, folder, kills, chance)
    report.figure("killed applies: writes made before", "writes", [float(n) for n in fire.writes_before])
    report.figure("killed applies", "applies", [fire.killed])
    report.figure("killed applies: left half done", "applies", [fire.partial])
    report.figure(
        "resumed applies: objects not as the file says",
        "objects",
        [len(fire.inexact)],
        target=0,
        judged="max",
    )
    for who, calls in fire.calls.items():
        wrong = [call for call in calls if call.refused or call.strayed]
        report.figure(f"{who}", "calls", [len(calls)])
        name = f"{who}: refused or by another rule"
        report.figure(name, "calls", [len(wrong)], target=0, judged="max")
    report.notes += [*fire.inexact, *fire.failed][:20]


if __name__ == "__main__":
    sys.exit(main())
