"""The bus on a real Redis: subscriptions, queueing, and Redis going away and coming back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from telephony.bridge import wire
from telephony.bridge.bus import RedisAddress, RedisBus
from telephony.bridge.rpc_client import RpcClient
from telephony.bridge.rpc_server import RpcServer
from telephony.clock import LoopClock
from telephony.errors import BusError
from tests.bridge.servers import Server, free_port, redis_server, started
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path
    from typing import Any

pytestmark = pytest.mark.component

METHOD = "GetSIPTrunkAuthentication"
REQUEST = wire.GetSIPTrunkAuthenticationRequest
RESPONSE = wire.GetSIPTrunkAuthenticationResponse


@pytest.fixture
async def bus(redis: Server) -> AsyncIterator[RedisBus]:
    """A started bus."""
    bus = RedisBus(RedisAddress("127.0.0.1", redis.port))
    await bus.start()
    yield bus
    await bus.close()


async def _trunk(_: Any) -> Any:
    return RESPONSE(sip_trunk_id="ST_1")


async def test_what_is_published_after_subscribing_arrives(bus: RedisBus) -> None:
    """A subscription holds once subscribe has returned; after unsubscribe nothing arrives."""
    got: list[bytes] = []
    await bus.subscribe("channel", got.append)
    await bus.publish("channel", b"\x00one")
    await until(lambda: got == [b"\x00one"])
    await bus.unsubscribe("channel")
    await bus.unsubscribe("channel")
    await bus.publish("channel", b"two")
    await asyncio.sleep(0.05)
    assert got == [b"\x00one"]


async def test_a_handler_that_raises_does_not_deafen_the_bus(bus: RedisBus) -> None:
    """The next message is delivered."""
    got: list[bytes] = []

    def handler(payload: bytes) -> None:
        got.append(payload)
        raise RuntimeError

    await bus.subscribe("broken", handler)
    await bus.publish("broken", b"one")
    await bus.publish("broken", b"two")
    await until(lambda: got == [b"one", b"two"])


async def test_one_of_two_wins_a_key(bus: RedisBus, redis: Server) -> None:
    """Two processes that ask for the same key: the first gets it, for so long."""
    other = RedisBus(RedisAddress("127.0.0.1", redis.port))
    await other.start()
    won = await asyncio.gather(bus.win("key", 5), other.win("key", 5))
    assert sorted(won) == [False, True]
    await other.close()


async def test_a_call_over_redis_is_answered_by_exactly_one_of_two_servers(
    bus: RedisBus, redis: Server
) -> None:
    """Bids, grant and answer travel as between Go processes; two bridges share one queue."""
    clock = LoopClock()
    other_bus = RedisBus(RedisAddress("127.0.0.1", redis.port))
    await other_bus.start()
    client = RpcClient(bus, "Test", clock)
    await client.start()
    served: list[int] = []

    def handler(number: int) -> Any:
        async def serve(_: Any) -> Any:
            served.append(number)
            return RESPONSE(sip_trunk_id="ST_1")

        return serve

    servers = [RpcServer(one, "Test", clock) for one in (bus, other_bus)]
    for number, server in enumerate(servers):
        await server.register(METHOD, REQUEST, handler(number), topic="a-b")
    for _ in range(10):
        answer = await client.call(METHOD, REQUEST(to="100"), RESPONSE, topic="a-b")
        assert answer.sip_trunk_id == "ST_1"
    assert len(served) == 10
    for server in servers:
        await server.deregister(METHOD, topic="a-b")
        await server.close()
    await client.close()
    await other_bus.close()


async def test_redis_that_goes_away_and_comes_back(tmp_path: Path) -> None:
    """Meanwhile a call fails at once as retryable; afterwards it works without anybody subscribing again."""
    server = started(lambda: redis_server(tmp_path))
    bus = RedisBus(RedisAddress("127.0.0.1", server.port))
    clock = LoopClock()
    try:
        await bus.start()
        client, rpc_server = RpcClient(bus, "Test", clock), RpcServer(bus, "Test", clock)
        await client.start()
        await rpc_server.register(METHOD, REQUEST, _trunk)
        assert (await client.call(METHOD, REQUEST(), RESPONSE)).sip_trunk_id == "ST_1"
        server.stop()
        await until(lambda: not bus.connected)
        before = clock.now()
        with pytest.raises(BusError) as failure:
            await client.call(METHOD, REQUEST(), RESPONSE)
        assert (failure.value.code, failure.value.retryable) == ("unavailable", True)
        assert clock.now() - before < 1.0
        # What is subscribed to while Redis is away holds from its return on.
        await rpc_server.register("Other", REQUEST, _trunk)
        server.start()
        await until(lambda: bus.connected)
        assert (await client.call(METHOD, REQUEST(), RESPONSE)).sip_trunk_id == "ST_1"
        assert (await client.call("Other", REQUEST(), RESPONSE)).sip_trunk_id == "ST_1"
        assert bus.reconnects == 1
        await rpc_server.close()
    finally:
        await bus.close()
        server.stop()


async def test_no_redis_is_one_sentence() -> None:
    """The address is named, and what to do."""
    port = free_port()
    bus = RedisBus(RedisAddress("127.0.0.1", port))
    with pytest.raises(BusError, match=rf"Redis at 127\.0\.0\.1:{port} cannot be reached\. Start Redis"):
        await bus.start()
    await bus.close()


async def test_a_wrong_password_is_one_sentence(bus: RedisBus, redis: Server) -> None:
    """A login that Redis refuses is told apart from a Redis that is not there."""
    wrong = RedisBus(RedisAddress("127.0.0.1", redis.port, "nobody", "wrong-password"))
    with pytest.raises(BusError, match="refuses the login") as failure:
        await wrong.start()
    assert "wrong-password" not in str(failure.value)
    await wrong.close()
