"""Handing phones over on a real livekit-server, asked for by its public API."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from livekit import api, rtc

from telephony.audio.detect import dominant_frequency
from tests.bridge.called_phone import CalledLeg, CalledPhone
from tests.bridge.dialling import IDENTITY, dial
from tests.bridge.line import TestLine, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from telephony.sip.incoming import IncomingRequest
    from tests.bridge.phone import Phone

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


@pytest.mark.parametrize(("by_notify", "status"), [(True, 603), (False, 405), (True, 486)])
async def test_a_transfer_that_fails_leaves_the_call(
    line: TestLine, called: CalledPhone, by_notify: bool, status: int
) -> None:
    """The API gets the SIP status, and people talk on."""
    async with line.person():
        leg = await _up(line, called)
        called.on_in_dialog = _refer(leg, status) if by_notify else _refer(leg, refused=status)
        with pytest.raises(api.SipCallError) as caught:
            await _transfer(line)
        assert caught.value.sip_status_code == status
        heard = len(leg.heard)
        await until(lambda: len(leg.heard) > heard + 10)
        await leg.bye()
    assert (await line.ended())["data"]["reason"] == "callee_hung_up"


async def test_the_phone_hears_the_ringing_tone_meanwhile(line: TestLine, called: CalledPhone) -> None:
    """With play_dialtone, in place of the room; repeated requests join, others are refused."""
    async with line.person() as agent:
        await agent.speak(700)
        leg = await _up(line, called)
        await until(lambda: abs(dominant_frequency(leg.samples(0.3), 8000) - 700) < 20)
        called.on_in_dialog = lambda request: request.respond(202)
        first = asyncio.create_task(_transfer(line, play_dialtone=True))
        await until(lambda: abs(dominant_frequency(leg.samples(0.2), 8000) - 425) < 15)
        again = asyncio.create_task(_transfer(line, play_dialtone=True))
        await asyncio.sleep(0.2)
        with pytest.raises(api.ServerError) as caught:
            await _transfer(line, target="tel:+15550199")
        assert caught.value.code == "invalid_argument"
        assert leg.session is not None
        await leg.session.request("NOTIFY", [("Event", "refer;id=2")], b"SIP/2.0 486 Busy\r\n")
        for one in (first, again):
            with pytest.raises(api.SipCallError):
                await one
        assert [request.method for request in leg.requests] == ["REFER"]
        await until(lambda: abs(dominant_frequency(leg.samples(0.2), 8000) - 700) < 20)
        await leg.bye()
    await line.ended()


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


async def test_what_is_no_address_or_no_call_is_refused(line: TestLine, called: CalledPhone) -> None:
    """A call that still rings cannot be handed over."""
    async with line.person() as agent:
        dialling = asyncio.create_task(dial(line, called.address))
        leg = await called.rung()
        await until(lambda: agent.room.remote_participants)
        with pytest.raises(api.ServerError) as caught:
            await _transfer(line)
        assert caught.value.code == "failed_precondition"
        await leg.answer()
        await dialling
        with pytest.raises(api.ServerError) as caught:
            await _transfer(line, target="sip:a b@c")
        assert caught.value.code == "invalid_argument"
        await leg.bye()
    await line.ended()


async def test_an_inbound_caller_is_handed_over_too(line: TestLine, phone: Phone) -> None:
    """Whoever called, the phone is told to call somebody else."""
    await line.provision()
    call = await phone.call(line.number, line.port, voice_hz=1000)
    await line.room_appears()
    async with line.person() as agent:
        await agent.speak()
        assert (await call.final()).status == 200
        refers: list[str] = []

        def accept(request: IncomingRequest) -> None:
            if request.method != "BYE":
                refers.append(request.request.headers.get("Refer-To") or "")
                request.respond(202)
                tasks.append(asyncio.create_task(call.bye()))

        tasks: list[asyncio.Task[None]] = []
        call.session.on_request = accept
        await until(lambda: agent.caller.attributes.get("sip.callStatus") == "active")
        await line.api.sip.transfer_sip_participant(
            api.TransferSIPParticipantRequest(
                room_name=line.room_name, participant_identity="sip_+15550199", transfer_to="tel:+15550177"
            )
        )
        assert refers == ["<tel:+15550177>"]
        await asyncio.gather(*tasks)
    assert (await line.ended())["data"]["reason"] == "transferred"


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
