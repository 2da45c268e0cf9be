"""One machine's dispatcher, workers that speak its protocol as livekit-agents does, and a bridge's client."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Self

import aiohttp
from livekit.protocol import agent as wire

from telephony.dispatch.client import DispatchClient, Job
from telephony.dispatch.service import DispatchService
from telephony.dispatch.tokens import JobTokens
from tests.bridge.servers import API_KEY, API_SECRET
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from telephony.dispatch.messages import JobState

AGENT = "reception"
NOWHERE = "ws://127.0.0.1:9"
"""A port on which nothing listens."""


class WorkerDouble:
    """A worker: registers, answers as it is told, and keeps what it was given.

    Args:
        port: the dispatcher's.
        limit: jobs at once; more are refused.
        silent: never answers.
        slow_s: takes so long to answer.
    """

    def __init__(
        self, port: int, *, agent: str = AGENT, limit: int = 100, silent: bool = False, slow_s: float = 0.0
    ) -> None:
        self._port = port
        self._agent = agent
        self.limit = limit
        self.silent = silent
        self.slow_s = slow_s
        self.worker_id = ""
        self.asked: list[wire.Job] = []
        self.assigned: list[wire.JobAssignment] = []
        self.terminated: list[str] = []
        self._task: asyncio.Task[None] | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        await until(lambda: bool(self.worker_id))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.die()

    async def die(self) -> None:
        """End the connection."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def send(self, **message: Any) -> None:
        """Say something."""
        assert self._socket is not None
        await self._socket.send_bytes(wire.WorkerMessage(**message).SerializeToString())

    async def status(self, status: wire.WorkerStatus) -> None:
        """Say whether jobs are taken."""
        await self.send(update_worker=wire.UpdateWorkerStatus(status=status, load=0.0))

    async def job_ended(self, job_id: str, status: wire.JobStatus) -> None:
        """Say how a job ended."""
        await self.send(update_job=wire.UpdateJobStatus(job_id=job_id, status=status))

    async def _run(self) -> None:
        token = JobTokens(API_KEY, API_SECRET).worker()
        headers = {"Authorization": f"Bearer {token}"}
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"http://127.0.0.1:{self._port}/agent", headers=headers) as socket,
        ):
            self._socket = socket
            register = wire.RegisterWorkerRequest(type=wire.JobType.JT_ROOM, agent_name=self._agent)
            register.allowed_permissions.can_publish = True
            register.allowed_permissions.can_subscribe = True
            await self.send(register=register)
            async for frame in socket:
                message = wire.ServerMessage()
                message.ParseFromString(frame.data)
                await self._take(message)

    async def _take(self, message: wire.ServerMessage) -> None:
        match message.WhichOneof("message"):
            case "register":
                self.worker_id = message.register.worker_id
            case "availability":
                self.asked.append(message.availability.job)
                await asyncio.sleep(self.slow_s)
                if not self.silent:
                    await self.send(availability=self._answer(message.availability.job))
            case "assignment":
                self.assigned.append(message.assignment)
            case "termination":
                self.terminated.append(message.termination.job_id)

    def _answer(self, job: wire.Job) -> wire.AvailabilityResponse:
        return wire.AvailabilityResponse(
            job_id=job.id,
            available=len(self.assigned) < self.limit,
            participant_identity=f"agent-{job.id}",
            participant_name="Agent",
            participant_attributes={"lk.agent_name": self._agent},
        )


class Machine:
    """The dispatcher and a bridge's client."""

    def __init__(
        self, folder: Path, url: str = NOWHERE, *, expected: tuple[str, ...] = (), max_calls: int = 0
    ) -> None:
        self.folder = folder
        self.url = url
        self.expected = expected
        self.max_calls = max_calls
        self.reserved: list[float] = []
        self.path = folder / "dispatch.sock"
        self.client = DispatchClient(self.path)
        self.over: list[JobState] = []
        self.service = self._new_service()

    def _new_service(self, port: int = 0) -> DispatchService:
        return DispatchService(
            url=self.url,
            api_key=API_KEY,
            api_secret=API_SECRET,
            socket_path=self.path,
            port=port,
            expected=self.expected,
            max_calls=self.max_calls,
        )

    async def __aenter__(self) -> Self:
        await self.service.start()
        self.client.start()
        await until(lambda: self.client.connected)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.close()
        await self.service.stop()

    async def restart(self) -> None:
        """Stop the dispatcher and start another one on the same port."""
        port = self.service.port
        await self.service.stop()
        self.service = self._new_service(port)
        await self.service.start()

    def worker(self, **options: Any) -> WorkerDouble:
        """A worker that registers when it is entered."""
        return WorkerDouble(self.service.port, **options)

    async def launch(self, **changes: Any) -> Job:
        """Ask for a job."""
        request: dict[str, Any] = {
            "agent_name": AGENT,
            "room": "call_1",
            "metadata": '{"assistant": "reception"}',
            "attributes": {"trunkline.link": "x.call"},
            "room_config": "",
            "patience_s": 0.0,
            "on_over": self.over.append,
            "on_reserved": lambda: self.reserved.append(asyncio.get_running_loop().time()),
            **changes,
        }
        return await self.client.launch(**request)
