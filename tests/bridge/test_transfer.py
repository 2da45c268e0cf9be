"""Handing phones over on a real livekit-server, asked for by its public API."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from livekit import api, rtc

from tests.bridge.called_phone import CalledLeg, CalledPhone
from tests.bridge.dialling import IDENTITY, dial
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from telephony.sip.incoming import IncomingRequest
    from tests.bridge.line import TestLine

pytestmark = pytest.mark.component

TARGET = "sip:desk@other.example"


@pytest.fixture
async def called() -> AsyncIterator[CalledPhone]:
    """A telephone to be called."""
    async with CalledPhone() as called:
        yield called


async def _up(line: TestLine, called: CalledPhone) -> CalledLeg:
    dialling = asyncio.create_task(dial(line, called.address))
    leg = await called.rung()
    await leg.answer(voice_hz=1000)
    await dialling
    return leg


async def _transfer(line: TestLine, *, target: str = TARGET, **fields: Any) -> None:
    await line.api.sip.transfer_sip_participant(
        api.TransferSIPParticipantRequest(
            room_name=line.room_name, participant_identity=IDENTITY, transfer_to=target, **fields
        )
    )


def _refer(leg: CalledLeg, *statuses: int, refused: int = 0) -> Callable[[IncomingRequest], None]:
    """Answer REFER, then tell these statuses by NOTIFY."""

    async def notify() -> None:
        assert leg.session is not None
        for status in statuses:
            await leg.session.request(
                "NOTIFY",
                [("Event", "refer"), ("Subscription-State", "active")],
                f"SIP/2.0 {status} Told\r\n".encode(),
                "message/sipfrag",
            )

    def answer(request: IncomingRequest) -> None:
        request.respond(refused or 202)
        if not refused:
            leg.phone.tasks.append(asyncio.create_task(notify()))

    return answer


async def test_a_phone_is_handed_over(line: TestLine, called: CalledPhone) -> None:
    """REFER with target and headers; success by NOTIFY; a second later BYE; the record says transferred."""
    async with line.person():
        leg = await _up(line, called)
        called.on_in_dialog = _refer(leg, 100, 180, 200)
        await _transfer(line, headers={"X-Why": "sales"})
        refer = leg.requests[0]
        assert (refer.method, refer.headers.get("Refer-To")) == ("REFER", f"<{TARGET}>")
        assert refer.headers.get("X-Why") == "sales"
        await leg.hung_up()
    data = (await line.ended())["data"]
    assert (data["reason"], data["ended_by"], data["code"]) == ("transferred", "agent", "transferred")


async def test_a_phone_may_hang_up_without_a_word(line: TestLine, called: CalledPhone) -> None:
    """A call that ends once the REFER was accepted was handed over."""
    async with line.person():
        leg = await _up(line, called)

        def accept(request: IncomingRequest) -> None:
            request.respond(202)
            called.tasks.append(asyncio.create_task(leg.bye()))

        called.on_in_dialog = accept
        await _transfer(line)
    assert (await line.ended())["data"]["reason"] == "transferred"


async def test_a_transfer_nobody_answers_is_given_up(line: TestLine, called: CalledPhone) -> None:
    """After the ringing time whoever asked is told, and the call goes on."""
    async with line.person():
        leg = await _up(line, called)
        called.on_in_dialog = lambda request: request.respond(202)
        request = api.TransferSIPParticipantRequest(
            room_name=line.room_name, participant_identity=IDENTITY, transfer_to=TARGET
        )
        request.ringing_timeout.FromSeconds(1)
        with pytest.raises(api.ServerError) as caught:
            await line.api.sip.transfer_sip_participant(request)
        assert caught.value.code == "deadline_exceeded"
        await leg.bye()
    await line.ended()


async def test_the_room_may_read_headers_and_hang_up_with_some(line: TestLine, called: CalledPhone) -> None:
    """lk.sip.GetRemoteHeaders gives those of the 200, lk.sip.EndCall puts some into the BYE."""
    async with line.person() as agent:
        dialling = asyncio.create_task(dial(line, called.address))
        leg = await called.rung()
        await leg.answer(headers=[("X-Leg", "7")])
        await dialling
        await until(lambda: agent.room.remote_participants)
        answer = await agent.room.local_participant.perform_rpc(
            destination_identity=IDENTITY, method="lk.sip.GetRemoteHeaders", payload='{"include": ["x-leg"]}'
        )
        assert json.loads(answer) == {"headers": {"X-Leg": "7"}}
        with pytest.raises(rtc.RpcError):
            await agent.room.local_participant.perform_rpc(
                destination_identity=IDENTITY, method="lk.sip.GetRemoteHeaders", payload="[]"
            )
        await agent.room.local_participant.perform_rpc(
            destination_identity=IDENTITY, method="lk.sip.EndCall", payload='{"headers": {"X-Why": "done"}}'
        )
        await leg.hung_up()
        assert leg.requests[-1].headers.get("X-Why") == "done"
    assert (await line.ended())["data"]["reason"] == "agent_hung_up"
