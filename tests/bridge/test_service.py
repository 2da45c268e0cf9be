"""The bridge as a whole: garbage, draining, cutting, health, and starting where it cannot."""

from __future__ import annotations

import asyncio
import random
import re
import socket
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from telephony.bridge.config import read_config
from telephony.bridge.service import REFUSALS_BURST, BridgeService
from telephony.errors import PortTakenError, StartError
from tests.bridge.line import TestLine
from tests.bridge.servers import bridge_settings
from tests.waiting import limit, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bridge.phone import Phone, PhoneCall
    from tests.bridge.servers import Server

pytestmark = pytest.mark.component


async def _get(line: TestLine, path: str = "/") -> tuple[int, str]:
    url = f"http://127.0.0.1:{line.bridge.health_port}{path}"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text()


async def _answered(line: TestLine, phone: Phone) -> tuple[PhoneCall, Any]:
    call = await phone.call(line.number, line.port, voice_hz=1000)
    await line.room_appears()
    agent = line.person()
    await agent.__aenter__()
    await agent.speak()
    assert (await call.final()).status == 200
    return call, agent


async def test_garbage_on_the_sip_port_changes_nothing(line: TestLine, phone: Phone) -> None:
    """Random bytes, half messages and hostile headers: no crash, no call, and the next call works."""
    await line.provision()
    seeded = random.Random(7)
    target = ("127.0.0.1", line.port)
    whole = (
        b"INVITE sip:1@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKx\r\n"
        b"From: <sip:a@b>;tag=1\r\nTo: <sip:1@b>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n"
        b"Contact: <sip:a@127.0.0.1:9>\r\n\r\n"
    )
    hostile = [
        whole.replace(b"CSeq: 1 INVITE", b"CSeq: 99999999999999 INVITE"),
        whole.replace(b"tag=1", b""),
        whole.replace(b"Contact: <sip:a@127.0.0.1:9>\r\n", b""),
        whole.replace(b"<sip:a@b>", b'"' + b"\xff" * 300),
        whole.replace(b"Call-ID: x", b"Call-ID: " + b"y" * 9000),
        whole.replace(b"INVITE sip:1@", b"INVITE sip:" + b"%00" * 500 + b"@"),
        whole[:100],
        b"",
        b"\r\n\r\n",
        b"SIP/2.0 200 OK\r\n\r\n",
    ]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for _ in range(200):
            stranger.sendto(seeded.randbytes(seeded.randint(1, 1200)), target)
        for data in hostile:
            stranger.sendto(data, target)
    call, agent = await _answered(line, phone)
    assert line.bridge.active_calls == 1
    await call.bye()
    await line.ended()
    await agent.leave()


async def test_garbage_on_the_media_port_changes_nothing(line: TestLine, phone: Phone) -> None:
    """Random datagrams from a stranger during the call are ignored and counted."""
    await line.provision()
    call, agent = await _answered(line, phone)
    await until(lambda: len(call.heard) > 10)
    assert call.rtp.remote is not None
    seeded = random.Random(7)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for _ in range(300):
            stranger.sendto(seeded.randbytes(seeded.randint(0, 60)), call.rtp.remote)
    frames = len(call.heard)
    await until(lambda: len(call.heard) > frames + 20)
    await call.bye()
    ended = await line.ended()
    assert ended["data"]["packets_ignored"] > 250
    await agent.leave()


async def test_draining_lets_calls_finish_and_takes_no_new_ones(line: TestLine, phone: Phone) -> None:
    """The call that is up goes on, a new one is 503 with Retry-After, and drain returns with its end."""
    await line.provision()
    call, agent = await _answered(line, phone)
    drained = asyncio.create_task(line.bridge.drain())
    await asyncio.sleep(0)
    refused = await phone.call(line.number, line.port, caller="222")
    response = await refused.final()
    assert (response.status, response.headers.get("Retry-After")) == (503, "5")
    assert await _get(line) == (503, "stopping\n")
    frames = len(call.heard)
    await until(lambda: len(call.heard) > frames + 10)
    assert not drained.done()
    await call.bye()
    async with limit(5):
        await drained
    await agent.leave()


async def test_cutting_says_bye_to_everybody(line: TestLine, phone: Phone) -> None:
    """A call that is up gets BYE, one that rings gets 503, and nothing is left."""
    await line.provision()
    call, agent = await _answered(line, phone)
    ringing = await phone.call(line.number, line.port, caller="222")
    await until(lambda: any(status == 180 for status, _ in ringing.provisionals))
    await line.bridge.cut()
    await call.hung_up()
    assert (await ringing.final()).status == 503
    assert line.bridge.active_calls == 0
    ended = [event["data"].get("reason") for event in line.events() if event["type"] == "call.ended"]
    assert ended == ["bridge_stopped"]
    await agent.leave()


async def test_stopping_leaves_no_socket_and_no_task(line: TestLine, phone: Phone) -> None:
    """After stop the SIP port is free, the health server gone, and only the test's own tasks run."""
    await line.provision()
    call, agent = await _answered(line, phone)
    port, health_port = line.port, line.bridge.health_port
    await line.bridge.stop()
    await call.hung_up()
    await agent.leave()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", port))
    with pytest.raises(OSError, match="Connect call failed"):
        _, _writer = await asyncio.open_connection("127.0.0.1", health_port)
    names = [task.get_coro().__qualname__ for task in asyncio.all_tasks()]  # type: ignore[union-attr]
    assert not [name for name in names if "bridge" in name.lower() and "test" not in name.lower()]


def _figure(page: str, name: str, *labels: str) -> float:
    """The figure of one series, found by its name and some of its labels."""
    (line,) = [
        line
        for line in page.splitlines()
        if re.match(rf"{name}[{{ ]", line) and all(label in line for label in labels)
    ]
    return float(line.rpartition(" ")[2])


async def test_health_and_metrics(line: TestLine, phone: Phone) -> None:
    """200 while calls are taken; the figures count what was answered and refused."""
    await line.provision()
    assert await _get(line) == (200, "ok\n")
    call, agent = await _answered(line, phone)
    _, during = await _get(line, "/metrics")
    assert "bridge_active_calls 1.0" in during
    assert _figure(during, "livekit_sip_calls_active", 'dir="in"') == 1
    assert _figure(during, "livekit_sip_available") == 1
    await until(lambda: len(call.heard) > 10)
    await call.bye()
    await line.ended()
    refused = await phone.call("+19990000000", line.port)
    assert (await refused.final()).status == 404
    await until(lambda: not line.bridge.active_calls)
    _, text = await _get(line, "/metrics")
    assert 'bridge_calls_ended_total{reason="caller_hung_up"} 1.0' in text
    assert 'bridge_calls_refused_total{field="sip_trunks[].numbers",status="404"} 1.0' in text
    assert "bridge_invite_to_answer_seconds_count 1.0" in text
    assert "bridge_bus_connected 1.0" in text
    assert _figure(text, "livekit_sip_invite_requests_raw") == 2
    assert _figure(text, "livekit_sip_invite_accepted", 'dir="in"', 'to="127.0.0.1"') == 2
    assert _figure(text, "livekit_sip_invite_error", 'reason="status-404"') == 1
    assert _figure(text, "livekit_sip_calls_terminated", 'reason="caller_hung_up"') == 1
    assert _figure(text, "livekit_sip_packets_rtp", 'op="recv"', 'payload="PCMU"') > 0
    assert _figure(text, "livekit_sip_dur_call_sec_count", 'dir="in"') == 1
    assert _figure(text, "livekit_sip_dur_join_sec_count", 'dir="in"') == 1
    await agent.leave()


async def test_a_flood_of_refusals_is_answered_but_not_written_down_one_by_one(
    redis: Server, livekit: Server, tmp_path: Path, phone: Phone
) -> None:
    """Every INVITE gets its answer; events are limited."""
    async with TestLine(redis, livekit, tmp_path) as line:
        line.bridge.refuse_new_calls()
        calls = [await phone.call(str(number), line.port) for number in range(REFUSALS_BURST + 30)]
        assert {(await call.final()).status for call in calls} == {503}
        assert REFUSALS_BURST <= len(line.events()) < REFUSALS_BURST + 20


def _config(redis: Server, **settings: Any) -> Any:
    return read_config(bridge_settings("ws://127.0.0.1:1", f"127.0.0.1:{redis.port}", **settings), {})


async def test_a_sip_port_that_is_taken_is_named(redis: Server) -> None:
    """Starting fails with the port, and leaves nothing open."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(PortTakenError, match=str(port)):
            await BridgeService(_config(redis, sip_port=port)).start()


async def test_a_health_port_that_is_taken_is_named(redis: Server) -> None:
    """The same for HTTP; the SIP port is free again."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortTakenError, match=f"health_port.*{port}"):
            await BridgeService(_config(redis, health_port=port)).start()


async def test_an_address_of_another_machine_is_refused(redis: Server) -> None:
    """listen_ip must be ours."""
    with pytest.raises(StartError, match=r"192\.0\.2\.1"):
        await BridgeService(_config(redis, listen_ip="192.0.2.1")).start()
