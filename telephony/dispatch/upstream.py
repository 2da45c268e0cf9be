"""One worker's second registration: with livekit-server, made by the dispatcher in the worker's name.

A worker can be registered in one place only. Were that the dispatcher alone, dispatches of LiveKit's API
and of web rooms would find nobody; were it a second worker, there would be two pools of warm processes
and two counts of calls. So the worker's messages are relayed, and the server's come back. Guarantee: the
relay never holds up a call of the dispatcher's own, and is made anew as long as the worker is there.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
from google.protobuf.message import DecodeError
from livekit.protocol.agent import ServerMessage, WorkerMessage

from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from telephony.dispatch.tokens import JobTokens

log = get_logger(__name__)

_CONNECT_S = 5.0
_PAUSES_S = (0.2, 0.5, 1.0, 2.0, 5.0)
_HEARTBEAT_S = 10.0


class Upstream:
    """The relay of one worker.

    Args:
        url: livekit-server, ``ws://…``.
        tokens: for the registration.
        register: what the worker registered with.
        deliver: takes the server's messages to the worker, but for the answer to the registration.
    """

    def __init__(
        self,
        url: str,
        tokens: JobTokens,
        register: WorkerMessage,
        deliver: Callable[[ServerMessage], Awaitable[None]],
    ) -> None:
        self._url = url.rstrip("/") + "/agent"
        self._tokens = tokens
        self._register = register
        self._deliver = deliver
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._registered: asyncio.Future[ServerMessage | None] = asyncio.get_running_loop().create_future()

    async def registered(self, limit_s: float) -> ServerMessage | None:
        """The server's answer to the first attempt to register, or None if none comes in time."""
        done, _ = await asyncio.wait({self._registered}, timeout=limit_s)
        return self._registered.result() if done else None

    async def run(self) -> None:
        """Keep the relay up; ends only by cancellation."""
        failures = 0
        async with aiohttp.ClientSession() as session:
            while True:
                try:
                    async with asyncio.timeout(_CONNECT_S):
                        socket = await session.ws_connect(
                            self._url,
                            headers={"Authorization": f"Bearer {self._tokens.worker()}"},
                            heartbeat=_HEARTBEAT_S,
                        )
                    async with socket:
                        await socket.send_bytes(self._register.SerializeToString())
                        self._socket = socket
                        await self._relay(socket)
                        failures = 0
                except (aiohttp.ClientError, TimeoutError, OSError) as error:
                    log.info("relay_failed", reason=str(error) or type(error).__name__)
                finally:
                    self._socket = None
                    if not self._registered.done():
                        self._registered.set_result(None)
                await asyncio.sleep(_PAUSES_S[min(failures, len(_PAUSES_S) - 1)])
                failures += 1

    async def send(self, message: WorkerMessage) -> None:
        """Pass on what the worker says; while the server is away it says it to nobody."""
        if self._socket is None:
            return
        try:
            await self._socket.send_bytes(message.SerializeToString())
        except (ConnectionError, RuntimeError) as error:
            log.info("relay_failed", reason=str(error) or type(error).__name__)

    async def _relay(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for frame in socket:
            if frame.type != aiohttp.WSMsgType.BINARY:
                continue
            message = ServerMessage()
            try:
                message.ParseFromString(frame.data)
            except DecodeError:
                log.warning("relay_message_unreadable", size=len(frame.data))
                continue
            if message.HasField("register"):
                log.info("worker_relayed", worker_id=message.register.worker_id)
                if not self._registered.done():
                    self._registered.set_result(message)
            else:
                await self._deliver(message)
