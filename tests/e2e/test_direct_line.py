"""The whole line on both audio paths: calls, deaths, and nothing left over."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from typing import TYPE_CHECKING

import aiohttp
import psutil
import pytest
import pytest_asyncio
from livekit import api

from telephony.audio.level import dbfs
from tests.bridge.called_phone import CalledPhone
from tests.bridge.phone import Phone
from tests.e2e.timed import GREETED_S, TimedLine, hears, is_heard, quiet, timed_line
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.bridge.phone import PhoneCall

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["auto", "room"])
async def timed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[TimedLine]:
    """A line on each audio path."""
    async with timed_line(tmp_path_factory.mktemp("timed"), request.param) as line:
        yield line


@pytest_asyncio.fixture(loop_scope="module")
async def phone() -> AsyncIterator[Phone]:
    """A telephone."""
    async with Phone() as phone:
        yield phone


async def test_a_call_takes_the_path_that_was_chosen(timed: TimedLine, phone: Phone) -> None:
    """call.answered and agent.started say which; the greeting is heard; everything ends with the call."""
    call = await timed.call(phone)
    await hears(call, GREETED_S)
    pid = await timed.job_comes(call)
    await call.bye()
    await timed.ended(call)
    paths = {
        event.data["audio_path"]
        for event in timed.events(call)
        if event.type in {"call.answered", "agent.started"}
    }
    assert paths == {timed.path}
    await until(lambda: not psutil.pid_exists(pid), timeout_s=15)
    links = timed.line.data.sockets / "calls"
    assert not links.exists() or not list(links.iterdir())


async def test_a_killed_job_is_a_voice_within_a_second_and_the_talk_goes_on(
    timed: TimedLine, phone: Phone
) -> None:
    """The call lives, another job takes it over, and the caller can hang up as from any call."""
    call = await timed.call(phone)
    await hears(call, GREETED_S)
    pid = await timed.job_comes(call)
    await quiet(call)
    since, died_at = len(call.heard), phone.clock.now()
    os.kill(pid, signal.SIGKILL)
    await hears(call, 10.0, since=since)
    if timed.path == "direct":
        assert phone.clock.now() - died_at < 1.5, "promised is a second, on a machine of its own"
    await timed.job_comes(call, 2)
    await quiet(call)
    assert not call.session.ended.is_set()
    started = [event for event in timed.events(call) if event.type == "agent.started"]
    assert [event.data["resumed"] for event in started] == [False, True]
    await call.bye()
    await timed.ended(call)


async def test_an_agents_own_call_takes_the_path_that_was_chosen(timed: TimedLine) -> None:
    """A real job, dispatched for a call out: its greeting is heard from the answer on, over its path."""
    room = f"out-{timed.path}"
    server = timed.livekit()
    async with CalledPhone() as called:
        try:
            metadata = json.dumps({"assistant": "reception", "direction": "outbound"})
            await server.agent_dispatch.create_dispatch(
                api.CreateAgentDispatchRequest(agent_name="trunkline", room=room, metadata=metadata)
            )
            dialling = asyncio.create_task(
                server.sip.create_sip_participant(
                    api.CreateSIPParticipantRequest(
                        trunk=api.SIPOutboundConfig(hostname=called.address),
                        sip_call_to="+15550123",
                        sip_number="+15550100",
                        room_name=room,
                        participant_identity="callee",
                        wait_until_answered=True,
                    )
                )
            )
            leg = await called.rung()
            await until(lambda: "agent.started" in _types(timed, room), timeout_s=20)
            await leg.answer()
            await dialling
            await until(lambda: leg.heard and dbfs(leg.samples(0.3)) > -40, timeout_s=GREETED_S)
            await leg.bye()
            await until(lambda: _types(timed, room).count("call.ended") >= 2, timeout_s=20)
        finally:
            await server.aclose()
    paths = {
        event.data["audio_path"]
        for event in timed.events_in(room)
        if event.type in {"call.answered", "agent.started"}
    }
    assert paths == {timed.path}


def _types(timed: TimedLine, room: str) -> list[str]:
    return [event.type for event in timed.events_in(room)]


async def test_ten_calls_at_once_are_all_answered(timed: TimedLine, phone: Phone) -> None:
    """Simultaneous calls wait for each other's processes at most, and none is refused."""
    calls = await asyncio.gather(*(timed.call(phone) for _ in range(5 if timed.path == "room" else 10)))
    for call in calls:
        await hears(call, 2 * GREETED_S)
    await asyncio.gather(*(call.bye() for call in calls))


async def test_a_killed_worker_leaves_nobody_mute(timed: TimedLine, phone: Phone) -> None:
    """A call that is up hears a voice, or its end; the next one is taken by the worker started again."""
    call = await timed.call(phone)
    await hears(call, GREETED_S)
    await timed.job_comes(call)
    await quiet(call)
    since = len(call.heard)
    os.kill(timed.line.info().pids["worker"], signal.SIGKILL)
    await until(lambda: call.session.ended.is_set() or is_heard(call, since), timeout_s=12)
    if not call.session.ended.is_set():
        await call.bye()
    other = await timed.call_until_answered(phone)
    await hears(other, GREETED_S)
    await other.bye()


async def test_the_talk_goes_on_when_livekit_server_dies_and_comes_back(
    timed: TimedLine, phone: Phone
) -> None:
    """Bridge and job are in the room again, and the caller's key is answered; direct, even before that."""
    call = await timed.call(phone)
    await hears(call, GREETED_S)
    pid = await timed.job_comes(call)
    await quiet(call)
    await until(lambda: _in_room(timed, call, ()))
    before = await _sids(timed, call)
    os.kill(timed.line.info().pids["livekit-server"], signal.SIGKILL)
    if timed.path == "direct":
        await _key_is_answered(call)
    await until(lambda: _in_room(timed, call, before), timeout_s=25)
    await _key_is_answered(call)
    assert timed.jobs(call) == [pid]
    await call.bye()
    await until(lambda: _reasons(timed, call) == ["caller_hung_up"])
    await until(lambda: not psutil.pid_exists(pid), timeout_s=15)


def _reasons(timed: TimedLine, call: PhoneCall) -> list[str]:
    """The bridge's word for the end of a call."""
    ends = [one for one in timed.events(call) if one.type == "call.ended" and one.source == "bridge"]
    return [str(one.data["reason"]) for one in ends]


async def _key_is_answered(call: PhoneCall) -> None:
    await quiet(call)
    since = len(call.heard)
    await call.rtp.send_digits("1")
    await hears(call, GREETED_S, since=since)


async def _sids(timed: TimedLine, call: PhoneCall) -> tuple[str, ...]:
    async with timed.livekit() as livekit:
        try:
            room = api.ListParticipantsRequest(room=timed.room(call))
            found = await livekit.room.list_participants(room)
        except (api.TwirpError, aiohttp.ClientError, TimeoutError):
            return ()
    return tuple(one.sid for one in found.participants if one.state == api.ParticipantInfo.ACTIVE)


async def _in_room(timed: TimedLine, call: PhoneCall, before: tuple[str, ...]) -> bool:
    """Whether caller and agent are there, and are others to the server than those before."""
    sids = await _sids(timed, call)
    return len(sids) == 2 and not set(sids) & set(before)
