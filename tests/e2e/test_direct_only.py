"""What only a line on the direct path can do, with real jobs: change its way, end politely, serve the API."""

from __future__ import annotations

import os
import secrets
import signal
from typing import TYPE_CHECKING

import numpy as np
import psutil
import pytest
import pytest_asyncio
from livekit import api, rtc

from telephony.audio.detect import goertzel
from telephony.calls.job_attributes import AUDIO_PATH
from tests.bridge.agent_double import RoomPerson
from tests.bridge.phone import Phone
from tests.e2e.timed import GREETED_S, TimedLine, hears, quiet, timed_line
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from telephony.audio.frame import Samples

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

CALLER_HZ, AGENT_HZ, VISITOR_HZ = 700.0, 450.0, 1100.0
"""Whole waves in a frame: a listener hears several tracks as one, a frame of each in turn."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def timed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TimedLine]:
    """A line on the direct path."""
    async with timed_line(tmp_path_factory.mktemp("direct"), "auto") as line:
        yield line


@pytest_asyncio.fixture(loop_scope="module")
async def phone() -> AsyncIterator[Phone]:
    """A telephone."""
    async with Phone() as phone:
        yield phone


def has(samples: Samples, frequency_hz: float) -> bool:
    """Whether a tone is in a mixture of a few."""
    return len(samples) > 0 and bool(np.abs(samples).max() > 300) and goertzel(samples, frequency_hz) > 0.1


def visitor_of(timed: TimedLine, room: str) -> RoomPerson:
    """A person who joins a room of the line's."""
    return RoomPerson(timed.info.livekit_url, room, identity="visitor", kind="standard", key=timed.key)


async def test_a_call_changes_to_the_room_while_it_runs(timed: TimedLine, phone: Phone) -> None:
    """A person joins, speaks, is heard at the phone and hears both; then the agent goes through the room too.

    The agent is heard before and after by both, keys reach it on its new way, and the caller ends the call.
    """
    call = await timed.call(phone, voice_hz=CALLER_HZ)
    await hears(call, GREETED_S)
    room = timed.room(call)
    async with visitor_of(timed, room) as visitor:
        await visitor.speak(VISITOR_HZ)
        await until(lambda: has(call.samples(0.5), VISITOR_HZ) and has(visitor.samples(0.5), CALLER_HZ))
        await call.rtp.send_digits("1")
        await until(lambda: has(visitor.samples(0.5), AGENT_HZ) and has(call.samples(0.5), AGENT_HZ))
        async with timed.livekit() as livekit:
            await livekit.room.update_participant(
                api.UpdateParticipantRequest(
                    room=room, identity=visitor.caller.identity, attributes={AUDIO_PATH: "room"}
                )
            )
        await until(lambda: _agent_has_track(visitor.room))
        await until(lambda: not has(call.samples(0.5), AGENT_HZ))
        await call.rtp.send_digits("2")
        await until(lambda: has(visitor.samples(0.5), AGENT_HZ) and has(call.samples(0.5), AGENT_HZ))
        await until(lambda: has(visitor.samples(0.5), CALLER_HZ))
        assert not call.session.ended.is_set()
        assert len(timed.jobs(call)) == 1, "its job is the one that began"
        await call.bye()
    await timed.ended(call)


def _agent_has_track(room: rtc.Room) -> bool:
    kind = rtc.ParticipantKind.PARTICIPANT_KIND_AGENT
    return any(
        len(each.track_publications) > 0 for each in room.remote_participants.values() if each.kind == kind
    )


async def test_a_dispatch_of_the_api_is_served_beside_calls(timed: TimedLine, phone: Phone) -> None:
    """A web room that asks livekit-server for the agent gets it from the same worker, while a call is up."""
    call = await timed.call(phone)
    await hears(call, GREETED_S)
    name = f"web_{secrets.token_hex(4)}"
    async with timed.livekit() as livekit, visitor_of(timed, name) as visitor:
        agent = timed.line.config.agent.name
        await livekit.agent_dispatch.create_dispatch(
            api.CreateAgentDispatchRequest(agent_name=agent, room=name)
        )
        await until(lambda: has(visitor.samples(0.5), AGENT_HZ), timeout_s=20)
        await livekit.room.delete_room(api.DeleteRoomRequest(room=name))
    assert not call.session.ended.is_set()
    await call.bye()
    await timed.ended(call)


async def test_parts_that_are_asked_to_end_let_their_calls_finish(timed: TimedLine, phone: Phone) -> None:
    """SIGTERM of bridge and worker cuts nobody off; afterwards both are there again for the next call."""
    call = await timed.call(phone)
    await timed.job_comes(call)
    pids = timed.line.info().pids
    for part in ("bridge", "worker"):
        os.kill(pids[part], signal.SIGTERM)
    since = len(call.heard)
    await hears(call, GREETED_S, since=since)
    await quiet(call)
    assert not call.session.ended.is_set()
    assert psutil.pid_exists(pids["bridge"])
    await call.bye()
    await timed.ended(call)
    await until(lambda: timed.line.info().pids.get("bridge") not in (None, pids["bridge"]), timeout_s=20)
    await (await timed.call_until_answered(phone)).bye()
