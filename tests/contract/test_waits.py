"""Time-outs, limits and repetitions of the contract, run side by side: see ``waits``."""

from __future__ import annotations

import asyncio
import datetime
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from livekit import api, rtc

from telephony.audio.frame import Samples, silence
from telephony.audio.level import dbfs
from tests.bridge.dialling import IDENTITY, dial
from tests.bridge.phone import Tone
from tests.contract.hearing import hears
from tests.contract.line import CALLER_HZ, VOICE_HZ
from tests.contract.process import MEDIA_TIMEOUT_S
from tests.contract.raw_phone import RawPhone
from tests.contract.waits import Party, Rig
from tests.waiting import limit, until

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.bridge.phone import PhoneCall
    from tests.bridge.servers import Server
    from tests.contract.line import ContractAgent
    from tests.contract.process import BridgeProcess
    from tests.dispatch.machine import WorkerDouble

pytestmark = [pytest.mark.component, pytest.mark.asyncio(loop_scope="session")]

_PATIENCE_S = 8.0
_ONE_SECOND = datetime.timedelta(seconds=1)
_MORE_DELAY_S = 0.2
"""By how much keys may raise the delay on a busy machine; livekit-sip's rises by 0.37 s and more."""


async def _up(party: Party, **trunk: Any) -> tuple[PhoneCall, ContractAgent]:
    """A call that came in and is up."""
    await party.line.provision(trunk=trunk)
    phone = await party.phone()
    call = await phone.call(party.line.number, party.bridge.port, voice_hz=CALLER_HZ)
    agent = party.line.agent("room")
    await agent.take()
    assert (await call.final()).status == 200
    return call, agent


async def no_agent(party: Party) -> None:
    """A call whose agent does not come is refused after the agent's wait, not after three minutes."""
    await party.line.provision(agents=True)
    call = await (await party.phone()).call(party.line.number, party.bridge.port)
    response = await call.final(_PATIENCE_S)
    assert response.status == 503
    assert response.headers.get("Retry-After")


async def answer_without_ack(party: Party) -> None:
    """A 200 is repeated until its ACK comes: at half a second, a second and a half, three and a half."""
    await party.line.provision()
    async with RawPhone() as raw:
        raw.invite(party.line.number, party.bridge.port)
        await party.line.agent("room").take()
        await until(lambda: len(raw.responses(200)) >= 4, _PATIENCE_S)
        assert len(set(raw.responses(200))) == 1


async def held_without_audio(party: Party) -> None:
    """A held phone that sends nothing is kept beyond the media time-out."""
    call, _ = await _up(party)
    await call.session.request("INVITE", body=call.invite.request.body.replace(b"sendrecv", b"inactive"))
    call.talks = False
    await asyncio.sleep(MEDIA_TIMEOUT_S * 1.6)
    assert not call.session.ended.is_set()
    await call.bye()


async def keys_without_audio(party: Party) -> None:
    """The agent hears as soon after three keys as before, of a phone whose keys take the audio's place."""
    call, agent = await _up(party)
    bursts = _Bursts()
    call.voice = bursts
    before = min([await bursts.delay_to(agent) for _ in range(4)])
    await call.rtp.send_digits("123")
    after = min([await bursts.delay_to(agent) for _ in range(4)])
    assert after - before < _MORE_DELAY_S, f"{before:.3f} s before, {after:.3f} s after"
    await call.bye()


async def no_audio_at_first(party: Party) -> None:
    """A phone that never sends RTP is hung up by the first media time-out."""
    await party.line.provision()
    phone = await party.phone()
    call = await phone.call(party.line.number, party.bridge.port)
    call.talks = False
    await party.line.agent("room").take()
    assert (await call.final()).status == 200
    answered_at = phone.clock.now()
    await call.hung_up(_PATIENCE_S)
    assert call.ended_at - answered_at > MEDIA_TIMEOUT_S - 0.2


async def no_audio_any_more(party: Party) -> None:
    """A phone that falls silent for the media time-out is hung up."""
    call, agent = await _up(party)
    await hears(agent, CALLER_HZ)
    call.talks = False
    silent_at = call.phone.clock.now()
    await call.hung_up(_PATIENCE_S)
    assert call.ended_at - silent_at > MEDIA_TIMEOUT_S - 0.2


async def ringing_repeated(party: Party) -> None:
    """180 each second; no 200 without somebody to hear, also with a silent agent in the room."""
    await party.line.provision()
    call = await (await party.phone()).call(party.line.number, party.bridge.port)
    await party.line.room_appears()
    async with party.line.person():
        await until(lambda: [status for status, _ in call.provisionals].count(180) >= 3)
        times = [at for status, at in call.provisionals if status == 180]
        assert times[2] - times[0] == pytest.approx(2.0, abs=0.5)
        assert not call.invite.done
        call.invite.cancel()
        assert (await call.final()).status == 487


async def silent_phone(party: Party) -> None:
    """While a phone sends nothing the agent hears silence without a gap, and speech at once afterwards."""
    call, agent = await _up(party)
    await hears(agent, CALLER_HZ)
    call.talks = False
    await until(lambda: dbfs(agent.samples(0.3)) < -50)
    frames = len(agent.heard)
    await asyncio.sleep(0.6)
    assert (len(agent.heard) - frames) * 0.02 > 0.4
    call.talks = True
    await until(lambda: dbfs(agent.samples(0.1)) > -30, timeout_s=1.0)
    await call.bye()


async def silent_agent(party: Party) -> None:
    """ringing_timeout: an agent that came and publishes nothing does not answer."""
    trunk = api.SIPInboundTrunkInfo()
    trunk.ringing_timeout.FromTimedelta(_ONE_SECOND)
    await party.line.provision(trunk={"ringing_timeout": trunk.ringing_timeout})
    async with party.line.person(identity="listener", kind="standard"):
        call = await (await party.phone()).call(party.line.number, party.bridge.port)
        response = await call.final(_PATIENCE_S)
        assert response.status == party.bridge.says(480, livekit_sip=486)
        await until(lambda: _only(party, "listener"))


async def _only(party: Party, identity: str) -> bool:
    return await party.line.participants() == [identity]


async def longest_call_in(party: Party) -> None:
    """max_call_duration of the trunk."""
    trunk = api.SIPInboundTrunkInfo()
    trunk.max_call_duration.FromTimedelta(_ONE_SECOND)
    call, _ = await _up(party, max_call_duration=trunk.max_call_duration)
    await call.hung_up(_PATIENCE_S)


async def longest_call_out(party: Party) -> None:
    """max_call_duration of the request counts from the answer."""
    called = await party.called()
    dialling = asyncio.create_task(dial(party.line, called.address, max_call_duration=_ONE_SECOND))
    leg = await called.rung()
    await leg.answer(voice_hz=CALLER_HZ)
    await dialling
    await leg.hung_up(_PATIENCE_S)
    assert leg.ended_at - leg.answered_at > 0.9


async def nobody_answers(party: Party) -> None:
    """ringing_timeout: CANCEL to the phone, canceled to whoever asked, unavailable for those in the room."""
    called, watcher = await party.called(), party.line.watcher()
    await watcher.await_call()
    dialling = asyncio.create_task(dial(party.line, called.address, ringing_s=1.5))
    leg = await called.rung()
    leg.ring()
    with pytest.raises(api.ServerError) as caught:
        await dialling
    assert (caught.value.code, isinstance(caught.value, api.SipCallError)) == ("canceled", False)
    assert "timed out" in caught.value.message
    await until(leg.invite.cancelled.is_set)
    await until(lambda: watcher.reasons)
    assert watcher.reasons == {IDENTITY: rtc.DisconnectReason.USER_UNAVAILABLE}


async def transfer_unanswered(party: Party) -> None:
    """A transfer that nobody answers fails after its ringing time, and the call goes on."""
    called, agent = await party.called(), party.line.agent("room")
    await agent.await_call()
    dialling = asyncio.create_task(dial(party.line, called.address))
    leg = await called.rung()
    await agent.take_dialled()
    await leg.answer(voice_hz=CALLER_HZ)
    await dialling
    called.on_in_dialog = lambda request: request.respond(202)
    request = api.TransferSIPParticipantRequest(
        room_name=party.line.room_name, participant_identity=IDENTITY, transfer_to="sip:desk@other.example"
    )
    request.ringing_timeout.FromTimedelta(_ONE_SECOND)
    with pytest.raises(api.ServerError):
        await party.line.api.sip.transfer_sip_participant(request)
    await hears(leg, VOICE_HZ)
    await leg.bye()


# The longest first: all of them together last as long as it does.
WAITS = {
    no_agent: "no-agent-rings-on",
    answer_without_ack: "answer-repeated-twice",
    keys_without_audio: "keys-add-delay",
    held_without_audio: "hold-ends-the-call",
    no_audio_at_first: None,
    no_audio_any_more: None,
    ringing_repeated: None,
    silent_phone: None,
    nobody_answers: None,
    silent_agent: None,
    longest_call_in: None,
    longest_call_out: "longest-call-out-ignored",
    transfer_unanswered: None,
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def outcomes(
    bridge: BridgeProcess, contract_folder: Path, livekit: Server, worker: WorkerDouble | None
) -> Mapping[str, object]:
    """What all waits have come to."""
    rig = Rig(bridge, f"ws://127.0.0.1:{livekit.port}", worker, contract_folder / "links")
    return await rig.run(list(WAITS))


@pytest.mark.parametrize(
    "wait",
    [
        pytest.param(
            wait.__name__,
            marks=[pytest.mark.livekit_sip_fault(fault)] if fault else [],
        )
        for wait, fault in WAITS.items()
    ],
)
async def test_what_takes_its_time(outcomes: Mapping[str, object], wait: str) -> None:
    """Each of the waits above is as it says."""
    outcome = outcomes[wait]
    if isinstance(outcome, BaseException):
        raise outcome


class _Bursts:
    """A voice that is silent, and now and then says 100 ms of a tone."""

    def __init__(self) -> None:
        self._tone = Tone(CALLER_HZ)
        self._left = 0
        self._said_at: list[float] = []

    def frame(self) -> Samples:
        if self._left == 0:
            return silence()
        if not self._said_at:
            self._said_at.append(asyncio.get_running_loop().time())
        self._left -= 1
        return self._tone.frame()

    async def delay_to(self, agent: ContractAgent) -> float:
        """Seconds until an agent hears the beginning of such a tone."""
        await until(lambda: len(agent.heard) > 10 and dbfs(agent.samples(0.1)) < -50)
        known = len(agent.heard)
        self._said_at.clear()
        self._left = 5
        async with limit(5):
            while not any(dbfs(frame) > -40 for frame in agent.heard[known:]):
                await asyncio.sleep(0.002)
        return asyncio.get_running_loop().time() - self._said_at[0]
