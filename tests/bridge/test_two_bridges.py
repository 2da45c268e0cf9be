"""Two bridges on one Redis share the calls; when one is killed the other's go on."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any

import pytest
from livekit import api

from telephony.bridge.config import read_config
from telephony.bridge.service import BridgeService
from tests.bridge.called_phone import CalledPhone
from tests.bridge.dialling import IDENTITY, dial
from tests.bridge.test_process import BridgeProcess
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from telephony.sip.incoming import IncomingRequest
    from tests.bridge.line import TestLine
    from tests.bridge.phone import Phone

pytestmark = pytest.mark.component


@pytest.fixture
async def second(line: TestLine) -> AsyncIterator[BridgeService]:
    """Another bridge on the line's Redis, with a SIP port of its own."""
    bridge = BridgeService(read_config(line.settings, {}))
    await bridge.start()
    yield bridge
    await bridge.stop()


async def test_either_bridge_takes_calls_in(line: TestLine, second: BridgeService, phone: Phone) -> None:
    """The same number at both; each call is at one of them, in its room, and ends there."""
    await line.provision()
    async with line.person(kind="standard") as person:
        await person.speak()
        calls = [
            await phone.call(line.number, port, caller=f"+1777{port:07d}")
            for port in (line.port, second.sip_port)
        ]
        assert [(await call.final()).status for call in calls] == [200, 200]
        assert (line.bridge.active_calls, second.active_calls) == (1, 1)
        assert len(await line.participants()) == 3
        for call in calls:
            await call.bye()
        await until(lambda: not line.bridge.active_calls and not second.active_calls)
    ends = [event["data"]["reason"] for event in line.events() if event["type"] == "call.ended"]
    assert ends == ["caller_hung_up"] * 2


async def test_a_call_out_is_dialled_by_exactly_one(line: TestLine, second: BridgeService) -> None:
    """One request is one INVITE, and its transfer and its room RPC reach the bridge that has the call."""
    async with CalledPhone() as called, line.person(kind="standard") as person:

        def hand_over(request: IncomingRequest) -> None:
            request.respond(202)
            called.tasks.append(asyncio.create_task(called.legs[0].bye()))

        called.on_in_dialog = hand_over
        for number in range(1, 4):
            identity = f"{IDENTITY}-{number}"
            dialling = asyncio.create_task(
                dial(line, called.address, sip_call_to=f"+1555{number}", participant_identity=identity)
            )
            leg = await called.rung(number)
            await leg.answer()
            await dialling
            assert line.bridge.active_calls + second.active_calls == number
        assert called.invites == 3
        await line.api.sip.transfer_sip_participant(
            api.TransferSIPParticipantRequest(
                room_name=line.room_name,
                participant_identity=f"{IDENTITY}-1",
                transfer_to="sip:desk@other.example",
            )
        )
        for number in range(2, 4):
            await person.room.local_participant.perform_rpc(
                destination_identity=f"{IDENTITY}-{number}", method="lk.sip.EndCall", payload='{"headers":{}}'
            )
            await called.legs[number - 1].hung_up()
        await until(lambda: not line.bridge.active_calls and not second.active_calls)


async def test_who_drains_leaves_calls_out_to_the_other(line: TestLine, second: BridgeService) -> None:
    """It says nothing to a request and keeps no other from taking it."""
    line.bridge.refuse_new_calls()
    async with CalledPhone() as called:
        for number in range(1, 4):
            await dial(line, called.address, wait_until_answered=False)
            leg = await called.rung(number)
            assert (line.bridge.active_calls, second.active_calls) == (0, 1)
            leg.refuse(486)
            await until(lambda: not second.active_calls)


async def test_a_bridge_that_is_killed_takes_only_its_own_calls_along(
    line: TestLine, phone: Phone, tmp_path: Path
) -> None:
    """The other's go on; the dead one's end in the record for the true cause, said by the next that looks."""
    folder = tmp_path / "other"
    folder.mkdir()
    await line.provision()
    killed = BridgeProcess(line, folder)
    await killed.start()
    ready = await killed.ready()
    async with line.person(kind="standard") as person:
        await person.speak()
        lost = await phone.call(line.number, ready["sip_port"], caller="+17770000001")
        assert (await lost.final()).status == 200
        kept = await phone.call(line.number, line.port, caller="+17770000002")
        assert (await kept.final()).status == 200
        await until(lambda: len([one for one in line.events() if one["type"] == "call.answered"]) == 2)
        killed.process.send_signal(signal.SIGKILL)
        await killed.ends()
        folder = tmp_path / "survivor"
        folder.mkdir()
        survivor = BridgeProcess(line, folder)
        await survivor.start()
        await until(lambda: _ended(line), timeout_s=20)
        frames = len(kept.heard)
        await until(lambda: len(kept.heard) > frames + 25)
        [end] = _ended(line)
        assert (end["data"]["code"], end["data"]["ended_by"]) == ("bridge_lost", "line")
        assert not kept.session.ended.is_set()
        await kept.bye()
        await until(lambda: not line.bridge.active_calls)
        lost.hush()
    survivor.process.send_signal(signal.SIGINT)
    assert await survivor.ends() == 0
    assert sorted(str(event["data"]["reason"]) for event in _ended(line)) == ["bridge_lost", "caller_hung_up"]


def _ended(line: TestLine) -> list[dict[str, Any]]:
    return [event for event in line.events() if event["type"] == "call.ended"]
