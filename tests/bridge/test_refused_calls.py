"""Calls that are refused, and that the caller always learns it."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import pytest
from livekit import api, rtc

from telephony.sip.digest import Credentials
from tests.bridge.line import TestLine
from tests.bridge.servers import Server, livekit_server, redis_server, started
from tests.bridge.sip_text import offer
from tests.waiting import limit, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bridge.phone import Phone

pytestmark = pytest.mark.component


async def _refused(line: TestLine, phone: Phone, **options: Any) -> tuple[int, dict[str, Any]]:
    """Call, and return the final status with the last event's data."""
    number = options.pop("number", line.number)
    call = await phone.call(number, line.port, **options)
    response = await call.final(timeout_s=10)
    event = await line.ended()
    assert event["type"] == "call.refused"
    assert event["data"]["status"] == response.status
    return response.status, event["data"]


async def test_a_number_without_a_trunk_is_404(line: TestLine, phone: Phone) -> None:
    """The field names the trunks' numbers, and the number is not told in full."""
    await line.provision()
    status, data = await _refused(line, phone, number="+19990000000")
    assert (status, data["field"]) == (404, "sip_trunks[].numbers")
    assert "+19990000000" not in data["sentence"]


async def test_a_trunk_without_a_rule_is_404(line: TestLine, phone: Phone) -> None:
    """livekit-server drops it; here the caller is told, and the field names the rules."""
    await line.provision(with_rule=False)
    status, data = await _refused(line, phone)
    assert (status, data["field"]) == (404, "routing.inbound_rules[].trunks")
    assert "ST_" in data["sentence"]


async def test_a_refusal_that_stands_is_repeated_without_asking_again(line: TestLine, phone: Phone) -> None:
    """The same Call-ID and From tag within a minute: livekit-server is not asked, no second event."""
    await line.provision()
    first = await phone.call("+19990000000", line.port)
    assert (await first.final()).status == 404
    await line.ended()
    again = first.invite.request.copy()
    again.headers.set("CSeq", "7 INVITE")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as raw:
        raw.bind(("127.0.0.1", 0))
        raw.setblocking(False)
        own = f"SIP/2.0/UDP 127.0.0.1:{raw.getsockname()[1]};branch=z9hG4bKagain"
        again.headers.set("Via", own)
        raw.sendto(again.to_bytes(), ("127.0.0.1", line.port))
        async with limit(5):
            answer = await asyncio.get_running_loop().sock_recv(raw, 2048)
    assert answer.startswith(b"SIP/2.0 404")
    assert len(line.events()) == 1


async def test_a_wrong_password_is_401(line: TestLine, phone: Phone) -> None:
    """The field says whether user or password is wrong."""
    await line.provision(trunk={"auth_username": "user", "auth_password": "pass"})
    status, data = await _refused(line, phone, credentials=Credentials("user", "wrong"))
    assert (status, data["field"]) == (401, "sip_trunks[].auth_password")


async def test_no_credentials_is_407_and_no_call(line: TestLine, phone: Phone) -> None:
    """A caller that cannot answer the challenge leaves no event and no room."""
    await line.provision(trunk={"auth_username": "user", "auth_password": "pass"})
    call = await phone.call(line.number, line.port)
    assert (await call.final()).status == 407
    await until(lambda: not line.bridge.active_calls)
    assert line.events() == []
    assert line.room_name not in await line.rooms()


@pytest.mark.parametrize("body", [offer("9 18"), offer(port=0), b"v=0\r\nnonsense\r\n"])
async def test_an_offer_without_our_codecs_is_488(line: TestLine, phone: Phone, body: bytes) -> None:
    """G.722 and G.729 alone, no audio, garbage: 488, and no room is made."""
    await line.provision()
    status, _ = await _refused(line, phone, body=body)
    assert status == 488
    assert line.room_name not in await line.rooms()


async def test_a_trunk_that_requires_encryption_is_488(line: TestLine, phone: Phone) -> None:
    """Without SRTP such a trunk's calls are not taken in clear."""
    await line.provision(trunk={"media_encryption": api.SIPMediaEncryption.SIP_MEDIA_ENCRYPT_REQUIRE})
    status, data = await _refused(line, phone)
    assert (status, data["field"]) == (488, "sip_trunks[].media_encryption")


async def test_a_call_that_no_agent_takes_is_refused_in_time(
    redis: Server, livekit: Server, tmp_path: Path, phone: Phone
) -> None:
    """503 with Retry-After after the agent's wait, and the room that was made for it is gone."""
    async with TestLine(redis, livekit, tmp_path, agent_wait_timeout="1s") as line:
        await line.provision(agents=True)
        call = await phone.call(line.number, line.port)
        response = await call.final()
        waited = phone.clock.now() - call.invited_at
        assert (response.status, response.headers.get("Retry-After")) == (503, "5")
        assert 0.9 < waited < 2.0
        event = await line.ended()
        assert (event["type"], event["data"]["field"]) == ("call.refused", "agent.name")
        assert line.room_name not in await line.rooms()


async def test_the_status_of_that_refusal_can_be_chosen(
    redis: Server, livekit: Server, tmp_path: Path, phone: Phone
) -> None:
    """refuse_status replaces 503."""
    settings = {"agent_wait_timeout": "500ms", "refuse_status": 480}
    async with TestLine(redis, livekit, tmp_path, **settings) as line:
        await line.provision()
        assert (await _refused(line, phone))[0] == 480


async def test_an_agent_that_dies_before_it_speaks_is_not_waited_for(
    redis: Server, livekit: Server, tmp_path: Path, phone: Phone
) -> None:
    """It came, it left: the call is refused as soon as livekit-server tells of it, within some seconds."""
    async with TestLine(redis, livekit, tmp_path, agent_wait_timeout="1500ms") as line:
        await line.provision()
        call = await phone.call(line.number, line.port)
        await line.room_appears()
        async with line.person():
            await until(lambda: phone.clock.now() - call.invited_at > 1.7)
            assert not call.invite.done
            left_at = phone.clock.now()
        assert (await call.final()).status == 503
        assert phone.clock.now() - left_at < 6.0
        await line.ended()


async def test_a_room_with_people_is_not_deleted(
    redis: Server, livekit: Server, tmp_path: Path, phone: Phone
) -> None:
    """Somebody who listens without talking keeps the room when the call is refused."""
    trunk = api.SIPInboundTrunkInfo()
    trunk.ringing_timeout.FromSeconds(1)
    async with TestLine(redis, livekit, tmp_path) as line:
        await line.provision(trunk={"ringing_timeout": trunk.ringing_timeout})
        async with line.person(identity="listener", kind="standard"):
            status, data = await _refused(line, phone)
            assert (status, data["field"]) == (480, "ringing_timeout")
            assert await line.participants() == ["listener"]


async def test_a_caller_who_gives_up_gets_487(line: TestLine, phone: Phone) -> None:
    """CANCEL while it rings: 487, the caller leaves and the room goes."""
    await line.provision()
    call = await phone.call(line.number, line.port)
    await line.room_appears()
    call.invite.cancel()
    assert (await call.final()).status == 487
    event = await line.ended()
    assert (event["type"], event["data"]["reason"], event["data"]["sip_status"]) == (
        "call.ended",
        "caller_cancelled",
        487,
    )
    assert line.room_name not in await line.rooms()


async def test_more_calls_than_allowed_are_503(
    redis: Server, livekit: Server, tmp_path: Path, phone: Phone
) -> None:
    """max_active_calls holds for inbound calls."""
    async with TestLine(redis, livekit, tmp_path, max_active_calls=1) as line:
        await line.provision()
        first = await phone.call(line.number, line.port)
        await line.room_appears()
        assert line.bridge.health()[0] == 429
        second = await phone.call(line.number, line.port, caller="222")
        response = await second.final()
        assert (response.status, response.headers.get("Retry-After")) == (503, "5")
        first.invite.cancel()
        await first.final()
        await line.ended()
        assert line.bridge.health() == (200, "ok")


async def test_no_free_media_port_is_503(
    redis: Server, livekit: Server, tmp_path: Path, phone: Phone
) -> None:
    """A range that is used up by others is named."""
    taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    taken.bind(("127.0.0.1", 0))
    port = taken.getsockname()[1] & ~1
    other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    if taken.getsockname()[1] != port:
        other.bind(("127.0.0.1", port))
    try:
        async with TestLine(redis, livekit, tmp_path, rtp_port=f"{port}-{port + 1}") as line:
            await line.provision()
            status, data = await _refused(line, phone)
            assert (status, data["field"]) == (503, "rtp_port")
    finally:
        taken.close()
        other.close()


async def test_without_livekit_server_it_is_503(redis: Server, tmp_path: Path, phone: Phone) -> None:
    """Nobody answers on the bus: the caller is told within two seconds."""
    redis_alone = started(lambda: redis_server(tmp_path))
    server = Server([], 1, tmp_path / "none.log", lambda _: False)
    try:
        async with TestLine(redis_alone, server, tmp_path) as line:
            status, data = await _refused(line, phone)
            assert (status, data["field"]) == (503, "redis")
            assert "no response from servers" in data["sentence"]
    finally:
        redis_alone.stop()


async def test_a_wrong_api_secret_is_503(
    redis: Server, livekit: Server, tmp_path: Path, phone: Phone
) -> None:
    """livekit-server refuses the token: the field names where to look."""
    async with TestLine(
        redis, livekit, tmp_path, api_secret="another-secret-of-more-than-32-characters"
    ) as line:
        await line.provision()
        status, data = await _refused(line, phone)
        assert (status, data["field"]) == (503, "livekit.url")


async def test_redis_that_goes_away_refuses_until_it_is_back(tmp_path: Path, phone: Phone) -> None:
    """503 at once meanwhile; afterwards calls are answered again without a restart of the bridge."""
    redis = started(lambda: redis_server(tmp_path))
    livekit = started(lambda: livekit_server(tmp_path, redis.port))
    try:
        async with TestLine(redis, livekit, tmp_path) as line:
            redis.stop()
            await until(lambda: line.bridge.health()[0] == 503)
            status, data = await _refused(line, phone)
            assert (status, data["field"]) == (503, "redis")
            redis.start()
            await until(lambda: line.bridge.health()[0] == 200)
            # Redis forgot all: trunk and rule are made anew, and livekit-server needs a while itself.
            await line.provision()
            await until(lambda: _is_answered(line, phone), timeout_s=60)
            await line.ended()
    finally:
        livekit.stop()
        redis.stop()


async def _is_answered(line: TestLine, phone: Phone) -> bool:
    try:
        async with line.person() as agent:
            await agent.speak()
            call = await phone.call(line.number, line.port)
            response = await call.final()
            if response.status == 200:
                await call.bye()
            return response.status == 200
    except rtc.ConnectError:
        await asyncio.sleep(0.5)
        return False


@pytest.mark.parametrize("wait_s", [0.0, 0.03, 0.1])
async def test_a_room_deleted_while_it_is_being_joined_is_486(
    line: TestLine, phone: Phone, wait_s: float
) -> None:
    """At whatever moment: the caller is told within three seconds, and no room is left."""
    await line.provision()
    call = await phone.call(line.number, line.port)
    await line.room_appears()
    await asyncio.sleep(wait_s)
    deleted_at = phone.clock.now()
    await line.api.room.delete_room(api.DeleteRoomRequest(room=line.room_name))
    assert (await call.final()).status == 486
    assert phone.clock.now() - deleted_at < 3.0
    assert (await line.ended(timeout_s=20))["data"]["field"] == "room"
    assert line.room_name not in await line.rooms()
