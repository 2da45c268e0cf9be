"""A bridge that registers, on real servers: what is shown, and calls that carry the login."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import pytest

from telephony.clock import LoopClock
from telephony.sip.endpoint import SipEndpoint
from tests.bridge.line import TestLine
from tests.bridge.registrar_double import LOGIN, PASSWORD, Registrar
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bridge.phone import Phone
    from tests.bridge.servers import Server

pytestmark = pytest.mark.component


async def _page(port: int | None, path: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/{path}") as answer:
        return await answer.text()


async def test_a_call_to_the_login_reaches_the_lines_trunk(
    redis: Server, livekit: Server, tmp_path: Path, phone: Phone
) -> None:
    """The bridge registers, says so, takes a call whose To is the login, and gives back at its end."""
    endpoint = SipEndpoint(LoopClock(), "Registrar")
    await endpoint.start("127.0.0.1", 0)
    registrar = Registrar(endpoint)
    line = TestLine(redis, livekit, tmp_path)
    account = {
        "name": "carrier",
        "registrar": f"127.0.0.1:{endpoint.port}",
        "username": LOGIN,
        "password": PASSWORD,
        "domain": "carrier.example",
        "expiry": "2m",
        "number": line.number,
    }
    number = line.number
    line = TestLine(redis, livekit, tmp_path, sip_registrations=[account])
    line.number = number
    async with line:
        await line.provision()
        await until(lambda: registrar.bound)
        assert registrar.bound == f"<sip:{LOGIN}@127.0.0.1:{line.port}>"
        await until(lambda: line.bridge.health() == (200, "ok"))
        assert 'bridge_registered{trunk="carrier"} 1.0' in await _page(line.bridge.health_port, "metrics")
        call = await phone.call(LOGIN, line.port)
        await line.room_appears()
        async with line.person() as agent:
            await agent.speak()
            assert (await call.final()).status == 200
            assert agent.caller.attributes["sip.trunkPhoneNumber"] == number
        await call.bye()
        await line.ended()
        registrar.status = 403
    assert registrar.asked[-1].expires == "0"
    await endpoint.close()


async def test_a_line_that_is_refused_shows(redis: Server, livekit: Server, tmp_path: Path) -> None:
    """Health says which and why, and calls of other lines are taken."""
    endpoint = SipEndpoint(LoopClock(), "Registrar")
    await endpoint.start("127.0.0.1", 0)
    Registrar(endpoint)
    account = {"registrar": f"127.0.0.1:{endpoint.port}", "username": LOGIN, "password": "wrong"}
    async with TestLine(redis, livekit, tmp_path, sip_registrations=[account]) as line:
        await until(lambda: "password is wrong" in line.bridge.health()[1])
        assert line.bridge.health()[0] == 200
        assert f'bridge_registered{{trunk="{LOGIN}"}} 0.0' in await _page(line.bridge.health_port, "metrics")
    await endpoint.close()
