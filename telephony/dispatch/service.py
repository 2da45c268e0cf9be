"""The dispatcher as a whole: workers by websocket on loopback, bridges by Unix socket.

Guarantee: it carries no audio and no call hangs on it once begun; when it dies and comes back, workers
and bridges come back by themselves. After ``stop`` there is no socket and no task left.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

from telephony.dispatch import messages
from telephony.dispatch.launcher import Launcher
from telephony.dispatch.messages import (
    VERSION,
    Abandon,
    Agents,
    Hello,
    JobOver,
    Launch,
    Launched,
    Reserved,
    Welcome,
)
from telephony.dispatch.tokens import JobTokens
from telephony.dispatch.worker_session import WorkerSession
from telephony.errors import LinkError, PortTakenError
from telephony.link.channel import Channel
from telephony.link.listener import Listener
from telephony.logs import get_logger

if TYPE_CHECKING:
    import socket
    from collections.abc import Coroutine, Sequence
    from pathlib import Path
    from typing import Any

    from telephony.dispatch.messages import JobState, ToBridge

log = get_logger(__name__)

_LOOPBACK = "127.0.0.1"
_HEARTBEAT_S = 10.0
_WAITING_BYTES = 1_000_000
_CLOSE_S = 2.0


class BridgeSession:
    """One connected bridge and what it has under way."""

    def __init__(self, service: DispatchService, connection: socket.socket) -> None:
        self._service = service
        self._greeted = False
        self._jobs: dict[int, str] = {}
        self._launching: dict[int, asyncio.Task[None]] = {}
        self._channel = Channel(connection, self._message, self._ended, limit=_WAITING_BYTES)

    def tell(self, message: ToBridge) -> None:
        """Say something."""
        self._channel.send(messages.encode(message))

    def tell_agents(self) -> None:
        """Say who is served here."""
        if self._greeted:
            self.tell(Agents(sorted(self._service.agent_names)))

    def close(self) -> None:
        """End the connection."""
        self._channel.close()

    def _message(self, data: bytes) -> None:
        message = messages.decode(data)
        match message:
            case Hello():
                self._greet(message)
            case Launch() if self._greeted:
                task = self._service.spawn(self._launch(message))
                self._launching[message.request] = task
            case Abandon() if self._greeted:
                self._abandon(message.request)
            case _:
                raise LinkError(f"{type(message).__name__} came from a bridge.")

    def _greet(self, hello: Hello) -> None:
        self.tell(Welcome(VERSION))
        if hello.version != VERSION:
            raise LinkError(f"a bridge speaks version {hello.version} of dispatch, not {VERSION}.")
        self._greeted = True
        self.tell_agents()

    async def _launch(self, request: Launch) -> None:
        def over(state: JobState) -> None:
            self._jobs.pop(request.request, None)
            self.tell(JobOver(request.request, state))

        def reserved() -> None:
            self.tell(Reserved(request.request))

        try:
            answer = await self._service.launcher.launch(request, over, reserved)
        finally:
            self._launching.pop(request.request, None)
        if isinstance(answer, Launched):
            self._jobs[request.request] = answer.job_id
        else:
            log.info("launch_refused", reason=answer.reason, agent=request.agent_name)
        self.tell(answer)

    def _abandon(self, request: int) -> None:
        launching = self._launching.pop(request, None)
        if launching is not None:
            launching.cancel()
        job_id = self._jobs.pop(request, None)
        if job_id is not None:
            self._service.spawn(self._service.launcher.abandon(job_id))

    def _ended(self, reason: str) -> None:
        log.info("bridge_gone", reason=reason)
        for launching in self._launching.values():
            launching.cancel()
        # Jobs go on: their calls hang on their own sockets, not on this one.
        self._service.bridges.discard(self)


class DispatchService:
    """One running dispatcher.

    Args:
        url: livekit-server, ``ws://…``.
        api_key: one of its keys.
        api_secret: the key's secret.
        socket_path: where bridges ask.
        port: where workers register, on 127.0.0.1; 0 = any free one.
        expected: agents whose calls wait for a worker rather than go to livekit-server.
        max_calls: calls that each worker takes at once; 0: a call rings only when its worker has said yes.
    """

    def __init__(
        self,
        *,
        url: str,
        api_key: str,
        api_secret: str,
        socket_path: Path,
        port: int = 0,
        expected: Sequence[str] = (),
        max_calls: int = 0,
    ) -> None:
        self.bridges: set[BridgeSession] = set()
        self._url = url
        self._tokens = JobTokens(api_key, api_secret)
        self.launcher = Launcher(self._tokens, self._agents_changed, limit=max_calls)
        self._socket_path = socket_path
        self._wanted_port = port
        self._expected = frozenset(expected)
        self._listener: Listener | None = None
        self._runner: web.AppRunner | None = None
        self._sockets: set[web.WebSocketResponse] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    @property
    def agent_names(self) -> frozenset[str]:
        """Agents that are served here, or are expected to be in a moment."""
        return self._expected | self.launcher.roster.agent_names

    async def start(self) -> None:
        """Listen for workers and bridges.

        Raises:
            PortTakenError: the port is in use.
            LinkError: the socket cannot be made.
        """
        app = web.Application()
        app.router.add_get("/agent", self._worker)
        app.router.add_get("/", self._health)
        runner = self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_CLOSE_S)
        await runner.setup()
        try:
            await web.TCPSite(runner, _LOOPBACK, self._wanted_port).start()
            self.port = int(runner.addresses[0][1])
            self._listener = Listener(self._socket_path, self._bridge)
        except OSError as error:
            await self.stop()
            raise PortTakenError(
                f"port {self._wanted_port} cannot be used: {error.strerror}.",
                field="--port",
                fix="Choose another, or 0 for any.",
            ) from error
        except LinkError:
            await self.stop()
            raise
        log.info("dispatcher_ready", port=self.port)

    async def stop(self) -> None:
        """Close everything; bounded."""
        if self._listener is not None:
            self._listener.close()
        for bridge in list(self.bridges):
            bridge.close()
        for worker in list(self._sockets):
            # A worker takes the end for a fault of the line, and comes again.
            await asyncio.wait({asyncio.ensure_future(worker.close())}, timeout=_CLOSE_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._runner is not None:
            await self._runner.cleanup()
        log.info("dispatcher_stopped")

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something that ends with the dispatcher."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("dispatch_task_failed", reason=repr(error))

    def _bridge(self, connection: socket.socket) -> None:
        self.bridges.add(BridgeSession(self, connection))

    def _agents_changed(self) -> None:
        for bridge in self.bridges:
            bridge.tell_agents()

    async def _worker(self, request: web.Request) -> web.StreamResponse:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not self._tokens.is_worker(token):
            raise web.HTTPUnauthorized
        socket = web.WebSocketResponse(heartbeat=_HEARTBEAT_S)
        await socket.prepare(request)
        session = WorkerSession(
            socket,
            self._url,
            self._tokens,
            on_changed=self.launcher.changed,
            on_job=self.launcher.job_over,
        )
        self._sockets.add(socket)
        try:
            await session.run()
        except (ConnectionError, TimeoutError) as error:
            log.info("worker_connection_failed", reason=str(error) or type(error).__name__)
        finally:
            self._sockets.discard(socket)
            self.launcher.gone(session)
        return socket

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response(text="OK")
