"""A job that dies leaves nobody in a mute call.

When a job process is killed or crashes, livekit-server notices after some twenty seconds and a bridge
behind room audio not at all. The worker sees it at once: it sends for another job, which goes on where
the first one stopped, and ends the room where none begins in time. Both within ``RESCUE_S``.

On the direct line the bridge sees it sooner than the worker does, and does the same. Where the worker has
died with its jobs, the next one takes their calls over (``orphans``).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
from livekit import api
from livekit.agents.ipc.job_executor import JobStatus
from livekit.protocol.models import ParticipantInfo

from telephony.agent import orphans
from telephony.agent.hangup import HangUp
from telephony.agent.room import delete_room
from telephony.calls import job_attributes
from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

    from livekit.agents import AgentServer
    from livekit.agents.ipc.job_executor import JobExecutor
    from livekit.protocol import agent as wire

log = get_logger(__name__)

RESCUE_S = 1.7
"""How long another job may take to begin; then the room is ended."""

ADOPTION_S = 8.0
"""The same for the jobs of a worker that died: the new one has processes to start first."""

ORPHANED_S = 3.0
"""How long the processes of a worker that died may take to notice it."""

MAX_DEATHS = 3
"""Jobs of one call that may die."""

_LOOK_S = 0.1
_CALLERS = (ParticipantInfo.SIP, ParticipantInfo.STANDARD, ParticipantInfo.CONNECTOR)


class Watchdog:
    """Watches one worker's job processes.

    Args:
        server: the worker; its processes exist once it has started.
        url: livekit-server.
        api_key: its key.
        api_secret: the key's secret.
        notes: where jobs note themselves.
    """

    def __init__(self, server: AgentServer, *, url: str, api_key: str, api_secret: str, notes: Path) -> None:
        self._server = server
        self._notes = notes
        self._credentials = (url, api_key, api_secret)
        self._tasks: set[asyncio.Task[None]] = set()
        self._adoption: asyncio.Task[None] | None = None
        server.on("worker_started", lambda: self._attach(server))
        server.on("worker_registered", lambda *_: self._adopt_once())

    async def aclose(self) -> None:
        """Wait for calls that are being rescued; each has its limit."""
        if self._adoption is not None:
            self._adoption.cancel()
            await asyncio.gather(self._adoption, return_exceptions=True)
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _attach(self, server: AgentServer) -> None:
        # livekit-agents tells of a process's end nowhere else; tests/agent/test_worker.py holds it to that.
        pool: Any = server._proc_pool
        pool.on("process_closed", self._on_closed)

    def _on_closed(self, process: JobExecutor) -> None:
        job = process.running_job
        if job is None or process.status is not JobStatus.FAILED:
            return
        log.error("job_died", job_id=job.job.id, room_sid=job.job.room.sid)
        orphans.settle(self._notes, job.job.id)
        self._spawn(self._rescue(job.job, RESCUE_S))

    def _adopt_once(self) -> None:
        """After the first registration, not after each time that the server was away."""
        if self._adoption is None:
            self._adoption = asyncio.create_task(self._adopt())

    async def _adopt(self) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + ORPHANED_S
        while loop.time() < until:
            for job in orphans.adopt(self._notes):
                self._spawn(self._rescue(job, ADOPTION_S))
            await asyncio.sleep(_LOOK_S)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _rescue(self, job: wire.Job, limit_s: float) -> None:
        async with api.LiveKitAPI(*self._credentials) as client:
            try:
                async with asyncio.timeout(limit_s):
                    if await self._goes_on(client, job):
                        return
            except (api.ServerError, aiohttp.ClientError, TimeoutError) as error:
                log.warning("job_not_replaced", job_id=job.id, reason=str(error) or type(error).__name__)
            await HangUp(lambda: delete_room(client, job.room.name)).close_room()

    async def _goes_on(self, client: api.LiveKitAPI, job: wire.Job) -> bool:
        """Whether the call has, or needs, no further help."""
        people = await client.room.list_participants(api.ListParticipantsRequest(room=job.room.name))
        callers = [person for person in people.participants if person.kind in _CALLERS]
        if job_attributes.LINK in job.attributes and not any(_is_in_room(each) for each in callers):
            return True
        deaths = _deaths(job) + 1
        if not callers or deaths >= MAX_DEATHS:
            return False
        await self._replace(client, job, deaths, {person.identity for person in people.participants})
        return True

    async def _replace(self, client: api.LiveKitAPI, job: wire.Job, deaths: int, there: set[str]) -> None:
        """Send for another job, and wait until it runs: here, or as a new agent beside those there."""
        await client.agent_dispatch.create_dispatch(
            api.CreateAgentDispatchRequest(
                agent_name=job.agent_name,
                room=job.room.name,
                metadata=job.metadata,
                attributes={job_attributes.RESUME: job.id, job_attributes.DEATHS: str(deaths)},
            )
        )
        while not self._runs_here(job):
            # livekit-server tells of a dispatch's jobs too late for this, and of no participant by event.
            people = await client.room.list_participants(api.ListParticipantsRequest(room=job.room.name))
            agents = {each.identity for each in people.participants if each.kind == ParticipantInfo.AGENT}
            if agents - there:
                break
            await asyncio.sleep(_LOOK_S)
        log.info("job_replaced", job_id=job.id, deaths=deaths)

    def _runs_here(self, job: wire.Job) -> bool:
        return any(
            running.job.attributes.get(job_attributes.RESUME) == job.id
            for running in self._server.active_jobs
        )


def _is_in_room(caller: ParticipantInfo) -> bool:
    """Whether a call of the direct line has moved to the room's audio."""
    return caller.attributes.get(job_attributes.AUDIO_PATH) == "room"


def _deaths(job: wire.Job) -> int:
    told = job.attributes.get(job_attributes.DEATHS, "")
    return int(told) if told.isdecimal() else 0
