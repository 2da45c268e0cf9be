"""Handing calls over: REFER, what NOTIFY tells, and the errors of livekit-sip (v1.11.0 transfer.go)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from livekit import api

from tests.bridge.dialling import IDENTITY, dial
from tests.contract.hearing import hears
from tests.contract.line import CALLER_HZ, VOICE_HZ
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.sip.incoming import IncomingRequest
    from telephony.sip.message import SipResponse
    from tests.bridge.called_phone import CalledLeg, CalledPhone
    from tests.bridge.phone import Phone
    from tests.contract.line import AudioPath, ContractAgent, ContractLine

pytestmark = [pytest.mark.component, pytest.mark.asyncio(loop_scope="session")]

TARGET = "sip:desk@other.example"


async def _up(line: ContractLine, called: CalledPhone, agent: ContractAgent) -> CalledLeg:
    """A call of ours that is up."""
    await agent.await_call()
    dialling = asyncio.create_task(dial(line, called.address))
    leg = await called.rung()
    leg.ring()
    await agent.take_dialled()
    await leg.answer(voice_hz=CALLER_HZ)
    await dialling
    await hears(leg, VOICE_HZ)
    return leg


async def _transfer(
    line: ContractLine, target: str = TARGET, *, identity: str = IDENTITY, **fields: Any
) -> None:
    request = api.TransferSIPParticipantRequest(
        room_name=line.room_name, participant_identity=identity, transfer_to=target, **fields
    )
    await line.api.sip.transfer_sip_participant(request)


async def _code(line: ContractLine, *target: str, **fields: Any) -> str:
    """The code of a transfer that must fail without a SIP status."""
    with pytest.raises(api.ServerError) as caught:
        await _transfer(line, *target, **fields)
    assert not isinstance(caught.value, api.SipCallError)
    return str(caught.value.code)


def _referred(
    leg: CalledLeg, *statuses: int, refused: int = 0, event: str = "refer"
) -> tuple[Callable[[IncomingRequest], None], list[SipResponse]]:
    """Answer REFER, then tell these statuses by NOTIFY; and the answers to those."""
    answers: list[SipResponse] = []

    async def notify(cseq: int) -> None:
        assert leg.session is not None
        named = event.format(cseq=cseq)
        for status in statuses:
            headers = [("Event", named), ("Subscription-State", "active")]
            body = f"SIP/2.0 {status} Told\r\n".encode()
            answers.append(await leg.session.request("NOTIFY", headers, body, "message/sipfrag"))

    def answer(request: IncomingRequest) -> None:
        request.respond(refused or 202)
        if not refused:
            leg.phone.tasks.append(asyncio.create_task(notify(request.request.cseq.number)))

    return answer, answers


async def test_a_phone_is_handed_over(line: ContractLine, called: CalledPhone, path: AudioPath) -> None:
    """REFER with target and headers; 1xx pass, 200 is success; NOTIFY is answered; a second later BYE."""
    leg = await _up(line, called, line.agent(path))
    # Both forms are in use: with the REFER's CSeq, and without.
    event = "refer" if path == "room" else "refer;id={cseq}"
    called.on_in_dialog, answers = _referred(leg, 100, 180, 200, event=event)
    await _transfer(line, headers={"X-Why": "sales"})
    told_at = called.clock.now()
    refer = leg.requests[0]
    assert (refer.method, refer.headers.get("Refer-To")) == ("REFER", f"<{TARGET}>")
    assert refer.headers.get("X-Why") == "sales"
    await until(lambda: [answer.status for answer in answers] == [200, 200, 200])
    await leg.hung_up()
    assert called.clock.now() - told_at > 0.7


async def test_a_phone_may_hang_up_without_a_word(line: ContractLine, called: CalledPhone) -> None:
    """A call that ends once the REFER was accepted was handed over."""
    leg = await _up(line, called, line.agent("room"))

    def accept(request: IncomingRequest) -> None:
        request.respond(202)
        called.tasks.append(asyncio.create_task(leg.bye()))

    called.on_in_dialog = accept
    await _transfer(line)
    assert [request.method for request in leg.requests] == ["REFER"]


async def test_a_transfer_that_fails_leaves_the_call(
    line: ContractLine, called: CalledPhone, path: AudioPath
) -> None:
    """Refused, or told to have failed: the API gets the SIP status and its code, and people talk on."""
    agent = line.agent(path)
    leg = await _up(line, called, agent)
    failures = [
        (_referred(leg, refused=405)[0], 405, "invalid_argument"),
        (_referred(leg, refused=603)[0], 603, "permission_denied"),
        (_referred(leg, 180, 486)[0], 486, "resource_exhausted"),
        (_referred(leg, 503)[0], 503, "failed_precondition"),
    ]
    for answer, status, code in failures:
        called.on_in_dialog = answer
        with pytest.raises(api.SipCallError) as caught:
            await _transfer(line)
        assert (caught.value.sip_status_code, caught.value.code) == (status, code)
    await hears(leg, VOICE_HZ)
    await hears(agent, CALLER_HZ)
    await leg.bye()


async def test_the_ringing_tone_takes_the_rooms_place_meanwhile(
    line: ContractLine, called: CalledPhone, path: AudioPath
) -> None:
    """play_dialtone; the same target joins the transfer that runs, another one is invalid_argument."""
    leg = await _up(line, called, line.agent(path))
    called.on_in_dialog = lambda request: request.respond(202)
    first = asyncio.create_task(_transfer(line, play_dialtone=True))
    await hears(leg, 425)
    again = asyncio.create_task(_transfer(line, play_dialtone=True))
    await asyncio.sleep(0.2)
    assert await _code(line, "tel:+15550199") == "invalid_argument"
    assert leg.session is not None
    await leg.session.request("NOTIFY", [("Event", "refer")], b"SIP/2.0 486 Busy\r\n", "message/sipfrag")
    for one in (first, again):
        with pytest.raises(api.SipCallError):
            await one
    assert [request.method for request in leg.requests] == ["REFER"]
    await hears(leg, VOICE_HZ)
    await leg.bye()


@pytest.mark.livekit_sip_fault("transfer-waits-for-ringing")
async def test_a_call_that_rings_cannot_be_handed_over(line: ContractLine, called: CalledPhone) -> None:
    """failed_precondition at once, and the phone rings on."""
    agent = line.agent("room")
    await agent.await_call()
    dialling = asyncio.create_task(dial(line, called.address))
    leg = await called.rung()
    leg.ring()
    await agent.sees("ringing")
    assert await _code(line) == "failed_precondition"
    await leg.answer()
    await dialling
    await leg.bye()


@pytest.mark.livekit_sip_fault("transfer-target-unread")
async def test_an_address_that_is_none_is_not_handed_to(line: ContractLine, called: CalledPhone) -> None:
    """invalid_argument, and the phone is not asked."""
    leg = await _up(line, called, line.agent("room"))
    assert await _code(line, "sip:a b@c") == "invalid_argument"
    await leg.bye()


async def test_nobody_cannot_be_handed_over(line: ContractLine, called: CalledPhone) -> None:
    """not_found."""
    leg = await _up(line, called, line.agent("room"))
    assert await _code(line, identity="nobody") == "not_found"
    await leg.bye()


async def test_a_caller_is_handed_over_too(line: ContractLine, phone: Phone, path: AudioPath) -> None:
    """Whoever called, the phone is told to call somebody else, and what the API says goes into the REFER."""
    await line.provision_for(path)
    call = await phone.call(line.number, line.port, voice_hz=CALLER_HZ)
    agent = line.agent(path)
    await agent.take()
    assert (await call.final()).status == 200
    refers: list[str] = []
    leaving: list[asyncio.Task[None]] = []

    def accept(request: IncomingRequest) -> None:
        if request.method != "BYE":
            # With angle brackets or without: RFC 3515 has both.
            refers.append((request.request.headers.get("Refer-To") or "").strip("<>"))
            request.respond(202)
            leaving.append(asyncio.create_task(call.bye()))

    call.session.on_request = accept
    await agent.sees("active")
    await _transfer(line, "tel:+15550177", identity="sip_+15550199")
    assert refers == ["tel:+15550177"]
    await asyncio.gather(*leaving)
