"""A dispatcher, its workers and a bridge, over real sockets."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
import pytest
from livekit import api
from livekit.protocol import agent as wire

from telephony.dispatch.client import DispatchClient
from telephony.dispatch.tokens import JobTokens
from telephony.errors import DispatchError
from telephony.link.listener import connect
from tests.bridge.servers import API_KEY, API_SECRET
from tests.dispatch.machine import AGENT, NOWHERE, Machine
from tests.waiting import PATIENCE, until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.component


async def test_a_job_reaches_a_worker_with_all_it_needs(machine: Machine) -> None:
    """Metadata, attributes and room are the request's; server and token are the real server's."""
    async with machine.worker() as worker:
        job = await machine.launch()
        await until(lambda: bool(worker.assigned))
        given = worker.assigned[0]
        assert given.job.id == job.job_id
        assert given.job.metadata == '{"assistant": "reception"}'
        assert dict(given.job.attributes) == {"trunkline.link": "x.call"}
        assert (given.job.room.name, given.job.agent_name) == ("call_1", AGENT)
        assert given.url == NOWHERE, "the worker must not take the dispatcher for the server"
        claims = api.TokenVerifier(API_KEY, API_SECRET).verify(given.token)
        assert claims.identity == f"agent-{job.job_id}"
        assert claims.video is not None
        assert (claims.video.room, claims.video.can_publish) == ("call_1", True)


async def test_a_full_worker_is_followed_by_the_next(machine: Machine) -> None:
    """A worker that says no is asked once; the next one gets the call."""
    async with machine.worker(limit=0) as full, machine.worker() as free:
        await machine.launch()
        await until(lambda: bool(free.assigned))
        await machine.launch()
        await until(lambda: len(free.assigned) == 2)
        assert not full.assigned


async def test_all_full_is_said_at_once(machine: Machine) -> None:
    """Nobody is kept ringing for a place that is not there, however patient the call."""
    async with machine.worker(limit=0) as full:
        began = asyncio.get_running_loop().time()
        with pytest.raises(DispatchError) as refused:
            await machine.launch(patience_s=30.0)
        assert refused.value.reason == "full"
        assert len(full.asked) == 1
        assert asyncio.get_running_loop().time() - began < 5.0


async def test_a_call_that_is_up_waits_for_a_free_place(machine: Machine) -> None:
    """A replacement is asked for again and again, since the dead job's place is about to be free."""
    async with machine.worker(limit=0) as worker:
        launching = asyncio.create_task(machine.launch(patience_s=20.0, persistent=True))
        await until(lambda: len(worker.asked) >= 2)
        worker.limit = 1
        await asyncio.wait_for(launching, PATIENCE * 5.0)


async def test_nobody_there_is_said_when_patience_ends(machine: Machine) -> None:
    """Without any worker the call is refused, at once or after the wait that it can afford."""
    with pytest.raises(DispatchError) as refused:
        await machine.launch()
    assert refused.value.reason == "no_worker"
    with pytest.raises(DispatchError, match="No worker is registered"):
        await machine.launch(patience_s=0.2)


async def test_a_worker_that_comes_in_time_gets_the_call(machine: Machine) -> None:
    """A worker that is being started again takes the call that waited for it."""
    launching = asyncio.create_task(machine.launch(patience_s=20.0))
    await asyncio.sleep(0.1)
    async with machine.worker() as worker:
        await asyncio.wait_for(launching, PATIENCE * 5.0)
        await until(lambda: bool(worker.assigned))


async def test_a_silent_worker_is_passed_over(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that hangs costs a call one wait, not the call."""
    monkeypatch.setattr("telephony.dispatch.launcher.ANSWER_S", 0.1)
    async with machine.worker(silent=True), machine.worker() as good:
        for _ in range(3):
            await machine.launch()
        await until(lambda: len(good.assigned) == 3)


async def test_a_draining_worker_gets_no_calls(machine: Machine) -> None:
    """A worker that says it is full is not asked until it says otherwise."""
    async with machine.worker() as worker:
        await worker.status(wire.WorkerStatus.WS_FULL)
        await until(lambda: machine.service.launcher.roster.choose(AGENT, ()) is None)
        with pytest.raises(DispatchError):
            await machine.launch()
        await worker.status(wire.WorkerStatus.WS_AVAILABLE)
        await machine.launch(patience_s=5.0, persistent=True)


async def test_ten_calls_at_once_are_shared_out(machine: Machine) -> None:
    """Simultaneous calls are counted as they are given, so none is refused and no worker gets all."""
    async with machine.worker(limit=5) as one, machine.worker(limit=5) as other:
        jobs = await asyncio.gather(*(machine.launch() for _ in range(10)))
        assert len({job.job_id for job in jobs}) == 10
        await until(lambda: len(one.assigned) == len(other.assigned) == 5)


@pytest.mark.parametrize(
    ("status", "state"),
    [(wire.JobStatus.JS_FAILED, "failed"), (wire.JobStatus.JS_SUCCESS, "succeeded")],
)
async def test_the_bridge_hears_how_a_job_ended(machine: Machine, status: wire.JobStatus, state: str) -> None:
    """What the worker says of a job reaches the bridge that asked for it, once."""
    async with machine.worker() as worker:
        job = await machine.launch()
        await worker.job_ended(job.job_id, wire.JobStatus.JS_RUNNING)
        await worker.job_ended(job.job_id, status)
        await worker.job_ended(job.job_id, status)
        await until(lambda: bool(machine.over))
        assert machine.over == [state]


async def test_a_lost_worker_is_told_of_its_jobs(machine: Machine) -> None:
    """When a worker's connection ends, whoever waits for one of its jobs knows."""
    async with machine.worker() as worker:
        await machine.launch()
        await worker.die()
        await until(lambda: machine.over == ["worker_lost"])


async def test_a_worker_that_dies_while_it_is_asked_is_passed_over(machine: Machine) -> None:
    """The call of a worker that dies before it answers goes to the next one."""
    async with machine.worker(silent=True) as dying:
        launching = asyncio.create_task(machine.launch(patience_s=10.0))
        await until(lambda: bool(dying.asked))
        async with machine.worker() as other:
            await dying.die()
            await asyncio.wait_for(launching, PATIENCE * 5.0)
            await until(lambda: bool(other.assigned))


async def test_an_abandoned_job_is_ended(machine: Machine) -> None:
    """A caller who gave up leaves no job behind, and its end is not told."""
    async with machine.worker() as worker:
        job = await machine.launch()
        machine.client.abandon(job)
        await until(lambda: worker.terminated == [job.job_id])
        await worker.job_ended(job.job_id, wire.JobStatus.JS_SUCCESS)
        await machine.launch()
        assert machine.over == []


async def test_a_request_that_is_not_waited_for_leaves_no_job(machine: Machine) -> None:
    """Whoever stops waiting while a worker is asked gets no job that nobody knows of."""
    async with machine.worker(silent=True) as worker:
        launching = asyncio.create_task(machine.launch())
        await until(lambda: bool(worker.asked))
        launching.cancel()
        await until(lambda: worker.terminated == [worker.asked[0].id])


async def test_bridge_and_workers_come_back_after_the_dispatcher_died(machine: Machine) -> None:
    """A dispatcher that was started anew is found again; a call in between waits for it."""
    await machine.restart()
    launching = asyncio.create_task(machine.launch(patience_s=20.0))
    async with machine.worker() as worker:
        await asyncio.wait_for(launching, PATIENCE * 10.0)
        await until(lambda: bool(worker.assigned))


async def test_without_a_dispatcher_the_call_is_refused(machine: Machine) -> None:
    """A bridge whose dispatcher is away says so when its patience ends, and no later."""
    await machine.service.stop()
    await until(lambda: not machine.client.connected)
    with pytest.raises(DispatchError) as refused:
        await machine.launch(patience_s=0.2)
    assert refused.value.reason == "away"


async def test_the_bridge_knows_whom_it_can_ask_for(machine: Machine) -> None:
    """Served are agents that workers came for, and those that are expected; also while all is down."""
    assert not machine.client.serves(AGENT)
    async with machine.worker():
        await until(lambda: machine.client.serves(AGENT))
    await until(lambda: not machine.client.serves(AGENT))
    machine.expected = (AGENT,)
    await machine.restart()
    await until(lambda: machine.client.serves(AGENT))
    await machine.service.stop()
    await until(lambda: not machine.client.connected)
    assert machine.client.serves(AGENT)


async def test_nobody_registers_without_a_workers_token(machine: Machine) -> None:
    """A websocket without the right token is refused with 401."""
    tokens = JobTokens(API_KEY, "another-secret-of-more-than-32-characters")
    url = f"http://127.0.0.1:{machine.service.port}/agent"
    async with aiohttp.ClientSession() as session:
        for headers in ({}, {"Authorization": f"Bearer {tokens.worker()}"}):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(url, headers=headers)
            assert refused.value.status == 401


async def test_garbage_from_workers_and_bridges_hurts_nobody(machine: Machine) -> None:
    """What cannot be understood costs its sender the connection at most."""
    stranger = connect(machine.path)
    stranger.send(b"garbage")
    tokens = JobTokens(API_KEY, API_SECRET)
    url = f"http://127.0.0.1:{machine.service.port}/agent"
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url, headers={"Authorization": f"Bearer {tokens.worker()}"}) as socket,
    ):
        await socket.send_bytes(b"\xff\xff\xff")
        assert (await socket.receive(timeout=5)).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
    async with machine.worker() as worker:
        assert worker._socket is not None
        await worker._socket.send_bytes(b"\xff\xff\xff")
        await worker._socket.send_str("text")
        await machine.launch()
    stranger.close()


async def test_another_version_is_left(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bridge of another installation is not served, and goes on trying without harm."""
    monkeypatch.setattr("telephony.dispatch.client.VERSION", 99)
    client = DispatchClient(machine.path)
    client.start()
    await asyncio.sleep(0.3)
    assert not client.connected
    await client.close()
    await asyncio.sleep(0)


async def test_its_health_is_asked_over_http(machine: Machine) -> None:
    """GET / answers 200 while the dispatcher lives."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{machine.service.port}/") as answer,
    ):
        assert answer.status == 200


async def test_a_place_is_kept_before_the_worker_has_answered(tmp_path: Path) -> None:
    """As many launches as there are places hear so at once, one more only what the worker says."""
    async with Machine(tmp_path, max_calls=2) as machine, machine.worker(slow_s=0.2) as worker:
        launches = [asyncio.create_task(machine.launch()) for _ in range(3)]
        await until(lambda: len(machine.reserved) == 2)
        assert not worker.assigned
        await asyncio.gather(*launches)
        assert len(machine.reserved) == 2
        await worker.job_ended(worker.assigned[0].job.id, wire.JobStatus.JS_SUCCESS)
        await worker.job_ended(worker.assigned[1].job.id, wire.JobStatus.JS_FAILED)
        await until(lambda: len(machine.over) == 2)
        await machine.launch()
        assert len(machine.reserved) == 3
