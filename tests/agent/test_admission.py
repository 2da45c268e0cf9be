import asyncio
from typing import Any, cast

import pytest
from livekit.agents import JobRequest
from livekit.protocol import agent as wire
from livekit.protocol import models

from telephony.agent.admission import FULL_LOAD, Admission, is_repeated
from telephony.calls import job_attributes

pytestmark = pytest.mark.pure


class Worker:
    """A worker whose jobs take a moment to get into a process."""

    def __init__(self) -> None:
        self.running = 0
        self.refused: list[bool] = []

    def request(self) -> JobRequest:
        return cast("JobRequest", Request(self))


class Request:
    id = "AJ_test"

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def accept(self, **_: Any) -> None:
        await asyncio.sleep(0.01)
        self._worker.running += 1

    async def reject(self, *, terminate: bool) -> None:
        self._worker.refused.append(terminate)


async def test_requests_at_the_same_moment_are_all_counted() -> None:
    """Of five requests that arrive before any job runs, exactly as many as the limit are taken."""
    worker = Worker()
    admission = Admission(3, lambda: worker.running)
    await asyncio.gather(*(admission.answer(worker.request()) for _ in range(5)))
    assert worker.running == 3
    assert worker.refused == [False, False]


async def test_it_tells_how_many_calls_wait_for_a_process() -> None:
    """Processes that are being prepared hurry as long as there are any."""
    worker, told = Worker(), list[int]()
    admission = Admission(3, lambda: worker.running, told.append)
    await asyncio.gather(*(admission.answer(worker.request()) for _ in range(2)))
    assert told == [1, 2, 1, 0]


async def test_a_call_that_ended_makes_room() -> None:
    """The count is of calls that are there, not of calls that ever were."""
    worker = Worker()
    admission = Admission(1, lambda: worker.running)
    await admission.answer(worker.request())
    await admission.answer(worker.request())
    worker.running -= 1
    await admission.answer(worker.request())
    assert worker.running == 1
    assert len(worker.refused) == 1


async def test_load_is_the_share_of_the_limit() -> None:
    """The server is told how full the worker is, and is never told not to ask."""
    worker = Worker()
    admission = Admission(4, lambda: worker.running)
    loads = []
    for worker.running in (0, 1, 4, 9):
        loads.append(admission.load)
    assert loads == [0, FULL_LOAD / 4, FULL_LOAD, FULL_LOAD]
    assert FULL_LOAD < 0.7


async def test_a_job_that_could_not_be_started_is_not_counted_for_ever() -> None:
    """An assignment that never comes frees its place."""

    class Broken(Request):
        async def accept(self, **_: Any) -> None:
            raise TimeoutError

    worker = Worker()
    admission = Admission(1, lambda: worker.running)
    with pytest.raises(TimeoutError):
        await admission.answer(cast("JobRequest", Broken(worker)))
    assert admission.calls == 0


def _job(sid: str, metadata: str = "", **attributes: str) -> wire.Job:
    job = wire.Job(agent_name="desk", metadata=metadata, room=models.Room(name="call_1", sid=sid))
    job.attributes.update(attributes)
    return job


def test_a_job_that_is_done_here_already_is_known() -> None:
    """A server that starts again sends for the agents of its rooms again; all else is another job."""
    running = [_job("RM_1", "a"), _job("")]
    assert is_repeated(_job("RM_1", "a"), running)
    assert not is_repeated(_job("RM_2", "a"), running), "a later room of the same name"
    assert not is_repeated(_job("RM_1", "b"), running), "another errand"
    assert not is_repeated(_job("RM_1", "a", **{job_attributes.RESUME: "AJ_dead"}), running), "a rescue"
    assert not is_repeated(_job(""), running), "of the direct line: the bridge knows what it sends for"
