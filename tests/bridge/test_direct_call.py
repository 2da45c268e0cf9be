"""Calls over the direct line: a real dispatcher, a real room, a real socket, a telephone."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from livekit.protocol import agent as wire

from telephony.audio.detect import dominant_frequency
from telephony.audio.level import dbfs
from telephony.calls import job_attributes
from tests.bridge.direct import AGENT, DirectLine
from tests.recording.test_recorder import read as read_recording
from tests.waiting import PATIENCE, until

if TYPE_CHECKING:
    from tests.bridge.phone import Phone
    from tests.bridge.servers import Server

pytestmark = pytest.mark.component


async def test_both_sides_hear_each_other_and_the_room_carries_no_audio(
    direct: DirectLine, phone: Phone
) -> None:
    """The caller hears the job and the job the caller; the SIP participant is in the room without a track."""
    async with direct.up(phone, voice_hz=700) as (call, job, _):
        room = await job.join()
        await job.say(400, 1.5)
        await until(lambda: len(job.heard) > 60)
        await until(lambda: len(call.heard) > 60)
        assert dominant_frequency(job.samples(0.5), 8000) == pytest.approx(700, abs=10)
        assert dominant_frequency(call.samples()[4000:8000], 8000) == pytest.approx(400, abs=10)
        await until(lambda: len(room.remote_participants) == 1)
        caller = next(iter(room.remote_participants.values()))
        assert caller.attributes["sip.trunkPhoneNumber"] == direct.number
        await until(lambda: caller.attributes["sip.callStatus"] == "active")
        assert not caller.track_publications
        await call.bye()
        await until(lambda: job.hung_up == ["caller_hung_up"])
    ended = await direct.ended()
    answered = next(event for event in direct.events() if event["type"] == "call.answered")
    assert answered["data"]["audio_path"] == "direct"
    assert ended["data"]["reason"] == "caller_hung_up"
    assert not list(direct.links.iterdir())


async def test_the_job_knows_the_call(direct: DirectLine, phone: Phone) -> None:
    """The rule's metadata, the call's id, and the room's name come with the job."""
    async with direct.up(phone) as (call, job, _):
        assert job.assignment.job.metadata == '{"assistant": "x"}'
        assert job.assignment.job.room.name == direct.room_name
        assert job.end.call_id == job.attributes[job_attributes.CALL_ID] == direct.events()[0]["call_id"]
        assert job_attributes.RESUME not in job.attributes
        await until(lambda: job.end.answered)
        await call.bye()
    await direct.ended()


async def test_the_first_word_is_whole(direct: DirectLine, phone: Phone) -> None:
    """What the agent says before the answer is heard from its first sample to its last."""
    await direct.provision_agent()
    async with direct.worker() as worker:
        call = await phone.call(direct.number, direct.port)
        job = await direct.job(worker)
        await job.say(500, 0.5)
        job.end.ready()
        await call.final()
        await until(lambda: len(call.heard) > 50)
        loud = [dbfs(frame) > -40 for frame in call.heard]
        assert sum(loud) in (25, 26)
        await call.bye()
    await direct.ended()


async def test_the_agent_hangs_up(direct: DirectLine, phone: Phone) -> None:
    """One message of the job is a BYE at the telephone, at once."""
    async with direct.up(phone) as (call, job, _):
        job.end.hang_up()
        await call.hung_up(2.0)
    ended = await direct.ended()
    assert (ended["data"]["reason"], ended["data"]["ended_by"]) == ("agent_hung_up", "agent")


async def test_keys_go_both_ways(direct: DirectLine, phone: Phone) -> None:
    """Keys of the telephone reach the job once, and the room; the job's keys reach the telephone."""
    async with direct.up(phone) as (call, job, _):
        async with direct.person(identity="watcher", kind="standard") as watcher:
            await until(lambda: bool(watcher.room.remote_participants))
            await call.rtp.send_digits("42")
            job.end.press("7#")
            await until(lambda: job.keys == ["4", "2"])
            await until(lambda: watcher.keys == ["4", "2"])
            await until(lambda: call.keys == ["7", "#"])
        await call.bye()
    await direct.ended()


async def test_a_full_line_is_refused_before_it_rings(direct: DirectLine, phone: Phone) -> None:
    """No 180 for a call that no worker has a place for: 503 with Retry-After and the field to change."""
    await direct.provision_agent()
    async with direct.worker(limit=0):
        call = await phone.call(direct.number, direct.port)
        response = await call.final()
    assert response.status == 503
    assert response.headers.get("Retry-After")
    assert 180 not in [status for status, _ in call.provisionals]
    await until(lambda: direct.bridge.active_calls == 0)
    refused = direct.events()[-1]
    assert (refused["type"], refused["data"]["field"]) == ("call.refused", "agent.max_calls")
    await until(lambda: not list(direct.links.iterdir()))


async def test_it_rings_as_soon_as_a_place_is_kept(
    redis: Server, livekit: Server, tmp_path: Path, phone: Phone
) -> None:
    """180 does not wait for the worker's answer; a worker that says no all the same is a refusal in time."""
    async with DirectLine(redis, livekit, tmp_path, max_calls=1) as direct:
        await direct.provision_agent()
        async with direct.worker(limit=0, slow_s=0.5) as worker:
            call = await phone.call(direct.number, direct.port)
            await until(lambda: 180 in [status for status, _ in call.provisionals])
            assert len(worker.asked) <= 1
            assert not worker.assigned
            response = await call.final()
        assert response.status == 503
        assert response.headers.get("Retry-After")
        assert phone.clock.now() - call.invited_at < 5.0


async def test_busy_is_said_where_the_policy_says_busy(
    redis: Server, livekit: Server, tmp_path: Path, phone: Phone
) -> None:
    """refuse_status 486 makes a full line busy."""
    async with DirectLine(redis, livekit, tmp_path, refuse_status=486) as direct:
        await direct.provision_agent()
        async with direct.worker(limit=0):
            call = await phone.call(direct.number, direct.port)
            assert (await call.final()).status == 486


async def test_without_a_worker_the_call_is_refused_in_time(
    redis: Server, livekit: Server, tmp_path: Path, phone: Phone
) -> None:
    """An expected agent is waited for as long as the operator says, in silence, and then refused."""
    async with DirectLine(redis, livekit, tmp_path, agent_wait_timeout="700ms") as direct:
        await direct.provision_agent()
        call = await phone.call(direct.number, direct.port)
        response = await call.final()
        assert response.status == 503
        assert phone.clock.now() - call.invited_at < 5.0
        await until(lambda: direct.bridge.active_calls == 0)
        assert direct.events()[-1]["data"]["field"] == "agent.name"


async def test_a_worker_that_comes_back_in_time_takes_the_call(direct: DirectLine, phone: Phone) -> None:
    """A call that comes while the worker is being started again is answered by it."""
    await direct.provision_agent()
    call = await phone.call(direct.number, direct.port)
    await asyncio.sleep(0.5)
    async with direct.worker() as worker:
        await direct.ready_job(worker)
        assert (await call.final()).status == 200
        await call.bye()
        await direct.ended()


async def test_a_job_that_dies_before_it_is_ready_is_followed_by_another(
    direct: DirectLine, phone: Phone
) -> None:
    """The caller only hears it ring on; the second job answers."""
    await direct.provision_agent()
    async with direct.worker() as worker:
        call = await phone.call(direct.number, direct.port)
        (await direct.job(worker)).die()
        await direct.ready_job(worker, 2)
        assert (await call.final()).status == 200
        await call.bye()
    await direct.ended()


async def test_a_job_that_never_comes_is_followed_by_another(direct: DirectLine, phone: Phone) -> None:
    """What the worker says of a job that failed at once is enough to send for the next."""
    await direct.provision_agent()
    async with direct.worker() as worker:
        call = await phone.call(direct.number, direct.port)
        await until(lambda: bool(worker.assigned))
        await worker.job_ended(worker.assigned[0].job.id, wire.JobStatus.JS_FAILED)
        await direct.ready_job(worker, 2)
        assert (await call.final()).status == 200
        await call.bye()
    await direct.ended()


async def test_jobs_that_always_die_end_in_a_refusal(direct: DirectLine, phone: Phone) -> None:
    """After three jobs that died the call is refused, long before the ringing time is over."""
    await direct.provision_agent()
    async with direct.worker() as worker:
        call = await phone.call(direct.number, direct.port)
        for number in (1, 2, 3):
            (await direct.job(worker, number)).die()
        assert (await call.final()).status == 503
    await until(lambda: direct.bridge.active_calls == 0)
    assert direct.events()[-1]["data"]["field"] == "agent"


async def test_a_caller_who_gives_up_leaves_no_job(direct: DirectLine, phone: Phone) -> None:
    """CANCEL ends a job that has come, and one that is still on its way."""
    await direct.provision_agent()
    async with direct.worker() as worker:
        call = await phone.call(direct.number, direct.port)
        job = await direct.job(worker)
        call.invite.cancel()
        assert (await call.final()).status == 487
        await until(lambda: job.hung_up == ["caller_cancelled"] or job.hung_up == ["refused"])
        await direct.ended()
        call = await phone.call(direct.number, direct.port)
        await until(lambda: len(worker.assigned) == 2)
        call.invite.cancel()
        assert (await call.final()).status == 487
        await until(lambda: worker.assigned[1].job.id in worker.terminated)
    await direct.ended()
    await until(lambda: not list(direct.links.iterdir()))


async def test_a_job_that_leaves_without_a_word_ends_the_call(direct: DirectLine, phone: Phone) -> None:
    """An agent that goes of its own will and leaves nobody to talk to is a BYE, not a replacement."""
    async with direct.up(phone) as (call, job, worker):
        job.end.leave()
        await call.hung_up(5.0)
        assert len(worker.assigned) == 1
    assert (await direct.ended())["data"]["reason"] == "agent_left"


async def test_who_joins_others_gets_no_agent(direct: DirectLine, phone: Phone) -> None:
    """Into a room where people are, a call goes as an ordinary participant, by the room's audio."""
    await direct.provision_agent()
    async with direct.worker() as worker, direct.person(identity="host", kind="standard") as host:
        await host.speak(440)
        call = await phone.call(direct.number, direct.port, voice_hz=700)
        assert (await call.final()).status == 200
        await until(lambda: len(host.heard) > 50)
        assert dominant_frequency(host.samples(0.4), 8000) == pytest.approx(700, abs=10)
        await until(lambda: all(one.job.id in worker.terminated for one in worker.assigned))
        await call.bye()
    await direct.ended()
    answered = next(event for event in direct.events() if event["type"] == "call.answered")
    assert answered["data"]["audio_path"] == "room"


async def test_agents_of_others_go_through_the_room(direct: DirectLine, phone: Phone) -> None:
    """A rule that names an agent of another machine is livekit-server's to send for, as before."""
    await direct.provision_agent("somewhere-else")
    call = await phone.call(direct.number, direct.port)
    await direct.room_appears()
    async with direct.person() as agent:
        await agent.speak(440)
        assert (await call.final()).status == 200
        await call.bye()
        await direct.ended()
    answered = next(event for event in direct.events() if event["type"] == "call.answered")
    assert answered["data"]["audio_path"] == "room"


async def test_where_direct_is_demanded_nothing_else_is_taken(
    redis: Server, livekit: Server, tmp_path: Path, phone: Phone
) -> None:
    """audio_path direct refuses a rule whose agents the dispatcher does not know, and says which."""
    async with DirectLine(redis, livekit, tmp_path, audio_path="direct") as direct:
        await direct.provision_agent("somewhere-else")
        call = await phone.call(direct.number, direct.port)
        assert (await call.final()).status == 503
        await until(lambda: direct.bridge.active_calls == 0)
        refused = direct.events()[-1]["data"]
        assert refused["field"] == "agent.audio_path"
        assert "somewhere-else" in refused["sentence"]


async def test_room_audio_stays_room_audio_where_it_is_chosen(
    redis: Server, livekit: Server, tmp_path: Path, phone: Phone
) -> None:
    """audio_path room asks no dispatcher, although there is one."""
    async with DirectLine(redis, livekit, tmp_path, audio_path="room") as direct:
        await direct.provision_agent("somewhere-else")
        call = await phone.call(direct.number, direct.port)
        await direct.room_appears()
        async with direct.person() as agent:
            await agent.speak(440)
            assert (await call.final()).status == 200
            await call.bye()
            await direct.ended()


async def test_a_draining_bridge_finishes_its_direct_calls(direct: DirectLine, phone: Phone) -> None:
    """While a call is up drain waits for it, and others are refused."""
    async with direct.up(phone) as (call, job, _):
        draining = asyncio.create_task(direct.bridge.drain())
        await asyncio.sleep(0.05)
        other = await phone.call(direct.number, direct.port)
        assert (await other.final()).status == 503
        await job.say(500, 0.3)
        await until(lambda: any(dbfs(frame) > -40 for frame in call.heard))
        assert not draining.done()
        job.end.hang_up()
        await call.hung_up()
        await asyncio.wait_for(draining, PATIENCE * 5)


async def test_the_rule_and_the_room_are_as_before(direct: DirectLine, phone: Phone) -> None:
    """The room is made as the rule says, whoever joins first, and without a second agent."""
    await direct.provision_agent(AGENT)
    async with direct.worker() as worker:
        call = await phone.call(direct.number, direct.port)
        job = await direct.ready_job(worker)
        await job.join()
        await call.final()
        await asyncio.sleep(0.7)
        assert len(worker.assigned) == 1, "livekit-server would have sent for one by now"
        await call.bye()
    await direct.ended()


async def test_both_legs_are_recorded(redis: Server, livekit: Server, tmp_path: Path, phone: Phone) -> None:
    """Caller left, agent right, from the answer to the end, and told of in the call's events."""
    folder = tmp_path / "recordings"
    async with DirectLine(redis, livekit, tmp_path, recording={"directory": str(folder)}) as direct:
        async with direct.up(phone, voice_hz=700) as (call, job, _):
            await job.say(400, 2.0)
            await until(lambda: len(call.heard) > 110)
            await call.bye()
        await direct.ended()
        data = next(event["data"] for event in direct.events() if event["type"] == "recording.ready")
    (left, right), rate = read_recording(Path(data["path"]))
    assert len(left) / rate == pytest.approx(data["duration_s"], abs=0.1)
    assert dominant_frequency(left[rate : rate * 3 // 2], rate) == pytest.approx(700, abs=10)
    assert dominant_frequency(right[rate : rate * 3 // 2], rate) == pytest.approx(400, abs=10)


async def test_a_call_through_the_room_is_left_to_its_job_to_record(
    redis: Server, livekit: Server, tmp_path: Path, phone: Phone
) -> None:
    """The bridge records the direct line only, so that no call is recorded twice."""
    folder = tmp_path / "recordings"
    async with DirectLine(redis, livekit, tmp_path, recording={"directory": str(folder)}) as direct:
        await direct.provision_agent("somewhere-else")
        call = await phone.call(direct.number, direct.port)
        await direct.room_appears()
        async with direct.person() as agent:
            await agent.speak(440)
            await call.final()
            await call.bye()
            await direct.ended()
    assert not folder.exists()
