"""What the room tells of a call, and what it means."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from livekit import rtc

from telephony.agent import room_watch
from telephony.agent.ending import Ending
from tests.agent.lone_call import CALLER, LoneCall
from tests.waiting import until

pytestmark = pytest.mark.pure

HUNG_UP = rtc.DisconnectReason.CLIENT_INITIATED
LOST = rtc.DisconnectReason.CONNECTION_TIMEOUT
DELETED = rtc.DisconnectReason.ROOM_DELETED


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits as long as these tests have time for."""
    for name, value in {
        "CALLER_BACK_S": 0.1,
        "SERVER_AWAY_S": 0.1,
        "CALLER_WAIT_S": 0.05,
        "_LOOK_S": 0.01,
    }.items():
        monkeypatch.setattr(room_watch, name, value)


def told(call: LoneCall, **attributes: str) -> None:
    changed = {key.replace("_", "."): value for key, value in attributes.items()}
    call.room.emit("participant_attributes_changed", changed, SimpleNamespace(identity=CALLER))


async def test_a_caller_who_never_comes_ends_the_call() -> None:
    """The job waits no longer than its limit."""
    call = LoneCall()
    assert await call.watch.await_caller() is None
    assert call.how == ("caller", "the caller never arrived")


async def test_the_callers_leaving_ends_the_call() -> None:
    """Whoever hangs up is the caller; anybody else's leaving means nothing."""
    call = LoneCall()
    await call.joined()
    call.room.emit("participant_disconnected", SimpleNamespace(identity="other", disconnect_reason=HUNG_UP))
    assert not call.end.over.is_set()
    call.room.leave(HUNG_UP)
    assert call.how == ("caller", "the caller hung up")


async def test_the_phones_status_answers_and_ends_the_call() -> None:
    """As the bridge tells it by attributes, which may be before the participant leaves."""
    call = LoneCall()
    await call.joined(sip_callStatus="ringing")
    told(call, sip_callStatus="active")
    assert call.answered == 1
    told(call, sip_callStatus="hangup")
    assert call.how == ("caller", "the caller hung up")


async def test_a_caller_whose_connection_was_lost_may_come_back() -> None:
    """Within its time the call goes on; after it the line has failed."""
    call = LoneCall()
    await call.joined()
    call.room.leave(LOST)
    await asyncio.sleep(0)
    call.room.come()
    await asyncio.sleep(0.2)
    assert not call.end.over.is_set()

    lost = LoneCall()
    await lost.joined()
    lost.room.leave(LOST)
    await until(lost.end.over.is_set)
    assert lost.how == ("line", "the bridge lost its connection")


async def test_a_room_that_is_deleted_meanwhile_was_deleted_by_our_hanging_up() -> None:
    """A caller who is put out of the room by it has not lost the line."""
    call = LoneCall()
    await call.joined()
    call.end.hang_up(Ending("agent", "the agent said goodbye"), None)
    call.room.leave(DELETED)
    assert call.how == ("agent", "the agent said goodbye")
    await call.tasks.cancel()


async def test_on_the_direct_line_the_bridge_tells_when_the_caller_is_gone() -> None:
    """Out of the room is not off the phone; and its keys do not come from the room."""
    call = LoneCall(direct=True)
    await call.joined()
    call.room.press("1")
    call.room.leave(LOST)
    assert not call.end.over.is_set()
    assert call.keys == []


async def test_keys_are_the_callers_alone() -> None:
    """An operator's, say, are not."""
    call = LoneCall()
    await call.joined()
    call.room.press("1")
    call.room.press("2", identity="operator")
    assert call.keys == ["1"]


async def test_without_the_server_a_call_through_the_room_ends() -> None:
    """After its time; one that is back before changes nothing."""
    call = LoneCall()
    await call.joined()
    call.room.emit("reconnecting")
    call.room.emit("reconnected")
    assert not call.end.over.is_set()
    call.room.emit("reconnecting")
    await until(call.end.over.is_set)
    assert call.how == ("line", "the connection to livekit-server was lost")
    assert call.end.room_gone


async def test_on_the_direct_line_a_job_without_its_room_steps_aside() -> None:
    """The call goes on with another one."""
    call = LoneCall(direct=True)
    await call.joined()
    call.room.emit("reconnecting")
    call.room.emit("disconnected", LOST)
    assert "stepped aside" in call.done
    assert call.end.superseded


async def test_a_room_that_is_closed_ends_the_call() -> None:
    """The room is gone with it, and is not deleted again."""
    call = LoneCall()
    await call.joined()
    call.room.emit("disconnected", DELETED)
    await call.end.close_room()
    assert call.how == ("line", "the room was closed")
    assert "room deleted" not in call.done
