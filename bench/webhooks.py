"""What webhooks keep: nothing lost, each call's order, few repetitions, and no endpoint in another's way.

The real api takes events over HTTP and delivers them to six real receivers: one is well, the others are
down, slow, broken (500), gone (410) and closing connections. In the middle the api is killed -9 twenty
times and its disk is full for a while (no file of the database may grow); at the end everybody recovers
and must get everything. On PostgreSQL there are two apis, which are killed in turn.

    .venv/bin/python bench/webhooks.py --quick
    .venv/bin/python bench/webhooks.py --events 50000 --database both
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import resource
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.figures import Report, arguments
from bench.receivers import Receiver, Receivers
from tests.api.process import ApiProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.store.cluster import Cluster

_PER_CALL = 20
_AT_ONCE = 100
_BATCH = 25
_FEEDERS = 4
_KILLS = 20
_FULL_S = 6.0
_CALM_S = 15.0
_CALM_PER_S = 40
_DRAIN_S = 1_200.0
_ROOM = 1_000_000
_PG_LIMIT = 16 * 1024 * 1024

_WELL = "well"


def main() -> int:
    """Entry point; returns the exit code."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--events", type=int, default=50_000, help="how many events happen")
    parser.add_argument("--kills", type=int, default=_KILLS, help="how often an api is killed")
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    given = parser.parse_args()
    size, kills = (4_000, 2) if given.quick else (given.events, given.kills)
    report = Report(f"Webhooks: {size:,} events, six receivers, kill -9 x {kills}")
    for kind in ["sqlite", "postgresql"] if given.database == "both" else [given.database]:
        asyncio.run(_measure(report, kind, size, kills))
    return report.show(as_json=given.as_json)


@dataclass(slots=True)
class Line:
    """The apis under test, who feeds them, and where they deliver to."""

    apis: list[ApiProcess]
    receivers: Receivers
    cluster: Cluster | None
    told: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    before: frozenset[str] = frozenset()
    """Calls that were over before the ill receivers came."""
    refused: int = 0
    unreachable: int = 0

    @property
    def well(self) -> Receiver:
        return self.receivers.all[0]

    @property
    def ill(self) -> list[Receiver]:
        return self.receivers.all[1:]

    @property
    def events(self) -> int:
        return sum(self.told.values())

    def told_all_six(self) -> dict[str, int]:
        """What every receiver is to get."""
        return {call_id: count for call_id, count in self.told.items() if call_id not in self.before}

    def delivered(self) -> int:
        """How many arrivals the healthy one has."""
        return len(self.well.arrivals)

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Ask any api that answers, as the admin."""
        headers = {"Authorization": f"Bearer {self.apis[0].key()}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            async with asyncio.timeout(60):
                while True:
                    for api in self.apis:
                        with contextlib.suppress(aiohttp.ClientError):
                            async with session.request(method, api.base + path, json=body) as answer:
                                if answer.status < 300:
                                    return await answer.json()
                    await asyncio.sleep(0.2)


async def _measure(report: Report, kind: str, size: int, kills: int) -> None:
    with _line(kind) as line:
        await _add(line, [line.well])
        alone = await _calm(line)
        line.before = frozenset(line.told)
        await _add(line, line.ill)
        rate = await _flood(line, size // 2)
        full = await _torment(line, size - size // 2, kills)
        beside = await _calm(line)
        drain = await _recover(line)
        _judge(report, kind, line)
        report.figure(f"{kind}: events delivered while five fail", "1/s", [rate], target=500, at_least=True)
        report.figure(f"{kind}: deliveries once they recover", "1/s", [drain])
        report.figure(f"{kind}: event to healthy receiver, alone", "ms", alone)
        before = report.figures[-1].statistic("p95") or 0.0
        after = f"{kind}: event to healthy receiver, beside five that fail"
        report.figure(after, "ms", beside, target=round(before + 1000), judged="max")
        report.notes.append(f"{kind}: {full}")
        report.notes.append(
            f"{kind}: {line.unreachable} requests of the sources met no api and were repeated"
        )
        for api in line.apis:
            api.stop()


@contextlib.contextmanager
def _line(kind: str) -> Iterator[Line]:
    folder = Path(tempfile.mkdtemp(prefix="trunkline-bench-"))
    moods = [_WELL, "down", "slow", "error", "gone", "closing"]
    receivers = Receivers(Receiver(mood, mood) for mood in moods)  # type: ignore[arg-type]
    cluster = None
    with receivers, contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        url = f"sqlite:///{folder}/record.db"
        if kind == "postgresql":
            from tests.store.cluster import Cluster

            cluster = Cluster(durable=True)
            stack.callback(cluster.stop)
            url = cluster.url(cluster.new_database())
        apis = []
        for number in range(1 if kind == "sqlite" else 2):
            (folder / str(number)).mkdir()
            api = ApiProcess(folder / str(number), url, TRUNKLINE_LOG_LEVEL="WARNING")
            apis.append(stack.enter_context(api))
        yield Line(apis, receivers, cluster)


async def _add(line: Line, receivers: Sequence[Receiver]) -> None:
    for receiver in receivers:
        wanted = {"url": receiver.url, "types": ["*"], "description": receiver.name}
        receiver.secret = (await line.ask("POST", "/v1/endpoints", wanted))["secret"]


async def _calm(line: Line) -> list[float]:
    """Let events happen now and then; ms from each one's happening to the healthy receiver."""
    name, first = f"calm{line.events}n", line.delivered()
    feeder = Feeder(line, name)
    end, count = time.monotonic() + _CALM_S, 0
    while time.monotonic() < end:
        await feeder.send(1)
        count += 1
        await asyncio.sleep(1 / _CALM_PER_S)
    await _until(lambda: line.delivered() >= first + count, 30)
    await feeder.close()
    arrived = [each for each in line.well.arrivals[first:] if name in each.call_id]
    return [(each.at - each.sent_at) * 1000 for each in arrived]


async def _flood(line: Line, count: int) -> float:
    """Let everything happen at once; events per second, from the first to the healthy one's last."""
    started, first, each = time.monotonic(), line.delivered(), count // _FEEDERS
    await asyncio.gather(*(Feeder(line, f"f{n}x{line.events}").run(each) for n in range(_FEEDERS)))
    await _until(lambda: line.delivered() >= first + each * _FEEDERS, 600)
    return (line.delivered() - first) / (time.monotonic() - started)


async def _torment(line: Line, count: int, kills: int) -> str:
    """The same while apis are killed and the disk is full for a while; says what the full disk did."""
    chance = random.Random(3)
    feeders = [Feeder(line, f"t{n}x{line.events}") for n in range(_FEEDERS)]
    flood = asyncio.gather(*(feeder.run(count // _FEEDERS) for feeder in feeders))
    said = ""
    for number in range(kills):
        await asyncio.sleep(chance.uniform(0.3, 2.0))
        if number == kills // 2:
            said = await _full_disk(line)
        api = line.apis[number % len(line.apis)]
        api.kill()
        await asyncio.to_thread(api.start)
    await flood
    await _until(lambda: len({each.message_id for each in line.well.arrivals}) >= line.events, _DRAIN_S)
    return said


async def _full_disk(line: Line) -> str:
    """No file of the database may grow for a few seconds; says what came of it."""
    before, refused = line.delivered(), line.refused
    _limit(line, full=True)
    await asyncio.sleep(_FULL_S)
    seen, got = line.refused - refused, line.delivered() - before
    _limit(line, full=False)
    await asyncio.sleep(2.0)
    logged = sum("The database did not take" in api.log.read_text() for api in line.apis)
    return (
        f"no file could grow for {_FULL_S:.0f} s: {seen} requests were refused and repeated, "
        f"{got} events arrived meanwhile; {logged} of {len(line.apis)} apis logged why"
    )


def _limit(line: Line, *, full: bool) -> None:
    if line.cluster is not None:
        line.cluster.limit_files(_PG_LIMIT if full else None)
        return
    for api in line.apis:
        if api.process is not None and api.process.poll() is None:
            # Room for its log, and for no more than a little of the database's.
            size = api.log.stat().st_size + _ROOM if full else resource.RLIM_INFINITY
            _, hard = resource.prlimit(api.process.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(api.process.pid, resource.RLIMIT_FSIZE, (size, hard))


async def _recover(line: Line) -> float:
    """Make everybody well, send the gone one all it missed, wait until nothing is pending; deliveries/s."""
    had, started = sum(len(each.arrivals) for each in line.ill), time.monotonic()
    for receiver in line.ill:
        line.receivers.heal(receiver)
    listed = (await line.ask("GET", "/v1/endpoints"))["endpoints"]
    [gone] = [each for each in listed if not each["enabled"]]
    await line.ask("PATCH", f"/v1/endpoints/{gone['id']}", {"enabled": True})
    since = "2020-01-01T00:00:00Z"
    asked = {"endpoint_id": gone["id"], "only_dead": False}
    while since:
        done = await line.ask("POST", "/v1/deliveries/replay", {**asked, "since": since})
        since = done["next_since"]
    end = time.monotonic() + _DRAIN_S
    while time.monotonic() < end:
        listed = (await line.ask("GET", "/v1/endpoints"))["endpoints"]
        if not any(each["pending"] for each in listed):
            break
        await asyncio.sleep(1)
    return (sum(len(each.arrivals) for each in line.ill) - had) / (time.monotonic() - started)


def _judge(report: Report, kind: str, line: Line) -> None:
    """Compare what happened with what each receiver accepted; one sample for each receiver."""
    lost, disordered, repeated = [], [], []
    for receiver in line.receivers.all:
        expected = line.told if receiver is line.well else line.told_all_six()
        got: dict[str, list[int]] = defaultdict(list)
        again = count = 0
        for each in receiver.arrivals:
            if not each.accepted or each.call_id not in expected:
                continue
            count += 1
            if each.seq in got[each.call_id]:
                again += 1
            else:
                got[each.call_id].append(each.seq)
        lost.append(sum(told - len(got[call_id]) for call_id, told in expected.items()))
        disordered.append(sum(seqs != sorted(seqs) for seqs in got.values()))
        repeated.append(100 * again / max(1, count))
    forged = [receiver.forged for receiver in line.receivers.all]
    alarms = sum(each.type == "endpoint.disabled" for each in line.well.arrivals)
    report.figure(f"{kind}: events that a receiver never got", "events", lost, target=0, judged="max")
    report.figure(f"{kind}: calls out of order", "calls", disordered, target=0, judged="max")
    report.figure(f"{kind}: wrong signatures", "requests", forged, target=0, judged="max")
    report.figure(f"{kind}: events that came twice", "%", repeated, target=1, judged="max")
    report.figure(f"{kind}: alarms that one is gone", "events", [alarms], target=1, at_least=True)


class Feeder:
    """A source of some calls: hands its events in, each call's in order, until the api says it has them."""

    def __init__(self, line: Line, name: str) -> None:
        self._line = line
        self._name = name
        self._made = 0
        self._open: dict[str, int] = {}
        self._turn = random.Random(name)
        self._session: aiohttp.ClientSession | None = None

    async def run(self, count: int) -> None:
        """Make so many events happen, as fast as the api takes them."""
        left = count
        while left:
            left -= await self.send(min(left, _BATCH))
        await self.close()

    async def send(self, count: int) -> int:
        """Hand in one batch, as often as it takes; returns its size."""
        batch = [self._event() for _ in range(count)]
        key = self._line.apis[0].key("events")
        if self._session is None:
            self._session = aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"})
        while True:
            api = self._turn.choice(self._line.apis)
            try:
                timeout = aiohttp.ClientTimeout(total=30)
                async with self._session.post(
                    f"{api.base}/v1/events", json={"events": batch}, timeout=timeout
                ) as answer:
                    if answer.status == 200:
                        break
                    self._line.refused += 1
            except (aiohttp.ClientError, TimeoutError):
                self._line.unreachable += 1
            await asyncio.sleep(0.1)
        for each in batch:
            self._line.told[each["call_id"]] += 1
        return len(batch)

    def _event(self) -> dict[str, Any]:
        if len(self._open) < _AT_ONCE // _FEEDERS:
            self._made += 1
            self._open[f"call_{self._name}n{self._made:06d}"] = 0
        call_id = self._turn.choice(list(self._open))
        self._open[call_id] += 1
        number = self._open[call_id]
        if number == _PER_CALL:
            del self._open[call_id]
        now = time.time()
        return {
            "call_id": call_id,
            "source": "job",
            "source_seq": number,
            "type": "dtmf.received",
            "time": datetime.fromtimestamp(now, UTC).isoformat(),
            "data": {"digit": "5", "sent_at": now},
        }

    async def close(self) -> None:
        """Let the connection go."""
        if self._session is not None:
            await self._session.close()


async def _until(question: Callable[[], bool], seconds: float) -> None:
    for _ in range(round(seconds / 0.02)):
        if question():
            return
        await asyncio.sleep(0.02)


if __name__ == "__main__":
    sys.exit(main())
