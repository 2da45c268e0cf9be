"""Limits of calls, as callers and applications meet them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from livekit import api

from telephony.sip.digest import Credentials
from tests.bridge.called_phone import CalledPhone
from tests.bridge.dialling import dial
from tests.bridge.line import TestLine
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bridge.phone import Phone
    from tests.bridge.servers import Server

pytestmark = pytest.mark.component


async def _refusal(line: TestLine) -> dict[str, Any]:
    """What the record has of the call that was refused."""
    await until(lambda: any(event["type"] == "call.refused" for event in line.events()))
    return dict(next(event["data"] for event in line.events() if event["type"] == "call.refused"))


async def test_a_source_above_its_limit_is_busy(
    redis: Server, livekit: Server, tmp_path: Path, phone: Phone
) -> None:
    """486 at once with limit_status 486, told in the record; a place that came free is taken again."""
    async with TestLine(redis, livekit, tmp_path, max_calls_per_source=1, limit_status=486) as line:
        await line.provision()
        first = await phone.call(line.number, line.port)
        await line.room_appears()
        assert line.bridge.health()[0] == 200
        second = await (await phone.call(line.number, line.port, caller="222")).final()
        assert (second.status, second.headers.get("Retry-After")) == (486, None)
        refused = await _refusal(line)
        assert refused["field"] == "max_calls_per_source"
        assert "from 127.0.0.1" in refused["sentence"]
        first.invite.cancel()
        await first.final()
        await line.ended()
        third = await phone.call(line.number, line.port, caller="333")
        await line.room_appears()
        third.invite.cancel()
        assert (await third.final()).status == 487
        await line.ended()


async def test_a_trunk_above_its_limit_is_503(
    redis: Server, livekit: Server, tmp_path: Path, phone: Phone
) -> None:
    """With Retry-After, and only once the caller has proven that the trunk is its own."""
    async with TestLine(redis, livekit, tmp_path, max_calls_per_trunk=1) as line:
        await line.provision(trunk={"auth_username": "user", "auth_password": "pass"})
        credentials = Credentials("user", "pass")
        first = await phone.call(line.number, line.port, credentials=credentials)
        await line.room_appears()
        stranger = await phone.call(line.number, line.port, caller="111")
        assert (await stranger.final()).status == 407
        second = await phone.call(line.number, line.port, caller="222", credentials=credentials)
        response = await second.final()
        assert (response.status, response.headers.get("Retry-After")) == (503, "5")
        assert (await _refusal(line))["field"] == "max_calls_per_trunk"
        first.invite.cancel()
        await first.final()
        await line.ended()


async def test_calls_out_count_on_their_trunk(redis: Server, livekit: Server, tmp_path: Path) -> None:
    """Above the limit nobody is rung, and the API says resource_exhausted."""
    async with TestLine(redis, livekit, tmp_path, max_calls_per_trunk=1) as line, CalledPhone() as called:
        info = api.SIPOutboundTrunkInfo(name="out", address=called.address, numbers=["+15550100"])
        trunk = await line.api.sip.create_outbound_trunk(api.CreateSIPOutboundTrunkRequest(trunk=info))
        asked: dict[str, Any] = {
            "trunk": None,
            "sip_trunk_id": trunk.sip_trunk_id,
            "wait_until_answered": False,
        }
        try:
            await dial(line, called.address, **asked)
            leg = await called.rung()
            with pytest.raises(api.ServerError) as caught:
                await dial(line, called.address, participant_identity="other", **asked)
            assert caught.value.code == "resource_exhausted"
            assert "trunk" in caught.value.message
            leg.refuse(486)
            await line.ended()
            await dial(line, called.address, **asked)
            leg = await called.rung(2)
            leg.refuse(486)
            await until(lambda: not line.bridge.active_calls)
        finally:
            await line.api.sip.delete_trunk(api.DeleteSIPTrunkRequest(sip_trunk_id=trunk.sip_trunk_id))
    assert called.invites == 2


async def test_calls_out_leave_callers_their_places(
    redis: Server, livekit: Server, tmp_path: Path, phone: Phone
) -> None:
    """With two places and one kept, the second call out rings nobody, and a caller still gets through."""
    kept: dict[str, Any] = {"max_active_calls": 2, "reserved_inbound_calls": 1}
    async with TestLine(redis, livekit, tmp_path, **kept) as line, CalledPhone() as called:
        await line.provision()
        asked: dict[str, Any] = {"wait_until_answered": False}
        await dial(line, called.address, **asked)
        leg = await called.rung()
        with pytest.raises(api.ServerError) as caught:
            await dial(line, called.address, participant_identity="other", **asked)
        assert caught.value.code == "resource_exhausted"
        assert "kept for callers" in caught.value.message
        first = await phone.call(line.number, line.port)
        await until(lambda: line.bridge.active_calls == 2)
        first.invite.cancel()
        await first.final()
        leg.refuse(486)
        await until(lambda: not line.bridge.active_calls)
    assert called.invites == 1
