"""Applies that are killed in the middle and run again, while a caller keeps dialling through a real bridge.

Every round the operator's file changes: objects come, go, change in place and hand numbers to each other.
Two numbers are dialled all the while: one that no change concerns, and one whose trunk and rule both change
in place. The same two are asked for over the bus, as bridges do, far more often than a telephone can dial.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from provisioning.apply import apply_line
from provisioning.config import load
from provisioning.lease import read_lease
from provisioning.match import Call
from provisioning.objects import Kind
from provisioning.plan import make_plan
from telephony.errors import BusError
from tests.bridge.phone import Phone
from tests.bridge.servers import bridge_settings
from tests.provisioning.asking import Asking
from tests.waiting import limit, until

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator

    from provisioning.config import LineConfig
    from tests.provisioning.conftest import LiveKit

ROOT = Path(__file__).parents[2]
UNTOUCHED, CHANGED = "+15557000001", "+15557000002"
CALLER = "+15550009999"
_OTHERS = 24
_APPLY_WITHIN_S = 60.0
_RINGS_WITHIN_S = 20.0
_PAUSE_S = 0.3


@dataclass
class Dialled:
    """One call, or one question over the bus.

    Attributes:
        refused: it was not taken.
        strayed: it was taken by a trunk or rule that is not the number's own.
    """

    refused: bool
    strayed: bool = False
    why: str = ""


@dataclass
class UnderFire:
    """What came of all rounds."""

    killed: int = 0
    writes_before: list[int] = field(default_factory=list)
    partial: int = 0
    inexact: list[str] = field(default_factory=list)
    calls: dict[str, list[Dialled]] = field(default_factory=dict)

    @property
    def failed(self) -> list[str]:
        """Calls that should have been taken by their own rule and were not."""
        return [
            f"{who}: {one.why}"
            for who, all_ in self.calls.items()
            for one in all_
            if one.refused or one.strayed
        ]


def file_of(livekit: LiveKit, generation: int) -> str:
    """The operator's file of a round; neighbouring rounds differ in nearly everything but one number."""
    trunks = [
        _trunk("untouched", [UNTOUCHED]),
        _trunk(
            "changed", [CHANGED, f"+1555600{generation:04d}"], more=f"ringing_timeout: {30 + generation}s"
        ),
    ]
    rules = [_rule("untouched"), _rule("changed", more=f"metadata: {{generation: {generation}}}")]
    for n in range(_OTHERS):
        if n % 3 == 0 and generation % 2:
            continue  # comes and goes
        own = [f"+1555800{n:04d}", f"+1555900{(n + generation) % _OTHERS:04d}"]  # handed round
        trunks.append(_trunk(f"other{n}", own))
        rules.append(_rule(f"other{n}", more=f"metadata: {{generation: {generation // 2}}}"))
    head = f"livekit: {{url: '{livekit.url}', api_key: {livekit.api_key}, api_secret: {livekit.api_secret}}}"
    return "\n".join([head, "sip_trunks:", *trunks, "routing:", "  inbound_rules:", *rules, ""])


def _trunk(name: str, numbers: list[str], more: str = "") -> str:
    listed = ", ".join(f'"{number}"' for number in numbers)
    also = f", {more}" if more else ""
    return f'  - {{name: {name}, numbers: [{listed}], allowed_addresses: ["127.0.0.0/8"]{also}}}'


def _rule(name: str, more: str = "") -> str:
    also = f", {more}" if more else ""
    kind = f"{{dispatch_rule_callee: {{room_prefix: {name}, randomize: true}}}}"
    return f"    - {{name: {name}, trunks: [{name}], rule: {kind}, assistant: reception{also}}}"


async def under_fire(livekit: LiveKit, folder: Path, kills: int, chance: random.Random) -> UnderFire:
    """Apply a first file, then kill and resume as many changes of it.

    Args:
        livekit: an empty livekit-server.
        folder: for the files and the bridge.
        kills: how many applies are killed.
        chance: after which write, and how long after it.
    """
    file = folder / "line.yaml"
    file.write_text(file_of(livekit, 0))
    result = UnderFire()
    await _apply(livekit, load(file, {}).config)
    ids = await _ids(livekit)
    async with _callers(livekit, folder, ids, result):
        generation = 0
        while result.killed < kills:
            generation += 1
            file.write_text(file_of(livekit, generation))
            await _round(livekit, file, chance, result)
    if await _ids(livekit) != ids:
        result.inexact.append("a trunk or rule that changed in place has another id now")
    return result


async def _round(livekit: LiveKit, file: Path, chance: random.Random, result: UnderFire) -> None:
    config = load(file, {}).config
    async with livekit.service() as service:
        plan = make_plan(config, await service.list_all())
    steps = sum(len(chain.steps) for chain in plan.chains)
    process = await _start(file)
    written = await _kill_after(process, chance.randrange(steps), chance.uniform(0, 0.004))
    result.killed += process.returncode == -9
    result.writes_before.append(written)
    result.partial += bool(await _unlike(livekit, config)) and written > 0
    await _apply(livekit, config)
    result.inexact += await _unlike(livekit, config)


async def _kill_after(process: asyncio.subprocess.Process, writes: int, delay_s: float) -> int:
    """Kill an apply after it has told of so many writes; returns how many it told of."""
    assert process.stdout is not None
    planned, told = False, 0
    async with limit(_APPLY_WITHIN_S):
        while not planned or told < writes:
            text = await process.stdout.readline()
            if not text:
                break
            planned = planned or text.startswith(b"Plan:")
            told += text.startswith((b"  created ", b"  replaced ", b"  deleted "))
        await asyncio.sleep(delay_s)
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()
    return told


async def _apply(livekit: LiveKit, config: LineConfig) -> None:
    await apply_line(config, url=livekit.url, api_key=livekit.api_key, api_secret=livekit.api_secret)


async def _start(file: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "provisioning", "apply", "--yes", "--config", str(file)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


async def _unlike(livekit: LiveKit, config: LineConfig) -> list[str]:
    """In what the server is not exactly as the file says; empty: nothing missing, too much, or left over."""
    async with livekit.service() as service:
        lives = await service.list_all()
        plan = make_plan(config, lives)
        unlike = [f"{change.verb} {change.key}" for change in plan.changes]
        if not unlike and len(lives) != len(plan.unchanged):
            unlike.append(f"{len(lives)} objects instead of {len(plan.unchanged)}")
        left = [live for live in await service.list_kind(Kind.OUTBOUND) if read_lease(live.message)]
        return unlike + [f"lease {live.id} was left" for live in left]


async def _ids(livekit: LiveKit) -> dict[str, tuple[str, str]]:
    """Number to the ids of its trunk and its rule."""
    async with livekit.service() as service:
        lives = await service.list_all()
    named = {(live.kind, live.message.name): live.id for live in lives}
    return {
        number: (named[Kind.INBOUND, name], named[Kind.RULE, name])
        for number, name in ((UNTOUCHED, "untouched"), (CHANGED, "changed"))
    }


@contextlib.asynccontextmanager
async def _callers(
    livekit: LiveKit, folder: Path, ids: dict[str, tuple[str, str]], result: UnderFire
) -> AsyncIterator[None]:
    """Somebody dials, and somebody asks, until the block is left."""
    names = {UNTOUCHED: "untouched", CHANGED: "changed"}
    stop = asyncio.Event()
    async with (
        _bridge(livekit, folder) as sip_port,
        Phone() as phone,
        Asking(livekit.redis.port) as asking,
        asyncio.TaskGroup() as tasks,
    ):
        for number, name in names.items():
            asked = result.calls.setdefault(f"{name} number, asked for", [])
            tasks.create_task(_ask(asking, number, ids[number], asked, stop))
        rung = {
            number: result.calls.setdefault(f"{name} number, dialled", []) for number, name in names.items()
        }
        tasks.create_task(_dial(phone, sip_port, rung, stop))
        try:
            yield
        finally:
            stop.set()
    for text in (
        line for file in (folder / "events").glob("*.jsonl") for line in file.read_text().splitlines()
    ):
        event = json.loads(text)
        if event["type"] == "call.ringing":
            found, number = (event["data"]["trunk_id"], event["data"]["rule_id"]), event["data"]["to"]
            if found != ids[number]:
                why = f"taken by {found} instead of {ids[number]}"
                rung[number].append(Dialled(refused=False, strayed=True, why=why))


@contextlib.asynccontextmanager
async def _bridge(livekit: LiveKit, folder: Path) -> AsyncIterator[int]:
    """A bridge in a process of its own; its SIP port."""
    ready = folder / "bridge.json"
    where = {"events_dir": str(folder / "events"), "ready_file": str(ready)}
    settings = bridge_settings(livekit.url, livekit.redis_address, **where)
    file = folder / "bridge.yaml"
    file.write_text(yaml.safe_dump(settings))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "telephony.bridge", "--config", str(file)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=ROOT,
    )
    try:
        await until(ready.exists, timeout_s=30)
        yield int(json.loads(ready.read_text())["sip_port"])
    finally:
        # It has nothing to say any more, and rooms that were joined in vain are not waited for.
        process.kill()
        await process.wait()


async def _dial(phone: Phone, sip_port: int, calls: dict[str, list[Dialled]], stop: asyncio.Event) -> None:
    """Dial one number and the other, hang up as soon as it rings; a number that is not taken never rings."""
    for number in itertools.cycle(calls):
        if stop.is_set():
            return
        call = await phone.call(number, sip_port, caller=CALLER)
        final = asyncio.ensure_future(call.final(_RINGS_WITHIN_S))
        deadline = time.monotonic() + _RINGS_WITHIN_S
        while not final.done() and time.monotonic() < deadline:
            if any(status == 180 for status, _ in call.provisionals):
                call.invite.cancel()
                break
            await asyncio.sleep(0.005)
        status = (await final).status
        rang = any(status == 180 for status, _ in call.provisionals)
        calls[number].append(Dialled(refused=not rang or status != 487, why=f"{number} got {status}"))
        await asyncio.sleep(_PAUSE_S)  # every call has a room joined and left, which is not cheap


async def _ask(
    asking: Asking, number: str, ids: tuple[str, str], calls: list[Dialled], stop: asyncio.Event
) -> None:
    call = Call(to_user=number, from_user=CALLER, source_ip="127.0.0.1")
    while not stop.is_set():
        try:
            outcome = await asking.outcome(call)
        except BusError:
            continue  # a machine too busy to answer within a second has said nothing of the number
        taken = outcome.result == "accepted"
        strayed = taken and (outcome.trunk_id, outcome.rule_id) != ids
        calls.append(Dialled(refused=not taken, strayed=strayed, why=f"{number} got {outcome}"))
        await asyncio.sleep(0.03)
