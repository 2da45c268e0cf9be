"""The bridge as a process: how it drains, how it is cut, and what both do to calls."""

from __future__ import annotations

import asyncio
import http.client
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from livekit import api

from tests.bridge.dialling import dial
from tests.bridge.phone import Phone
from tests.bridge.servers import Server, livekit_server, redis_server, started
from tests.contract.conftest import new_bridge
from tests.contract.hearing import hears
from tests.contract.line import CALLER_HZ, VOICE_HZ, ContractAgent, ContractLine
from tests.waiting import limit, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from tests.bridge.called_phone import CalledPhone
    from tests.bridge.phone import PhoneCall
    from tests.contract.process import BridgeProcess

pytestmark = [pytest.mark.component, pytest.mark.asyncio(loop_scope="session")]


@dataclass
class Servers:
    """Servers for bridges that are ended; requests for calls on the others are not taken by them."""

    livekit: Server
    new_bridge: Callable[[str], Awaitable[BridgeProcess]]

    def line(self, bridge: BridgeProcess) -> ContractLine:
        return ContractLine(bridge, f"ws://127.0.0.1:{self.livekit.port}", None, bridge.folder)


@dataclass
class Draining:
    """A bridge that was told to stop while a call was up."""

    line: ContractLine
    call: PhoneCall
    agent: ContractAgent


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def servers(
    tmp_path_factory: pytest.TempPathFactory, livekit_sip_path: str | None
) -> AsyncIterator[Servers]:
    folder = tmp_path_factory.mktemp("ended")
    redis = started(lambda: redis_server(folder))
    livekit = started(lambda: livekit_server(folder, redis.port))

    async def one(name: str) -> BridgeProcess:
        own: Path = folder / name
        own.mkdir()
        bridge = new_bridge(own, redis, livekit, livekit_sip_path, None)
        bridge.start()
        await bridge.wait_ready()
        return bridge

    yield Servers(livekit, one)
    livekit.stop()
    redis.stop()


async def _up(line: ContractLine, phone: Phone) -> tuple[PhoneCall, ContractAgent]:
    await line.provision()
    call = await phone.call(line.number, line.port, voice_hz=CALLER_HZ)
    agent = line.agent("room")
    await agent.take()
    assert (await call.final()).status == 200
    await hears(call, VOICE_HZ)
    return call, agent


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def draining(servers: Servers) -> AsyncIterator[Draining]:
    """SIGTERM in a call; at its end the process exits by itself, with 0."""
    bridge = await servers.new_bridge("draining")
    try:
        async with servers.line(bridge) as line, Phone() as phone:
            call, agent = await _up(line, phone)
            bridge.signal(signal.SIGTERM)
            await until(lambda: _health(bridge) == 503)
            yield Draining(line, call, agent)
            assert bridge.exit_code is None
            await call.bye()
            if bridge.is_ours:  # The other has taken a call meanwhile: "drain-takes-calls".
                await until(lambda: bridge.exit_code is not None, 15)
                assert bridge.exit_code == 0
    finally:
        await bridge.stop()


def _health(bridge: BridgeProcess) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", bridge.health_port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status
    finally:
        connection.close()


async def test_a_call_goes_on_while_the_bridge_drains(draining: Draining) -> None:
    """Both sides hear each other as before."""
    heard = len(draining.call.heard)
    await until(lambda: len(draining.call.heard) > heard + 20)
    await hears(draining.call, VOICE_HZ)
    await hears(draining.agent, CALLER_HZ)


async def test_a_draining_bridge_dials_nobody(draining: Draining, called: CalledPhone) -> None:
    """It leaves requests to others; where there is none the server says that nobody answers."""
    with pytest.raises(api.ServerError) as caught:
        await dial(draining.line, called.address)
    assert caught.value.code == "unavailable"
    assert called.invites == 0


@pytest.mark.livekit_sip_fault("drain-takes-calls")
async def test_a_draining_bridge_takes_no_calls(draining: Draining, phone: Phone) -> None:
    """503 with Retry-After: the carrier may try another one."""
    call = await phone.call(draining.line.number, draining.line.port, caller="+15550122")
    try:
        response = await call.final(5)
    except TimeoutError:
        call.invite.cancel()
        raise
    assert response.status == 503
    assert response.headers.get("Retry-After")


async def test_sigint_hangs_everybody_up(servers: Servers, phone: Phone) -> None:
    """BYE to the phone, and the process ends with 0 within seconds."""
    bridge = await servers.new_bridge("cut")
    try:
        async with servers.line(bridge) as line:
            call, _ = await _up(line, phone)
            bridge.signal(signal.SIGINT)
            await call.hung_up()
            async with limit(15):
                while bridge.exit_code is None:
                    await asyncio.sleep(0.05)
        assert bridge.exit_code == 0
    finally:
        await bridge.stop()
