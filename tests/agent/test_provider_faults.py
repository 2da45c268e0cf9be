"""Every way in which a provider fails a caller, at each stage, on a real session and real sockets."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from telephony.speech.simulators.faults import FAULTS
from tests.agent.faulty import COOLDOWN_S, DEADLINE_S, RECEPTION, faulty
from tests.waiting import until

if TYPE_CHECKING:
    from telephony.speech.guard.trouble import Stage
    from telephony.speech.simulators.faults import Fault

pytestmark = [pytest.mark.component, pytest.mark.asyncio, pytest.mark.timeout(60)]

MOST_AFTER_DEADLINE_S = 2.0
ENDPOINTING_S = 0.5


async def one_fault(stage: Stage, fault: Fault) -> str:
    """A turn with the fault and one after it; what went wrong, or nothing."""
    async with faulty() as call:
        call.fault(stage, fault)
        ended_at = await call.speak()
        waited_s = await call.heard_after(ended_at, 10)
        if waited_s > ENDPOINTING_S + DEADLINE_S + MOST_AFTER_DEADLINE_S:
            return f"{stage} {fault}: {waited_s:.2f} s of dead air"
        # Not before: a voice that breaks off has spoken a little, and is interrupted before it does.
        await until(lambda: "switched" in call.kinds(stage))
        await until(lambda: call.session.agent_state == "speaking")
        await call.session.interrupt()
        call.fault(stage, None)
        # A client may hold on to a connection that hangs for a while.
        for _ in range(4):
            await asyncio.sleep(2 * COOLDOWN_S)
            ended_at = await call.speak()
            await call.heard_after(ended_at, 10)
            await until(lambda: call.session.agent_state == "speaking")
            if stage == "stt" or "returned" in call.kinds(stage):
                break
            await call.session.interrupt()
        else:
            return f"{stage} {fault}: the first choice does not serve again: {call.kinds(stage)}"
        if call.gave_up:
            return f"{stage} {fault}: the call was given up: {call.gave_up}"
        return ""


@pytest.mark.parametrize("stage", ["stt", "llm", "tts"])
async def test_a_caller_hears_speech_whatever_a_provider_does(stage: Stage) -> None:
    """Seven faults: each is bridged within two seconds of its deadline, and the call goes on."""
    told = await asyncio.gather(*(one_fault(stage, fault) for fault in FAULTS))
    assert [each for each in told if each] == []


async def test_a_recogniser_that_has_recovered_serves_again() -> None:
    """It is tried beside the one that stands in, and takes over when it understood the same."""
    async with faulty() as call:
        call.fault("stt", "refuse")
        await call.speak()
        await until(lambda: call.texts("user") == ["Are you open?"])
        call.fault("stt", None)
        await asyncio.sleep(2 * COOLDOWN_S)
        for _ in range(4):
            await until(lambda: call.session.agent_state == "speaking")
            await call.session.interrupt()
            if "returned" in call.kinds("stt"):
                break
            await call.speak()
        assert "returned" in call.kinds("stt")


async def test_without_anybody_to_stand_in_the_caller_is_asked_again_and_then_let_go() -> None:
    """One turn that nobody answers costs a question; a second one ends with the recorded apology."""
    async with faulty(stand_in=False) as call:
        call.fault("llm", "error")
        ended_at = await call.speak()
        await call.heard_after(ended_at, 10)
        await until(lambda: call.texts("assistant") == [RECEPTION.rescue.again])
        assert not call.gave_up
        await until(lambda: call.session.agent_state == "listening")
        await call.speak()
        await until(lambda: call.gave_up == ["no provider answers for llm"])
