"""psrpc calls between our client and server over a bus in memory, on a clock turned by hand."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from telephony.bridge import psrpc, wire
from telephony.bridge.rpc_client import RpcClient
from telephony.bridge.rpc_server import RpcServer
from telephony.clock import ManualClock
from telephony.errors import BusError
from tests.bridge.bus_double import MemoryBus, settle

pytestmark = pytest.mark.pure

SERVICE = "IOInfo"
METHOD = "GetSIPTrunkAuthentication"
REQUEST = wire.GetSIPTrunkAuthenticationRequest
RESPONSE = wire.GetSIPTrunkAuthenticationResponse


class WallClock:
    """Unix time in nanoseconds that moves with a manual clock."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock

    def __call__(self) -> int:
        return 1_700_000_000_000_000_000 + int(self._clock.now() * 1e9)


async def _client(bus: MemoryBus, clock: ManualClock) -> RpcClient:
    client = RpcClient(bus, SERVICE, clock, wall_ns=WallClock(clock))
    await client.start()
    return client


def _server(bus: MemoryBus, clock: ManualClock) -> RpcServer:
    return RpcServer(bus, SERVICE, clock, wall_ns=WallClock(clock))


async def _trunk(_: Any) -> Any:
    return RESPONSE(sip_trunk_id="ST_1")


def _call(client: RpcClient, **options: Any) -> asyncio.Task[Any]:
    return asyncio.create_task(client.call(METHOD, REQUEST(to="100"), RESPONSE, **options))


async def test_a_call_is_bid_for_granted_and_answered() -> None:
    """One server answers one client."""
    bus, clock = MemoryBus(), ManualClock()
    client, server = await _client(bus, clock), _server(bus, clock)
    await server.register(METHOD, REQUEST, _trunk)
    answer = await _call(client)
    assert answer.sip_trunk_id == "ST_1"
    assert clock.pending == 0
    await server.close()


async def test_no_bid_within_a_second_is_unavailable() -> None:
    """A service that nobody serves fails after the claim time-out, and may be tried again."""
    bus, clock = MemoryBus(), ManualClock()
    client = await _client(bus, clock)
    call = _call(client)
    await settle()
    clock.advance(0.99)
    await settle()
    assert not call.done()
    clock.advance(0.02)
    with pytest.raises(BusError, match="no response from servers") as failure:
        await call
    assert failure.value.code == "unavailable"
    assert failure.value.retryable


async def test_a_winner_that_does_not_answer_is_deadline_exceeded() -> None:
    """The whole call ends when its time-out does, counted from its start."""
    bus, clock = MemoryBus(), ManualClock()
    client, server = await _client(bus, clock), _server(bus, clock)
    never = asyncio.Event()

    async def hang(_: Any) -> Any:
        await never.wait()

    await server.register(METHOD, REQUEST, hang)
    call = _call(client, timeout_s=3.0)
    await settle()
    clock.advance(3.01)
    with pytest.raises(BusError) as failure:
        await call
    assert failure.value.code == "deadline_exceeded"
    await settle()
    await server.close()


async def test_the_first_bid_wins_and_the_other_server_stays_out() -> None:
    """Of two bids one is granted, and only that server runs the handler."""
    bus, clock = MemoryBus(), ManualClock()
    client = await _client(bus, clock)
    request_channel = psrpc.request_channel(SERVICE, METHOD)
    ran: list[str] = []

    async def rival(payload: bytes, server_id: str) -> None:
        request = psrpc.unframe(payload, wire.Request)
        bid = wire.ClaimRequest(request_id=request.request_id, server_id=server_id, affinity=1)
        await bus.publish(psrpc.bid_channel(SERVICE, request.client_id), psrpc.frame(bid))

    tasks: list[asyncio.Task[None]] = []

    def on_request(payload: bytes) -> None:
        tasks.extend(asyncio.create_task(rival(payload, name)) for name in ("SRV_first", "SRV_second"))

    def on_grant(payload: bytes) -> None:
        ran.append(psrpc.unframe(payload, wire.ClaimResponse).server_id)

    await bus.subscribe(request_channel, on_request)
    await bus.subscribe(psrpc.grant_channel(SERVICE, METHOD), on_grant)
    call = _call(client)
    await settle()
    assert ran == ["SRV_first"]
    clock.advance(5)
    with pytest.raises(BusError):
        await call


async def test_of_two_queued_servers_exactly_one_serves() -> None:
    """The key of the request's bytes lets one bridge through."""
    bus, clock = MemoryBus(), ManualClock()
    client = await _client(bus, clock)
    served: list[str] = []

    def handler(name: str) -> Any:
        async def serve(_: Any) -> Any:
            served.append(name)
            return RESPONSE(sip_trunk_id=name)

        return serve

    servers = [_server(bus, clock) for _ in range(2)]
    for number, server in enumerate(servers):
        await server.register(METHOD, REQUEST, handler(f"ST_{number}"))
    answer = await _call(client)
    await settle()
    assert served == [answer.sip_trunk_id]
    for server in servers:
        await server.close()


async def test_an_expired_request_is_left_alone() -> None:
    """A server does not bid for what nobody waits for any more."""
    bus, clock = MemoryBus(), ManualClock()
    server = _server(bus, clock)
    await server.register(METHOD, REQUEST, _trunk)
    request = wire.Request(request_id="REQ_old", client_id="CLI_a", expiry=WallClock(clock)() - 1)
    await bus.publish(psrpc.request_channel(SERVICE, METHOD), psrpc.frame(request))
    await settle()
    assert [channel for channel, _ in bus.published] == [psrpc.request_channel(SERVICE, METHOD)]
    await server.close()


async def test_a_bid_that_is_not_granted_ends_with_the_request() -> None:
    """Without a grant the handler never runs, and nothing is left waiting after the expiry."""
    bus, clock = MemoryBus(), ManualClock()
    server = _server(bus, clock)
    ran = False

    async def handler(_: Any) -> Any:
        nonlocal ran
        ran = True
        return RESPONSE()

    await server.register(METHOD, REQUEST, handler)
    request = wire.Request(request_id="REQ_a", client_id="CLI_a", expiry=WallClock(clock)() + 2_000_000_000)
    await bus.publish(psrpc.request_channel(SERVICE, METHOD), psrpc.frame(request))
    await settle()
    clock.advance(2.1)
    await settle()
    assert not ran
    assert clock.pending == 0
    await server.close()


async def test_a_negative_affinity_lets_a_request_pass() -> None:
    """A server that cannot serve stays silent, so that another can."""
    bus, clock = MemoryBus(), ManualClock()
    client, server = await _client(bus, clock), _server(bus, clock)
    await server.register(METHOD, REQUEST, _trunk, affinity=lambda _: -1.0)
    call = _call(client)
    await settle()
    clock.advance(1.1)
    with pytest.raises(BusError, match="no response from servers"):
        await call
    await server.close()


async def test_a_server_that_stays_silent_keeps_no_other_from_serving() -> None:
    """It does not take the request out of the queue either, though it hears of it first."""
    bus, clock = MemoryBus(), ManualClock()
    client, silent, willing = await _client(bus, clock), _server(bus, clock), _server(bus, clock)
    await silent.register(METHOD, REQUEST, _trunk, affinity=lambda _: -1.0)
    await willing.register(METHOD, REQUEST, _trunk)
    assert (await _call(client)).sip_trunk_id
    for server in (silent, willing):
        await server.close()


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (BusError("no such call", code="not_found"), "not_found", "no such call"),
        (RuntimeError("boom"), "internal", "RuntimeError"),
    ],
)
async def test_a_handlers_error_reaches_the_caller_with_its_code(
    error: Exception, code: str, text: str
) -> None:
    """A BusError travels as it is; anything else becomes internal, and always with a text."""
    bus, clock = MemoryBus(), ManualClock()
    client, server = await _client(bus, clock), _server(bus, clock)

    async def fail(_: Any) -> Any:
        raise error

    await server.register(METHOD, REQUEST, fail)
    with pytest.raises(BusError, match=text) as failure:
        await _call(client)
    assert failure.value.code == code
    await server.close()


async def test_a_handler_is_stopped_at_the_requests_expiry() -> None:
    """A handler that runs too long is cancelled and answered as deadline_exceeded."""
    bus, clock = MemoryBus(), ManualClock()
    server = _server(bus, clock)
    cancelled = asyncio.Event()

    async def hang(_: Any) -> Any:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    await server.register(METHOD, REQUEST, hang)
    client = await _client(bus, clock)
    call = _call(client, timeout_s=2.0)
    await settle()
    clock.advance(2.1)
    await settle()
    assert cancelled.is_set()
    with pytest.raises(BusError) as failure:
        await call
    assert failure.value.code == "deadline_exceeded"
    await server.close()


async def test_an_answer_that_cannot_be_decoded_says_so() -> None:
    """Bytes that are no protobuf message are malformed_result."""
    bus, clock = MemoryBus(), ManualClock()
    client, server = await _client(bus, clock), _server(bus, clock)

    class Broken:
        def SerializeToString(self) -> bytes:  # noqa: N802 - protobuf's name
            return b"\xff\xff\xff"

    async def broken(_: Any) -> Any:
        return Broken()

    await server.register(METHOD, REQUEST, broken)
    with pytest.raises(BusError) as failure:
        await _call(client)
    assert failure.value.code == "malformed_result"
    await server.close()


async def test_a_bus_that_is_away_fails_at_once() -> None:
    """Nobody waits for a bus that cannot carry the request."""
    bus, clock = MemoryBus(), ManualClock()
    client = await _client(bus, clock)
    bus.away = True
    with pytest.raises(BusError) as failure:
        await _call(client)
    assert failure.value.code == "unavailable"
    assert clock.pending == 0


async def test_garbage_on_every_channel_is_survived() -> None:
    """Bytes that are no envelope are dropped and the next call works."""
    bus, clock = MemoryBus(), ManualClock()
    client, server = await _client(bus, clock), _server(bus, clock)
    await server.register(METHOD, REQUEST, _trunk)
    for channel in (
        psrpc.request_channel(SERVICE, METHOD),
        psrpc.grant_channel(SERVICE, METHOD),
        psrpc.bid_channel(SERVICE, client.client_id),
        psrpc.response_channel(SERVICE, client.client_id),
    ):
        await bus.publish(channel, b"\x00garbage")
    await settle()
    assert (await _call(client)).sip_trunk_id == "ST_1"
    await server.close()
