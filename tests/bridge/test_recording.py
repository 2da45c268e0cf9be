"""Recordings of direct calls, decoded: both legs on one time line."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from telephony.audio.level import dbfs
from tests.bridge.direct import DirectLine
from tests.bridge.phone import Tone
from tests.recording.test_recorder import read
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from telephony.audio.frame import Samples
    from tests.bridge.direct import JobDouble
    from tests.bridge.phone import Phone
    from tests.bridge.servers import Server

pytestmark = pytest.mark.component

LOUD_DBFS = -30.0
BURSTS = 4
APART_S = 1.0


def onsets(samples: Samples, rate: int) -> list[float]:
    """The seconds at which it becomes loud after a fifth of a second of quiet."""
    step = rate // 100
    frames = samples[: len(samples) // step * step].reshape(-1, step)
    loud = [number * 0.01 for number, frame in enumerate(frames) if dbfs(frame) > LOUD_DBFS]
    return loud[:1] + [later for earlier, later in pairwise(loud) if later - earlier > 0.2]


async def echo(job: JobDouble, times: int) -> None:
    """Say something as soon as the caller becomes audible, so many times."""
    for _ in range(times):
        at = len(job.heard)
        while not any(dbfs(frame) > LOUD_DBFS for frame in job.heard[at:]):
            at = max(at, len(job.heard) - 1)
            await asyncio.sleep(0.002)
        await job.say(400, 0.2)
        await asyncio.sleep(0.5)


async def test_both_legs_are_in_step_from_the_first_word_to_the_last(
    redis: Server, livekit: Server, tmp_path: Path, phone: Phone
) -> None:
    """An agent that answers each sound at once is right beside it in the file, the last time as the first."""
    folder = {"directory": str(tmp_path / "recordings")}
    async with DirectLine(redis, livekit, tmp_path, recording=folder) as direct:
        async with direct.up(phone) as (call, job, _):
            echoing = asyncio.create_task(echo(job, BURSTS))
            for _ in range(BURSTS):
                await asyncio.sleep(APART_S - 0.2)
                call.voice = Tone(700)
                await asyncio.sleep(0.2)
                call.voice = None
            await asyncio.wait_for(echoing, PATIENCE * 5)
            await call.bye()
        await direct.ended()
        ready = next(event for event in direct.events() if event["type"] == "recording.ready")
    (left, right), rate = read(Path(ready["data"]["path"]))
    said, answered = onsets(left, rate), onsets(right, rate)
    assert len(said) == len(answered) == BURSTS
    behind = [answer - word for word, answer in zip(said, answered, strict=True)]
    # One tick each way; the rest is what a busy machine takes.
    assert all(0.0 <= each <= 0.12 for each in behind), behind
    assert min(behind) <= 0.06
    assert abs(behind[-1] - behind[0]) <= 0.06
    assert said[-1] - said[0] == pytest.approx((BURSTS - 1) * APART_S, abs=0.1)
    assert len(left) / rate == pytest.approx(ready["data"]["duration_s"], abs=0.05)
