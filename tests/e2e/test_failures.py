"""Parts that die while the line is up."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import pytest

from telephony.caller.script_file import load_script
from tests.e2e.conftest import RunningLine, what_went_wrong
from tests.waiting import limit

if TYPE_CHECKING:
    from telephony.caller.report import CallReport

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]


async def until_restarted(line: RunningLine, name: str, old: int) -> None:
    """Wait until a part runs under a new process id and is ready."""
    async with limit(40):
        while line.line.info().pids.get(name, old) == old:
            await asyncio.sleep(0.1)
        await asyncio.sleep(0.5)
        part = next(part for part in line.line.parts if part.name == name)
        while not await part.spec.ready():
            await asyncio.sleep(0.1)


async def call_until_good(line: RunningLine, tries: int = 4) -> CallReport:
    """Call again while the line recovers, as a person would."""
    report = await line.call("hello", to=line.line.info().sip)
    for _ in range(tries - 1):
        if report.ok:
            break
        await asyncio.sleep(3)
        report = await line.call("hello", to=line.line.info().sip)
    return report


@pytest.mark.parametrize("name", ["bridge", "speech", "worker", "livekit-server", "redis"])
async def test_a_part_that_is_killed_is_started_again(line: RunningLine, name: str) -> None:
    """The next calls are served again, on the same address."""
    watching = asyncio.create_task(line.line.watch())
    try:
        old = line.line.info().pids[name]
        os.kill(old, signal.SIGKILL)
        await until_restarted(line, name, old)
        report = await call_until_good(line)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    assert report.ok, what_went_wrong(report)
    assert line.line.info().sip == line.info.sip


async def test_a_call_is_no_silence_when_the_server_dies(line: RunningLine) -> None:
    """The talk goes on once the server is started again, or BYE comes: the call is over in bounded time."""
    watching = asyncio.create_task(line.line.watch())
    try:
        script = load_script("hello")
        calling = asyncio.create_task(line.call(script))
        await asyncio.sleep(2.5)
        os.kill(line.line.info().pids["livekit-server"], signal.SIGKILL)
        async with limit(40):
            report = await calling
        await until_restarted(line, "livekit-server", -1)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    assert report.ended_by in {"agent", "caller"}
    assert report.duration_s < 40
