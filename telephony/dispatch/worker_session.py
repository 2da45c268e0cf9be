"""One worker's connection, from its registration to its end, as livekit-server would serve it.

The server's side of the worker protocol (``livekit.protocol.agent``; livekit-server v1.13.5
``pkg/agent/worker.go``): register, availability, assignment, job status, ping. Jobs of the dispatcher are
told from livekit-server's by their ids; whatever concerns those goes through ``upstream`` unchanged, but
for the server's address, which a worker would otherwise take to be ours.
"""

from __future__ import annotations

import asyncio
import secrets
import string
import time
from typing import TYPE_CHECKING

from aiohttp import WSMsgType, web
from google.protobuf.message import DecodeError
from livekit.protocol import agent as wire

from telephony.dispatch.roster import Worker
from telephony.dispatch.upstream import Upstream
from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.dispatch.messages import JobState
    from telephony.dispatch.tokens import JobTokens

log = get_logger(__name__)

_REGISTER_S = 10.0
_UPSTREAM_S = 2.0
_SEND_S = 2.0
_ENDED = (wire.JobStatus.JS_SUCCESS, wire.JobStatus.JS_FAILED)
_ID_LETTERS = string.ascii_letters + string.digits


class WorkerSession:
    """One connected worker.

    Args:
        socket: the accepted websocket.
        url: livekit-server, where jobs go.
        tokens: for the relay.
        on_changed: told when the worker is there and when what it says of itself changes.
        on_job: told of the end of each job given to it.

    Attributes:
        worker: what is known of it, once registered.
        permissions: what it asked for its jobs.
    """

    def __init__(
        self,
        socket: web.WebSocketResponse,
        url: str,
        tokens: JobTokens,
        *,
        on_changed: Callable[[WorkerSession], None],
        on_job: Callable[[str, JobState], None],
    ) -> None:
        self.worker = Worker("", "")
        self.permissions = wire.WorkerMessage().register.allowed_permissions
        self._socket = socket
        self._url = url
        self._tokens = tokens
        self._on_changed = on_changed
        self._on_job = on_job
        self._upstream: Upstream | None = None
        self._asked: dict[str, asyncio.Future[wire.AvailabilityResponse]] = {}

    async def run(self) -> None:
        """Serve the worker until it goes; its jobs are reported lost then."""
        register = await self._first()
        if register is None:
            return
        self.permissions = register.register.allowed_permissions
        upstream = self._upstream = Upstream(self._url, self._tokens, register, self._from_server)
        relay = asyncio.create_task(upstream.run(), name="worker_relay")
        try:
            await self._welcome(register, await upstream.registered(_UPSTREAM_S))
            await self._serve()
        finally:
            relay.cancel()
            await asyncio.gather(relay, return_exceptions=True)
            for waiting in self._asked.values():
                if not waiting.done():
                    waiting.set_exception(ConnectionError("the worker is gone"))
            for job_id in list(self.worker.given):
                self._over(job_id, "worker_lost")

    async def ask(self, job: wire.Job, limit_s: float) -> wire.AvailabilityResponse | None:
        """Ask whether it takes a job; None if it says no, or nothing in time."""
        answer: asyncio.Future[wire.AvailabilityResponse] = asyncio.get_running_loop().create_future()
        self._asked[job.id] = answer
        try:
            async with asyncio.timeout(limit_s):
                await self._send(wire.ServerMessage(availability=wire.AvailabilityRequest(job=job)))
                said = await answer
        except TimeoutError:
            log.warning("worker_silent", worker_id=self.worker.worker_id, job_id=job.id, limit_s=limit_s)
            return None
        except ConnectionError:
            return None
        finally:
            del self._asked[job.id]
        return said if said.available else None

    async def assign(self, job: wire.Job, token: str) -> None:
        """Give it the job that it has said yes to.

        Raises:
            ConnectionError: it is gone.
        """
        assignment = wire.JobAssignment(job=job, url=self._url, token=token)
        await self._send(wire.ServerMessage(assignment=assignment))

    async def terminate(self, job_id: str) -> None:
        """End a job; one that it does not have is none."""
        await self._send(wire.ServerMessage(termination=wire.JobTermination(job_id=job_id)))

    async def _first(self) -> wire.WorkerMessage | None:
        try:
            async with asyncio.timeout(_REGISTER_S):
                frame = await self._socket.receive()
        except TimeoutError:
            return None
        message = _read(frame.data) if frame.type == WSMsgType.BINARY else None
        if message is None or not message.HasField("register"):
            log.warning("worker_did_not_register")
            return None
        return message

    async def _welcome(self, register: wire.WorkerMessage, answer: wire.ServerMessage | None) -> None:
        if answer is None:
            # Calls of this machine need no livekit-server to be dispatched; the relay goes on trying.
            log.warning("worker_not_relayed", url=self._url)
            answer = wire.ServerMessage()
            answer.register.worker_id = new_id("AW_")
        self.worker = Worker(answer.register.worker_id, register.register.agent_name)
        await self._send(answer)
        self._on_changed(self)

    async def _serve(self) -> None:
        async for frame in self._socket:
            message = _read(frame.data) if frame.type == WSMsgType.BINARY else None
            if message is not None:
                await self._from_worker(message)

    async def _from_worker(self, message: wire.WorkerMessage) -> None:
        match message.WhichOneof("message"):
            case "availability" if message.availability.job_id in self._asked:
                answer = self._asked[message.availability.job_id]
                if not answer.done():
                    answer.set_result(message.availability)
                return
            case "update_job" if message.update_job.job_id in self.worker.given:
                self._job_changed(message.update_job)
                return
            case "update_job" if message.update_job.status in _ENDED:
                self.worker.relayed.discard(message.update_job.job_id)
            case "update_worker":
                self._worker_changed(message.update_worker)
            case "ping":
                pong = wire.WorkerPong(
                    last_timestamp=message.ping.timestamp, timestamp=int(time.time() * 1000)
                )
                await self._send(wire.ServerMessage(pong=pong))
                return
        if self._upstream is not None:
            await self._upstream.send(message)

    async def _from_server(self, message: wire.ServerMessage) -> None:
        if message.HasField("assignment"):
            self.worker.relayed.add(message.assignment.job.id)
            message.assignment.url = message.assignment.url or self._url
        if not message.HasField("pong"):
            await self._send(message)

    def _worker_changed(self, update: wire.UpdateWorkerStatus) -> None:
        if update.HasField("status"):
            self.worker.available = update.status == wire.WorkerStatus.WS_AVAILABLE
        self.worker.load = update.load
        self._on_changed(self)

    def _job_changed(self, update: wire.UpdateJobStatus) -> None:
        if update.status == wire.JobStatus.JS_FAILED:
            self._over(update.job_id, "failed")
        elif update.status == wire.JobStatus.JS_SUCCESS:
            self._over(update.job_id, "succeeded")

    def _over(self, job_id: str, state: JobState) -> None:
        self.worker.given.discard(job_id)
        self._on_job(job_id, state)

    async def _send(self, message: wire.ServerMessage) -> None:
        async with asyncio.timeout(_SEND_S):
            await self._socket.send_bytes(message.SerializeToString())


def new_id(prefix: str) -> str:
    """An id as livekit-server makes them, such as ``AJ_abcDEF123456``."""
    return prefix + "".join(secrets.choice(_ID_LETTERS) for _ in range(12))


def _read(data: bytes) -> wire.WorkerMessage | None:
    message = wire.WorkerMessage()
    try:
        message.ParseFromString(data)
    except DecodeError:
        log.warning("worker_message_unreadable", size=len(data))
        return None
    return message
