"""A caller on a bad line, with a clock of its own, through real sockets: what the agent gets is whole."""

from __future__ import annotations

import asyncio
import json
from itertools import groupby
from typing import TYPE_CHECKING

import pytest

from telephony.audio.level import dbfs
from telephony.audio.tones import sine
from telephony.caller.run import run_script
from telephony.caller.script_file import parse_script
from tests.bridge.direct import DirectLine
from tests.bridge.line import TestLine
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from telephony.audio.frame import Samples
    from telephony.caller.report import CallReport
    from tests.bridge.servers import Server

pytestmark = pytest.mark.component

SPOKEN_S = 6.0
BAD = {"loss": 0.05, "jitter_ms": 40.0, "reorder": 0.02, "drift_ppm": 200.0}


class LongTone:
    """A voice that never pauses."""

    async def speak(self, _: str) -> Samples:
        return sine(500, SPOKEN_S)


async def call(line: TestLine) -> CallReport:
    """Somebody speaks for a while and hangs up."""
    steps = [{"say": {"text": "Aaaa", "when": "after_ms", "after_ms": 1500}}, {"wait": 0.7}, "hang_up"]
    script = parse_script(json.dumps({"name": "bad", "settings": {"impairment": BAD}, "steps": steps}))
    return await run_script(script, f"sip:{line.number}@127.0.0.1:{line.port}", voice=LongTone())


def check(heard: list[Samples], line: TestLine) -> None:
    """All of it, in one piece: losses are filled, and only a stall of the machine makes a longer gap."""
    loud = [dbfs(frame) > -40 for frame in heard]
    first, last = loud.index(True), len(loud) - 1 - loud[::-1].index(True)
    assert (last - first) * 0.02 == pytest.approx(SPOKEN_S, abs=0.3)
    gaps = [len(list(run)) for is_loud, run in groupby(loud[first:last]) if not is_loud]
    assert sum(gap > 3 for gap in gaps) <= 1, gaps
    ended = line.events()[-1]["data"]
    assert 0.02 <= ended["lost"] / ended["packets"] <= 0.09
    assert ended["concealed"] <= 0.12 * ended["packets"]


async def test_a_direct_call_on_a_bad_line(redis: Server, livekit: Server, tmp_path: Path) -> None:
    """Loss, jitter, disorder and drift together: the job hears the caller without a hole."""
    async with DirectLine(redis, livekit, tmp_path) as line:
        await line.provision_agent()
        async with line.worker() as worker:
            calling = asyncio.create_task(call(line))
            job = await line.ready_job(worker)
            assert (await calling).ok
        await line.ended()
        check(job.heard, line)


async def test_a_room_call_on_a_bad_line(redis: Server, livekit: Server, tmp_path: Path) -> None:
    """The same through the room: the same jitter buffer lies before it."""
    async with TestLine(redis, livekit, tmp_path) as line:
        await line.provision()
        calling = asyncio.create_task(call(line))
        await line.room_appears()
        async with line.person() as agent:
            await agent.speak(440, seconds=0.2)
            await until(lambda: any(dbfs(frame) > -40 for frame in agent.heard[-50:]), timeout_s=15)
            assert (await calling).ok
            await line.ended()
            check(agent.heard, line)
