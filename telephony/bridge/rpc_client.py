"""Call a method of a psrpc service: request, first bid, grant, answer.

Mirrors livekit/psrpc ``pkg/client/rpc.go`` for single responses that need a claim and take the first
bid, which is how every method of ``IOInfo`` is declared.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Protocol

from google.protobuf.message import DecodeError

from telephony.bridge import psrpc, wire
from telephony.bridge.deadline import within
from telephony.errors import BusError
from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.clock import Clock

log = get_logger(__name__)


class Bus(Protocol):
    """Publish and subscribe, as psrpc needs it."""

    async def subscribe(self, channel: str, handler: Callable[[bytes], None]) -> None:
        """Have ``handler`` called with every payload; returns once the subscription is confirmed."""

    async def unsubscribe(self, channel: str) -> None:
        """Stop; harmless when not subscribed."""

    async def publish(self, channel: str, payload: bytes) -> None:
        """Send to whoever listens now. Raises BusError (``unavailable``) when the bus is away."""

    async def win(self, key: str, seconds: int) -> bool:
        """Create ``key`` for ``seconds``; True for the one that was first."""


class RpcClient:
    """One client of one service; its id names the channels on which answers come."""

    def __init__(
        self, bus: Bus, service: str, clock: Clock, *, wall_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self._bus = bus
        self._service = service
        self._clock = clock
        self._wall_ns = wall_ns
        self.client_id = psrpc.new_id("CLI_")
        self._bids: dict[str, asyncio.Future[str]] = {}
        self._answers: dict[str, asyncio.Future[Any]] = {}

    async def start(self) -> None:
        """Subscribe to bids and answers; must be done before the first call."""
        await self._bus.subscribe(psrpc.bid_channel(self._service, self.client_id), self._on_bid)
        await self._bus.subscribe(psrpc.response_channel(self._service, self.client_id), self._on_answer)

    async def close(self) -> None:
        """Unsubscribe; calls under way run into their time-outs."""
        await self._bus.unsubscribe(psrpc.bid_channel(self._service, self.client_id))
        await self._bus.unsubscribe(psrpc.response_channel(self._service, self.client_id))

    async def call(
        self,
        method: str,
        request: Any,
        response_type: type[Any],
        *,
        topic: str = "",
        timeout_s: float = psrpc.REQUEST_TIMEOUT_S,
    ) -> Any:
        """Call a method and return its decoded answer.

        Raises:
            BusError: ``unavailable`` when no server bids within a second or the bus is away,
                ``deadline_exceeded`` when the winner does not answer, ``malformed_result`` when its
                answer is not of ``response_type``, else the code that the server gave.
        """
        loop = asyncio.get_running_loop()
        request_id = psrpc.new_id("REQ_")
        bid = self._bids[request_id] = loop.create_future()
        answer = self._answers[request_id] = loop.create_future()
        deadline = self._clock.now() + timeout_s
        now_ns = self._wall_ns()
        envelope = wire.Request(
            request_id=request_id,
            client_id=self.client_id,
            sent_at=now_ns,
            expiry=now_ns + int(timeout_s * 1e9),
            raw_request=request.SerializeToString(),
        )
        try:
            await self._bus.publish(
                psrpc.request_channel(self._service, method, topic), psrpc.frame(envelope)
            )
            server_id = await self._first_bid(bid, min(psrpc.CLAIM_TIMEOUT_S, timeout_s), method)
            grant = wire.ClaimResponse(request_id=request_id, server_id=server_id)
            await self._bus.publish(psrpc.grant_channel(self._service, method, topic), psrpc.frame(grant))
            response = await self._answer(answer, max(0.0, deadline - self._clock.now()), method)
        finally:
            del self._bids[request_id], self._answers[request_id]
            bid.cancel()
            answer.cancel()
        return _decode(response, response_type, method)

    async def _first_bid(self, bid: asyncio.Future[str], seconds: float, method: str) -> str:
        try:
            return await within(bid, seconds, self._clock)
        except TimeoutError:
            raise BusError(
                f"no server took {self._service}.{method}: no response from servers.",
                code="unavailable",
                retryable=True,
                fix="See that livekit-server runs on the same Redis.",
            ) from None

    async def _answer(self, answer: asyncio.Future[Any], seconds: float, method: str) -> Any:
        try:
            return await within(answer, seconds, self._clock)
        except TimeoutError:
            raise BusError(
                f"{self._service}.{method} was taken by a server but not answered in time.",
                code="deadline_exceeded",
                retryable=True,
            ) from None

    def _on_bid(self, payload: bytes) -> None:
        bid = _decoded(payload, wire.ClaimRequest)
        if bid is not None:
            _settle(self._bids.get(bid.request_id), bid.server_id)

    def _on_answer(self, payload: bytes) -> None:
        answer = _decoded(payload, wire.Response)
        if answer is not None:
            _settle(self._answers.get(answer.request_id), answer)


def _decoded(payload: bytes, expected: type[Any]) -> Any | None:
    try:
        return psrpc.unframe(payload, expected)
    except BusError as error:
        log.warning("bus_message_dropped", reason=error.message)
        return None


def _settle(future: asyncio.Future[Any] | None, value: Any) -> None:
    # The first bid wins; later ones, and answers to a call given up, have nobody waiting.
    if future is not None and not future.done():
        future.set_result(value)


def _decode(response: Any, response_type: type[Any], method: str) -> Any:
    if response.error:
        raise BusError(f"{method} failed: {response.error}", code=response.code or "unknown")
    result = response_type()
    try:
        result.ParseFromString(response.raw_response)
    except DecodeError as error:
        raise BusError(f"{method} gave an answer that cannot be decoded", code="malformed_result") from error
    return result
