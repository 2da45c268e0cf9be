"""Dispatches of LiveKit's own reach a worker that is registered with the dispatcher."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import aiohttp
import pytest
from livekit import api, rtc
from livekit.protocol import agent as wire

from telephony.dispatch.tokens import JobTokens
from tests.bridge.servers import API_KEY, API_SECRET
from tests.dispatch.machine import Machine, WorkerDouble
from tests.waiting import limit, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.bridge.servers import Server

pytestmark = pytest.mark.component


@pytest.fixture
async def relaying(livekit: Server, tmp_path: Path) -> AsyncIterator[Machine]:
    """A dispatcher on a real livekit-server."""
    async with Machine(tmp_path, f"ws://127.0.0.1:{livekit.port}") as machine:
        yield machine


async def _dispatch(machine: Machine, agent: str) -> str:
    """Dispatch an agent to a new room by LiveKit's API; returns the room."""
    room = f"web_{secrets.token_hex(4)}"
    async with api.LiveKitAPI(machine.url.replace("ws", "http", 1), API_KEY, API_SECRET) as client:
        await client.agent_dispatch.create_dispatch(
            api.CreateAgentDispatchRequest(agent_name=agent, room=room, metadata="web")
        )
    return room


async def _served(machine: Machine, worker: WorkerDouble, agent: str) -> wire.JobAssignment:
    """Dispatch until the job comes: the server learns of a worker a moment after it registered."""
    for _ in range(20):
        try:
            await _dispatch(machine, agent)
            await until(lambda: bool(worker.assigned), timeout_s=1.0)
        except (TimeoutError, api.ServerError):
            continue
        return worker.assigned[0]
    raise AssertionError("no dispatch reached the worker")


async def test_a_dispatch_of_the_api_reaches_the_worker(relaying: Machine) -> None:
    """The job comes with livekit-server's own token and its address, and its room can be joined."""
    agent = f"agent-{secrets.token_hex(3)}"
    async with relaying.worker(agent=agent) as worker:
        given = await _served(relaying, worker, agent)
        assert given.url == relaying.url
        assert given.job.metadata == "web"
        room = rtc.Room()
        await room.connect(given.url, given.token)
        assert room.local_participant.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT
        await room.disconnect()


async def test_both_kinds_of_jobs_go_through_one_worker(relaying: Machine) -> None:
    """Calls of this machine and the API's share the worker, and each side hears of its own only."""
    agent = f"agent-{secrets.token_hex(3)}"
    async with relaying.worker(agent=agent) as worker:
        theirs = await _served(relaying, worker, agent)
        ours = await relaying.launch(agent_name=agent)
        await until(lambda: len(worker.assigned) == 2)
        await worker.job_ended(theirs.job.id, wire.JobStatus.JS_SUCCESS)
        await worker.job_ended(ours.job_id, wire.JobStatus.JS_FAILED)
        await until(lambda: relaying.over == ["failed"])


async def test_a_job_of_ours_may_enter_its_room(relaying: Machine) -> None:
    """The token made here is accepted by the server for joining, and for nothing else."""
    agent = f"agent-{secrets.token_hex(3)}"
    name = f"call_{secrets.token_hex(4)}"
    async with relaying.worker(agent=agent) as worker:
        await relaying.launch(agent_name=agent, room=name)
        await until(lambda: bool(worker.assigned))
        given = worker.assigned[0]
        room = rtc.Room()
        await room.connect(given.url, given.token)
        assert room.name == name
        assert room.local_participant.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT
        await room.disconnect()
    address = given.url.replace("ws", "http", 1) + "/twirp/livekit.RoomService/"
    headers = {"Authorization": f"Bearer {given.token}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        for method, body in (
            ("ListRooms", {}),
            ("DeleteRoom", {"room": name}),
            ("CreateRoom", {"name": "x"}),
        ):
            async with session.post(address + method, json=body) as answer:
                assert answer.status in (401, 403)


async def test_the_relay_is_made_anew_after_the_server_was_away(livekit: Server, tmp_path: Path) -> None:
    """A server that is started again gets the worker again, and calls of this machine never noticed."""
    agent = f"agent-{secrets.token_hex(3)}"
    url = f"ws://127.0.0.1:{livekit.port}"
    async with Machine(tmp_path, url) as machine, machine.worker(agent=agent) as worker:
        livekit.stop()
        try:
            await machine.launch(agent_name=agent)
            await until(lambda: len(worker.assigned) == 1)
        finally:
            livekit.start()
        worker.assigned.clear()
        given = await _served(machine, worker, agent)
        assert given.job.metadata == "web"


async def test_a_worker_can_register_while_the_server_is_away(machine: Machine) -> None:
    """Calls of this machine are dispatched although no livekit-server has ever answered."""
    async with limit(10), machine.worker() as worker:
        assert worker.worker_id.startswith("AW_")
        await machine.launch()


def test_a_worker_token_is_what_livekit_server_wants() -> None:
    """The relay registers with a grant for agents and for nothing else."""
    claims = api.TokenVerifier(API_KEY, API_SECRET).verify(JobTokens(API_KEY, API_SECRET).worker())
    assert claims.video is not None
    assert claims.video.agent
    assert not claims.video.room_join
