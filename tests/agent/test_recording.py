"""Calls through the room, recorded by their job."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from telephony.audio.level import dbfs
from telephony.audio.tones import sine
from tests.agent.conftest import timed_worker_in
from tests.agent.telephone import Telephone
from tests.recording.test_recorder import read
from tests.waiting import limit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from telephony.audio.frame import Samples
    from telephony.calls.events import Event
    from tests.agent.worker_process import WorkerProcess

pytestmark = [pytest.mark.component, pytest.mark.asyncio]

NAME = "recorded-desk"


@pytest.fixture
async def worker(url: str, tmp_path: Path) -> AsyncIterator[WorkerProcess]:
    """A worker that records."""
    worker = timed_worker_in(tmp_path, url, NAME)
    worker.config += "recording: {enabled: true, format: ogg}\n"
    await asyncio.to_thread(worker.start)
    yield worker
    await asyncio.to_thread(worker.stop)


async def recorded(worker: WorkerProcess, telephone: Telephone) -> Event:
    """Wait for the call's recording."""
    async with limit(10):
        while True:
            for event in worker.events(telephone.call_id):
                if event.type == "recording.ready":
                    return event
            await asyncio.sleep(0.05)


def loud(samples: Samples, rate: int) -> list[float]:
    """The seconds at which a channel is loud."""
    step = rate // 50
    frames = samples[: len(samples) // step * step].reshape(-1, step)
    return [at * 0.02 for at, frame in enumerate(frames) if dbfs(frame) > -40]


async def test_the_job_records_what_it_hears_and_what_it_plays(url: str, worker: WorkerProcess) -> None:
    """Caller left, agent right, each as long and at the time as the caller heard it."""
    async with Telephone(url, agent_name=NAME) as telephone:
        await telephone.answered()
        began = await telephone.hears_agent(8.0)
        telephone.say(sine(700, 0.5))
        await telephone.said()
        await asyncio.sleep(1.0)
        heard_s = 0.02 * sum(dbfs(frame) > -40 for at, frame in telephone.heard if at >= began)
        await telephone.hang_up()
        event = await recorded(worker, telephone)
    assert Path(event.data["path"]).parent == worker.data / "recordings" / "incoming"
    (left, right), rate = read(Path(event.data["path"]))
    caller, agent = loud(left, rate), loud(right, rate)
    assert 0.3 <= len(caller) * 0.02 <= 0.8
    assert len(agent) * 0.02 == pytest.approx(heard_s, abs=0.6)
    assert agent[0] <= caller[0] + 0.1, "the agent spoke first"
