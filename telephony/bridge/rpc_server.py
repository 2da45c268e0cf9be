"""Serve methods of a psrpc service: bid, wait for the grant, run the handler, answer.

Mirrors livekit/psrpc ``pkg/server/rpc.go`` for queued methods with a claim: of several bridges on one
Redis exactly one takes a request, one whose time has passed is left alone, and the handler never runs
beyond the request's expiry.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError
from livekit.protocol import sip as lk_sip

from telephony.bridge import psrpc, wire
from telephony.bridge.deadline import within
from telephony.errors import BusError
from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from telephony.bridge.rpc_client import Bus
    from telephony.clock import Clock

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Method:
    """One method on one topic, and what serves it."""

    name: str
    topic: str
    request_type: type[Any]
    handler: Callable[[Any], Awaitable[Any]]
    affinity: Callable[[Any], float]


class RpcServer:
    """Serves one service under one server id."""

    def __init__(
        self, bus: Bus, service: str, clock: Clock, *, wall_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self._bus = bus
        self._service = service
        self._clock = clock
        self._wall_ns = wall_ns
        self.server_id = psrpc.new_id("SRV_")
        self._grants: dict[str, asyncio.Future[str]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def register(
        self,
        name: str,
        request_type: type[Any],
        handler: Callable[[Any], Awaitable[Any]],
        *,
        topic: str = "",
        affinity: Callable[[Any], float] = lambda _: 1.0,
    ) -> None:
        """Serve a method; a negative affinity lets a request pass in silence.

        The handler returns the response message, or raises BusError with the code the caller shall see.
        """
        method = Method(name, topic, request_type, handler, affinity)
        await self._bus.subscribe(psrpc.grant_channel(self._service, name, topic), self._on_grant)
        await self._bus.subscribe(
            psrpc.request_channel(self._service, name, topic),
            lambda payload: self._on_request(method, payload),
        )

    async def deregister(self, name: str, *, topic: str = "") -> None:
        """Take no more requests for a method; those already granted run on."""
        await self._bus.unsubscribe(psrpc.request_channel(self._service, name, topic))
        await self._bus.unsubscribe(psrpc.grant_channel(self._service, name, topic))

    async def close(self) -> None:
        """Cancel what runs and wait for it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _on_grant(self, payload: bytes) -> None:
        try:
            grant = psrpc.unframe(payload, wire.ClaimResponse)
        except BusError as error:
            log.warning("bus_message_dropped", reason=error.message)
            return
        waiting = self._grants.get(grant.request_id)
        if waiting is not None and not waiting.done():
            waiting.set_result(grant.server_id)

    def _on_request(self, method: Method, payload: bytes) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(method, payload))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, method: Method, payload: bytes) -> None:
        try:
            request = psrpc.unframe(payload, wire.Request)
            message = method.request_type()
            message.ParseFromString(request.raw_request)
            if not await self._bus.win(psrpc.queue_key(payload), psrpc.QUEUE_LOCK_S):
                return
            if self._left(request) <= 0 or not await self._is_granted(method, request, message):
                return
            response = await self._respond(method, request, message)
            response.sent_at = self._wall_ns()
            await self._bus.publish(
                psrpc.response_channel(self._service, request.client_id), psrpc.frame(response)
            )
        except (BusError, DecodeError) as error:
            log.warning("bus_request_dropped", method=method.name, reason=str(error))

    def _left(self, request: Any) -> float:
        return psrpc.remaining_s(request.expiry, self._wall_ns())

    async def _is_granted(self, method: Method, request: Any, message: Any) -> bool:
        affinity = method.affinity(message)
        if affinity < 0:
            return False
        grant = self._grants[request.request_id] = asyncio.get_running_loop().create_future()
        bid = wire.ClaimRequest(request_id=request.request_id, server_id=self.server_id, affinity=affinity)
        try:
            await self._bus.publish(psrpc.bid_channel(self._service, request.client_id), psrpc.frame(bid))
            granted_to = await within(grant, self._left(request), self._clock)
        except TimeoutError:
            return False
        else:
            return bool(granted_to == self.server_id)
        finally:
            del self._grants[request.request_id]
            grant.cancel()

    async def _respond(self, method: Method, request: Any, message: Any) -> Any:
        response = wire.Response(request_id=request.request_id, server_id=self.server_id)
        running = asyncio.ensure_future(method.handler(message))
        timer = self._clock.call_later(max(0.0, self._left(request)), lambda: _cancel(running))
        try:
            response.raw_response = (await running).SerializeToString()
        except BusError as error:
            # An empty text with a code would be read as success.
            response.error, response.code = error.message or error.code, error.code
            if error.sip_status is not None:
                code, reason = error.sip_status
                # By number: a status that livekit's enumeration does not name is kept as it is.
                response.error_details.add().Pack(_sip_status(code, reason))
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                running.cancel()
                raise
            response.error, response.code = "the request's time is over", "deadline_exceeded"
        except Exception as error:
            log.exception("bus_handler_failed", method=method.name)
            response.error, response.code = f"internal error: {type(error).__name__}", "internal"
        finally:
            timer.cancel()
        return response


def _cancel(running: asyncio.Future[Any]) -> None:
    running.cancel()


def _sip_status(code: int, reason: str) -> lk_sip.SIPStatus:
    status = lk_sip.SIPStatus(status=reason)
    status.code = code  # type: ignore[assignment]  # the enumeration is open, its stub is not
    return status
