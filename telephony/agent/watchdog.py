"""A job that dies leaves nobody in a mute call.

When a job process is killed or crashes, livekit-server notices after some twenty seconds and the
bridge not at all. The worker sees it at once, and ends the room: the caller gets a BYE instead of
silence.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from livekit import api
from livekit.agents.ipc.job_executor import JobStatus

from telephony.agent.hangup import HangUp
from telephony.agent.room import delete_room
from telephony.logs import get_logger

if TYPE_CHECKING:
    from livekit.agents import AgentServer
    from livekit.agents.ipc.job_executor import JobExecutor

log = get_logger(__name__)


class Watchdog:
    """Watches one worker's job processes.

    Args:
        server: the worker; its processes exist once it has started.
        url: livekit-server.
        api_key: its key.
        api_secret: the key's secret.
    """

    def __init__(self, server: AgentServer, *, url: str, api_key: str, api_secret: str) -> None:
        self._credentials = (url, api_key, api_secret)
        self._tasks: set[asyncio.Task[None]] = set()
        server.on("worker_started", lambda: self._attach(server))

    async def aclose(self) -> None:
        """Wait for rooms that are being ended; each attempt has its limit."""
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
        task = asyncio.create_task(self._end_room(job.job.room.name))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _end_room(self, name: str) -> None:
        async with api.LiveKitAPI(*self._credentials) as client:
            await HangUp(lambda: delete_room(client, name)).close_room()
