"""Whole calls of our own: a person's hello is waited for, and a mailbox gets its message after the beep."""

from __future__ import annotations

import itertools
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from livekit import api

from telephony.audio.frame import FRAME_SAMPLES, Samples, silence
from telephony.audio.level import dbfs
from tests.bridge.called_phone import CalledPhone
from tests.e2e.timed import LOUD, TimedLine, timed_line
from tests.triage.samples import Line, Voice
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.bridge.called_phone import CalledLeg

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

_ROOMS = itertools.count(1)
MESSAGE = {"voicemail": "leave_message", "message": "This is Trunkline. Please call us back."}


class Recording:
    """What a telephone says: samples, and then nothing."""

    def __init__(self, samples: Samples) -> None:
        self._samples = samples
        self.at = 0

    def frame(self) -> Samples:
        """The next 20 ms."""
        piece = self._samples[self.at : self.at + FRAME_SAMPLES]
        self.at += FRAME_SAMPLES
        return piece if piece.size == FRAME_SAMPLES else silence()

    @property
    def length_s(self) -> float:
        """How long it is."""
        return self._samples.size / 8000


on_direct_line = pytest.mark.parametrize("timed", ["auto"], indirect=True)
on_both_paths = pytest.mark.parametrize("timed", ["auto", "room"], indirect=True)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def timed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[TimedLine]:
    """A line on an audio path."""
    async with timed_line(tmp_path_factory.mktemp("answers"), request.param) as line:
        yield line


@asynccontextmanager
async def dialled(
    timed: TimedLine, called: CalledPhone, policy: dict[str, Any] | None = None
) -> AsyncIterator[tuple[CalledLeg, str]]:
    """A call that rings at the telephone, with its agent in the room; and the room's name."""
    room = f"answers-{timed.path}-{next(_ROOMS)}"
    metadata = {"assistant": "reception", "direction": "outbound", "dial": {"answer_policy": policy or {}}}
    async with timed.livekit() as server:
        await server.agent_dispatch.create_dispatch(
            api.CreateAgentDispatchRequest(agent_name="trunkline", room=room, metadata=json.dumps(metadata))
        )
        await server.sip.create_sip_participant(
            api.CreateSIPParticipantRequest(
                trunk=api.SIPOutboundConfig(hostname=called.address),
                sip_call_to="+15550123",
                sip_number="+15550100",
                room_name=room,
                participant_identity="callee",
            )
        )
        leg = await called.rung()
        leg.ring()
        await until(
            lambda: any(event.type == "agent.started" for event in timed.events_in(room)), timeout_s=20
        )
        yield leg, room


@on_direct_line
async def test_a_person_is_not_talked_over_and_then_greeted(timed: TimedLine) -> None:
    """Nothing is said before the callee's hello is over; soon after it the greeting comes, once."""
    async with CalledPhone() as called, dialled(timed, called) as (leg, room):
        hello = Recording(Line(Voice(180.0)).quiet(0.5).say("Hello? Who is it?").samples())
        await leg.answer()
        leg.voice = hello  # type: ignore[assignment]
        await until(lambda: loud(leg), timeout_s=10)
        assert first_loud_s(leg) > hello.length_s, "the callee had finished"
        await until(lambda: answered_by(timed, room), timeout_s=5)
        (event,) = answered_by(timed, room)
        assert event["answered_by"] == "human"
        assert event["decided_ms"] < 1000 * (hello.length_s + 1.5)
        await leg.bye()
        ended = await of_job(timed, room, "call.ended")
    assert ended["outcome"] == "answered"


@on_both_paths
async def test_a_mailbox_gets_its_message_whole_after_the_beep(timed: TimedLine) -> None:
    """All of it comes after the beep, and then the line is hung up."""
    async with CalledPhone() as called, dialled(timed, called, MESSAGE) as (leg, room):
        line = Line(Voice(115.0)).quiet(0.3).say("You have reached Bob, I am out.").quiet(0.4)
        await leg.answer()
        mailbox = Recording(line.tone(1000, 0.5).samples())
        leg.voice = mailbox  # type: ignore[assignment]
        await leg.hung_up(timeout_s=20)
        assert first_loud_s(leg) > mailbox.length_s
        assert sum(dbfs(frame) > LOUD for frame in leg.heard) >= 45, "the message is a second long"
        ended = await of_job(timed, room, "call.ended")
        assert [one["answered_by"] for one in answered_by(timed, room)][-1] == "voicemail"
        assert (await of_job(timed, room, "speech.heard"))["complete"]
    assert "message was left" in ended["cause"]


@on_direct_line
async def test_a_call_that_nobody_takes_is_silent_and_claims_nothing(timed: TimedLine) -> None:
    """Refused while it rings: the job ends, said nothing, and knows of no outcome."""
    async with CalledPhone() as called, dialled(timed, called) as (leg, room):
        leg.refuse(486)
        ended = await of_job(timed, room, "call.ended")
        assert ended.get("outcome") is None
        assert not [
            event for event in timed.events_in(room) if event.type in {"turn.completed", "call.answered"}
        ]


def loud(leg: CalledLeg) -> bool:
    """Whether anything was heard."""
    return any(dbfs(frame) > LOUD for frame in leg.heard)


def first_loud_s(leg: CalledLeg) -> float:
    """When the first sound was heard, in s since the answer."""
    return 0.02 * next(at for at, frame in enumerate(leg.heard) if dbfs(frame) > LOUD)


def answered_by(timed: TimedLine, room: str) -> list[dict[str, Any]]:
    """What was told of who answered."""
    return [event.data for event in timed.events_in(room) if event.type == "call.answered_by"]


async def of_job(timed: TimedLine, room: str, event_type: str) -> dict[str, Any]:
    """The job's event of a type, waited for."""

    def found() -> list[dict[str, Any]]:
        return [
            event.data
            for event in timed.events_in(room)
            if event.type == event_type and event.source == "job"
        ]

    await until(lambda: bool(found()), timeout_s=15)
    return found()[-1]
