"""Jobs that are killed behind room audio: another one goes on, or the room is ended."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.agent.conftest import timed_worker_in
from tests.agent.telephone import Telephone
from tests.waiting import limit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.agent.worker_process import WorkerProcess

pytestmark = [pytest.mark.component, pytest.mark.asyncio]

GREETED_S = 8.0
WITHIN_S = 6.0
"""Promised are two seconds; a machine that does other things too gets more."""


@pytest.fixture
async def worker(url: str, tmp_path: Path) -> AsyncIterator[WorkerProcess]:
    """A worker whose jobs will die."""
    worker = timed_worker_in(tmp_path, url, f"mortal-{tmp_path.name[-12:].strip('_').replace('_', '-')}")
    await asyncio.to_thread(worker.start)
    yield worker
    await asyncio.to_thread(worker.stop)


async def job_number(worker: WorkerProcess, telephone: Telephone, number: int) -> int:
    """Wait for the process of a call's nth job."""
    async with limit(GREETED_S):
        while True:
            pids = [
                int(line["pid"])
                for line in worker.lines()
                if line["event"] == "agent_started" and line.get("call_id") == telephone.call_id
            ]
            if len(pids) >= number:
                return pids[number - 1]
            await asyncio.sleep(0.05)


def agent_name(worker: WorkerProcess) -> str:
    """The worker's agent."""
    return worker.config.partition("name: ")[2].partition(",")[0]


async def test_another_job_goes_on_where_one_was_killed(url: str, worker: WorkerProcess) -> None:
    """The caller hears the agent again, the record tells of both jobs, and the talk is not begun anew."""
    async with Telephone(url, agent_name=agent_name(worker)) as telephone:
        await telephone.answered()
        await telephone.hears_agent(GREETED_S)
        await telephone.hears_silence(GREETED_S)
        os.kill(await job_number(worker, telephone, 1), signal.SIGKILL)
        died_at = time.monotonic()
        await job_number(worker, telephone, 2)
        assert time.monotonic() - died_at < WITHIN_S
        await telephone.hears_agent(GREETED_S, since=died_at + 0.5)
        assert not telephone.hung_up.is_set()
        started = [event for event in worker.events(telephone.call_id) if event.type == "agent.started"]
        assert [event.data["resumed"] for event in started] == [False, True]
        assert not list((worker.data / "journals").glob("*.new"))
    assert "job_replaced" in [line["event"] for line in worker.lines()]


async def test_jobs_that_always_die_end_the_room(url: str, worker: WorkerProcess) -> None:
    """The third death is the last: the caller is let go instead of waiting in silence."""
    async with Telephone(url, agent_name=agent_name(worker)) as telephone:
        await telephone.answered()
        for number in (1, 2, 3):
            pid = await job_number(worker, telephone, number)
            await asyncio.sleep(0.3)
            os.kill(pid, signal.SIGKILL)
        async with limit(WITHIN_S):
            await telephone.hung_up.wait()


async def test_a_room_without_a_caller_is_ended(url: str, worker: WorkerProcess) -> None:
    """Nobody is sent for where the caller has gone already."""
    async with Telephone(url, agent_name=agent_name(worker)) as telephone:
        pid = await job_number(worker, telephone, 1)
        os.kill(pid, signal.SIGSTOP)
        await telephone.hang_up()
        os.kill(pid, signal.SIGKILL)
        async with limit(WITHIN_S):
            while not any(line["event"] == "job_died" for line in worker.lines()):
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
    assert not any(line["event"] == "job_replaced" for line in worker.lines())
