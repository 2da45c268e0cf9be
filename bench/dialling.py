"""Calls of our own: how fast they leave and are told, and what hundreds of mixed calls leave behind.

A bridge, Redis and livekit-server of its own, on loopback; the telephones are ours. Without waiting: the
API's answer, and the INVITE at the phone, from the request on. With waiting: from the phone's 200 to the
API's answer. Over the direct line: from the answer to the agent's first word at the phone. Then calls in and
out mixed, one a second, at most eight at once, ended from either side at any moment, every fifth SIP packet
lost. At last a whole line: requests through our own api, with guard, permit and agent, beside LiveKit's.

    .venv/bin/python bench/dialling.py              # about eight minutes; exit code 1 where one is broken
    .venv/bin/python bench/dialling.py --quick      # about one and a half
    .venv/bin/python bench/dialling.py --requests   # the requests through our api alone
"""

from __future__ import annotations

import asyncio
import functools
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent.parent))

from livekit import rtc

from bench.dial_requests import beside_livekit
from bench.figures import Report, arguments
from telephony import logs
from telephony.audio.level import dbfs
from telephony.audio.tones import sine
from telephony.calls import job_attributes
from telephony.link.job_end import JobEnd
from tests.bridge.called_phone import CalledPhone
from tests.bridge.dialling import dial
from tests.bridge.direct import DirectLine
from tests.bridge.line import TestLine
from tests.bridge.mixed_calls import MixedCalls
from tests.bridge.servers import livekit_server, redis_server, started
from tests.waiting import until

if TYPE_CHECKING:
    from tests.bridge.agent_double import RoomPerson
    from tests.bridge.called_phone import CalledLeg
    from tests.bridge.servers import Server

_PAUSE_S = 0.4
_HEARD_DBFS = -40.0


async def not_waiting(line: TestLine, calls: int, report: Report) -> None:
    """The API's answer and the INVITE on the wire."""
    answers, invites = [], []
    async with CalledPhone() as called:
        for number in range(1, calls + 1):
            asked = called.clock.now()
            await dial(line, called.address, wait_until_answered=False)
            answers.append(1000 * (called.clock.now() - asked))
            leg = await called.rung(number)
            invites.append(1000 * (leg.invited_at - asked))
            leg.refuse(486)
            await line.ended()
            await asyncio.sleep(_PAUSE_S)
    report.figure("request → API's answer, not waiting", "ms", answers, target=150)
    report.figure("request → INVITE at the phone", "ms", invites, target=110)


async def waiting(line: TestLine, calls: int, report: Report) -> None:
    """From the phone's 200 to the API's answer."""
    took = []
    async with CalledPhone() as called, line.person() as agent:
        await agent.speak()
        for number in range(1, calls + 1):
            dialling = asyncio.create_task(dial(line, called.address))
            leg = await called.rung(number)
            leg.ring()
            await asyncio.sleep(_PAUSE_S)
            await leg.answer()
            await dialling
            took.append(1000 * (called.clock.now() - leg.answered_at))
            await leg.bye()
            await line.ended()
            await asyncio.sleep(_PAUSE_S)
    report.figure("200 at the phone → API's answer", "ms", took, target=30)


async def first_word(line: DirectLine, calls: int, report: Report) -> None:
    """Over the direct line, where the assistant speaks first: its words wait for the answer."""
    took = []
    known: set[str] = set()
    # livekit-server ends a room in which only agents are left; between two calls nobody else is there.
    async with CalledPhone() as called, line.person(kind="standard", identity="person") as agent:
        for number in range(1, calls + 1):
            dialling = asyncio.create_task(dial(line, called.address))
            leg = await called.rung(number)
            await until(functools.partial(_links, agent, known))
            (link,) = _links(agent, known)
            known.add(link)
            end = JobEnd()
            await end.connect(line.links / link, f"AJ_{number}")
            end.ready()
            end.started()
            samples = sine(440, 2.0)
            await end.output.capture_frame(rtc.AudioFrame(samples.tobytes(), 8000, 1, len(samples)))
            end.output.flush()
            await asyncio.sleep(_PAUSE_S)
            await leg.answer()
            await until(functools.partial(_has_heard, leg))
            took.append(1000 * (called.clock.now() - leg.answered_at))
            await dialling
            await leg.bye()
            await line.ended()
            end.leave()
            await asyncio.sleep(_PAUSE_S)
    report.figure("answer → agent's first word at the phone", "ms", took, target=150)


def _links(agent: RoomPerson, known: set[str]) -> set[str]:
    """Where the callers of the room may be joined, but for those that are known: they may not be gone yet."""
    callers = agent.room.remote_participants.values()
    return {link for one in callers if (link := one.attributes.get(job_attributes.LINK))} - known


def _has_heard(leg: CalledLeg) -> bool:
    return any(dbfs(frame) > _HEARD_DBFS for frame in leg.heard)


async def mixed(line: TestLine, calls: int, pace_s: float, report: Report) -> None:
    """Many calls, and what they leave."""
    await line.provision()
    # livekit-server ends a room in which only agents are left; between two calls nobody else is there.
    async with line.person(kind="standard") as person:
        await person.speak()
        made = await MixedCalls(line).run(calls, pace_s=pace_s, at_once=8)
        left = [identity for identity in await line.participants() if identity != "agent"]
    for one in made:
        if not one.agrees:
            report.notes.append(
                f"mixed, {one.direction}, ended by {one.ended_by}: {one.told} ends, {one.reason}"
            )
    agree = float(sum(one.agrees for one in made))
    report.figure(
        "mixed: calls that both sides tell the same of", "calls", [agree], target=calls, at_least=True
    )
    await until(lambda: line.bridge.endpoint_stats().active_transactions == 0, 40)
    stats = line.bridge.endpoint_stats()
    for name, count in (
        ("calls", line.bridge.active_calls),
        ("dialogs", stats.active_dialogs),
        ("media ports", line.bridge.media_ports_taken()),
        ("participants", len(left)),
        ("rooms", len(await _rooms_left(line))),
    ):
        report.figure(f"mixed: {name} left", name, [float(count)], target=0)


async def _rooms_left(line: TestLine) -> list[str]:
    """The rooms there are, once livekit-server has had the time to end one that nobody is in."""
    for _ in range(50):
        if not await line.rooms():
            break
        await asyncio.sleep(0.1)
    return await line.rooms()


async def requests(*, quick: bool, report: Report) -> None:
    """Through our own api."""
    with tempfile.TemporaryDirectory(prefix="requests-") as name:
        await beside_livekit(Path(name), 8 if quick else 25, 10 if quick else 30, report)


async def run(*, quick: bool, report: Report) -> None:
    """All but the requests through our api."""
    calls = 8 if quick else 25
    with tempfile.TemporaryDirectory(prefix="dialling-") as name:
        folder = Path(name)
        servers: list[Server] = [started(lambda: redis_server(folder))]
        try:
            servers.append(started(lambda: livekit_server(folder, servers[0].port)))
            redis, livekit = servers
            async with TestLine(redis, livekit, folder / "room") as line:
                await not_waiting(line, calls, report)
                await waiting(line, calls, report)
            async with DirectLine(redis, livekit, folder) as direct:
                await first_word(direct, calls, report)
            tasks = asyncio.all_tasks()
            async with TestLine(redis, livekit, folder / "mixed") as line:
                await mixed(line, 20 if quick else 300, 0.5 if quick else 1.0, report)
            await asyncio.sleep(1.0)
            spare = asyncio.all_tasks() - tasks
            report.figure("mixed: tasks left", "tasks", [float(len(spare))], target=0)
            report.notes += [f"left: {task.get_coro()}" for task in spare]
        finally:
            for server in servers:
                server.stop()


def main() -> int:
    """Measure and report."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--requests", action="store_true", help="only the requests through our api")
    options = parser.parse_args()
    logs.configure("ERROR")
    began = time.monotonic()
    report = Report("Calls of our own")
    if not options.requests:
        asyncio.run(run(quick=options.quick, report=report))
    asyncio.run(requests(quick=options.quick, report=report))
    report.notes.append(f"{time.monotonic() - began:.0f} s in all")
    return report.show(as_json=options.as_json)


if __name__ == "__main__":
    raise SystemExit(main())
