"""A dead job is not a dead call: clips, a job that takes over, and a goodbye where none does."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np
import pytest

from telephony.audio.detect import goertzel
from telephony.calls import job_attributes
from telephony.link.listener import connect
from tests.bridge.direct import GOODBYE_HZ, MOMENT_HZ, DirectLine
from tests.waiting import until

if TYPE_CHECKING:
    from tests.bridge.phone import Phone, PhoneCall

pytestmark = pytest.mark.component

WITHIN_S = 1.0
"""How soon a caller must hear something after a job's death."""


def hears(call: PhoneCall, frequency_hz: float, since: int = 0) -> bool:
    """Whether a tone is among the frames that came after ``since``."""
    return any(
        np.abs(frame).max() > 500 and goertzel(frame, frequency_hz, 8000) > 0.5
        for frame in call.heard[since:]
    )


async def test_the_caller_hears_a_clip_and_then_another_job(direct: DirectLine, phone: Phone) -> None:
    """Within a second of the death a voice, then the job that took over, told from whom; no goodbye."""
    async with direct.up(phone) as (call, first, worker):
        await first.say(300, 5.0)
        await until(lambda: hears(call, 300))
        died_at, since = phone.clock.now(), len(call.heard)
        first.die()
        await until(lambda: hears(call, MOMENT_HZ, since))
        assert phone.clock.now() - died_at < WITHIN_S
        second = await direct.ready_job(worker, 2)
        assert second.attributes[job_attributes.RESUME] == first.assignment.job.id
        assert second.attributes[job_attributes.LINK] != first.attributes[job_attributes.LINK]
        await until(lambda: second.end.answered)
        since = len(call.heard)
        await second.say(700, 0.5)
        await until(lambda: hears(call, 700, since))
        assert not hears(call, 300, since), "what the dead job had queued is never heard"
        await call.rtp.send_digits("5")
        await until(lambda: second.keys == ["5"])
        await call.bye()
        await until(lambda: second.hung_up == ["caller_hung_up"])
    assert (await direct.ended())["data"]["reason"] == "caller_hung_up"


async def test_nobody_takes_over_so_it_ends_with_a_goodbye(
    direct: DirectLine, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clip, again while it waits, then the goodbye to its end, then BYE, and the line's fault."""
    monkeypatch.setattr("telephony.bridge.direct_line.REPLACE_S", 2.0)
    monkeypatch.setattr("telephony.bridge.direct_line.REMIND_S", 0.6)
    async with direct.up(phone, limit=1) as (call, job, _):
        await until(lambda: len(call.heard) > 10)
        job.die()
        await call.hung_up(10.0)
    moments = _runs(call, MOMENT_HZ)
    goodbyes = _runs(call, GOODBYE_HZ)
    assert len(moments) >= 2
    assert len(goodbyes) == 1
    assert 0.34 <= goodbyes[0] <= 0.44, "the goodbye is heard whole"
    ended = (await direct.ended())["data"]
    assert (ended["reason"], ended["ended_by"]) == ("agent_lost", "line")


async def test_without_clips_a_call_that_cannot_be_saved_ends_at_once(
    direct: DirectLine, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that died before it handed anything over leaves no mute call."""
    monkeypatch.setattr("telephony.bridge.direct_line.REPLACE_S", 0.3)
    async with direct.up(phone, clips=False, limit=1) as (call, job, _):
        job.die()
        await call.hung_up(5.0)
    assert (await direct.ended())["data"]["reason"] == "agent_lost"


async def test_jobs_that_always_die_end_in_the_goodbye(direct: DirectLine, phone: Phone) -> None:
    """The third death in one call is the last."""
    async with direct.up(phone) as (call, job, worker):
        for number in (2, 3):
            job.die()
            job = await direct.ready_job(worker, number)
            await until(lambda job=job: job.end.answered)  # type: ignore[misc]
        job.die()
        await call.hung_up(10.0)
        assert len(worker.assigned) == 3
    assert hears(call, GOODBYE_HZ)
    await direct.ended()


async def test_a_replacement_that_dies_at_once_is_followed_by_the_next(
    direct: DirectLine, phone: Phone
) -> None:
    """A job that dies before it could speak costs no more than another moment."""
    async with direct.up(phone) as (call, job, worker):
        job.die()
        (await direct.job(worker, 2)).die()
        third = await direct.ready_job(worker, 3)
        await third.say(700, 0.5)
        await until(lambda: hears(call, 700))
        await call.bye()
    await direct.ended()


async def test_a_job_that_hangs_is_replaced(direct: DirectLine, phone: Phone) -> None:
    """A job that stops reading is cut off and followed, and told so when it wakes up."""
    async with direct.up(phone) as (call, job, worker):
        channel = job.end._channel
        assert channel is not None
        asyncio.get_running_loop().remove_reader(channel._socket.fileno())
        await until(lambda: len(worker.assigned) == 2, timeout_s=20)
        second = await direct.ready_job(worker, 2)
        await second.say(700, 0.5)
        await until(lambda: hears(call, 700))
        asyncio.get_running_loop().add_reader(channel._socket.fileno(), channel._read)
        await until(lambda: job.lost)
        await call.bye()
    await direct.ended()


async def test_the_caller_hangs_up_while_another_job_is_waited_for(direct: DirectLine, phone: Phone) -> None:
    """A caller who has had enough ends it; the job on its way is called back."""
    async with direct.up(phone) as (call, job, worker):
        job.die()
        await until(lambda: len(worker.assigned) == 2)
        await call.bye()
        await until(lambda: worker.terminated == [worker.assigned[1].job.id])
    assert (await direct.ended())["data"]["reason"] == "caller_hung_up"
    await until(lambda: not list(direct.links.iterdir()))


async def test_a_lost_worker_is_waited_for(direct: DirectLine, phone: Phone) -> None:
    """When the worker dies with its jobs, its successor takes the calls that are up."""
    async with direct.up(phone) as (call, job, worker):
        await worker.die()
        job.die()
        await until(lambda: hears(call, MOMENT_HZ))
    async with direct.worker() as successor:
        second = await direct.ready_job(successor)
        await second.say(700, 0.5)
        await until(lambda: hears(call, 700))
        await call.bye()
    await direct.ended()


async def test_a_strangers_socket_is_no_job(direct: DirectLine, phone: Phone) -> None:
    """Whoever comes to a call's socket without a proper hello is not taken for its agent."""
    await direct.provision_agent()
    async with direct.worker() as worker:
        call = await phone.call(direct.number, direct.port)
        await until(lambda: bool(worker.assigned))
        name = worker.assigned[0].job.attributes[job_attributes.LINK]
        stranger = connect(direct.links / name)
        stranger.send(b"let me in")
        await direct.ready_job(worker, 2)
        assert (await call.final()).status == 200
        stranger.close()
        await call.bye()
    await direct.ended()


def _runs(call: PhoneCall, frequency_hz: float) -> list[float]:
    """The lengths in seconds of the stretches in which a tone was heard."""
    runs, current = [], 0
    for frame in [*call.heard, np.zeros(160, np.int16)]:
        if np.abs(frame).max() > 500 and goertzel(frame, frequency_hz, 8000) > 0.5:
            current += 1
        elif current:
            runs.append(current * 0.02)
            current = 0
    return runs
