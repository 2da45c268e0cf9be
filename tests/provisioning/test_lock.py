"""Two applies at once cannot interleave."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from provisioning.apply import apply_line
from provisioning.drift import find_drift
from provisioning.lease import Lease, lease_message, read_lease
from provisioning.lock import ApplyLock
from provisioning.objects import Kind
from telephony.errors import LiveKitError
from tests.provisioning.files import line, lines, trunk

if TYPE_CHECKING:
    from pathlib import Path

    from provisioning.sip_service import SipService
    from tests.provisioning.conftest import LiveKit

pytestmark = pytest.mark.component

ELSEWHERE = Lease("token", "another machine's file", "elsewhere, process 7")


async def leases(service: SipService) -> list[Lease]:
    found = [read_lease(live.message) for live in await service.list_kind(Kind.OUTBOUND)]
    return [lease for lease in found if lease is not None]


async def test_a_second_apply_waits_for_the_first(service: SipService) -> None:
    """Whoever comes second is told so once, and starts when the first lets go."""
    told: list[str] = []
    order: list[str] = []

    async def second() -> None:
        async with ApplyLock(service, wait_s=5, on_wait=told.append):
            order.append("second")

    async with ApplyLock(service):
        waiting = asyncio.create_task(second())
        await asyncio.sleep(0.3)
        order.append("first")
    await waiting
    assert (order, told) == (["first", "second"], ["on this machine"])
    assert await leases(service) == []


async def test_another_machine_is_kept_out_by_the_server(service: SipService, tmp_path: Path) -> None:
    """Two machines share no lock file, so the lease at livekit-server decides, and says who it is."""
    async with ApplyLock(service):
        with pytest.raises(LiveKitError, match=r"another apply \(.*, process \d+\) has been running"):
            async with ApplyLock(service, folder=tmp_path, wait_s=0.2):
                pass
    async with ApplyLock(service, folder=tmp_path, wait_s=1) as lock:
        lock.ensure_held()


async def test_of_many_machines_at_once_one_is_in_at_a_time(service: SipService, tmp_path: Path) -> None:
    """However they come, no two are in, and each gets its turn."""
    inside: list[int] = []
    done: list[int] = []

    async def machine(n: int) -> None:
        folder = tmp_path / str(n)
        folder.mkdir()
        async with ApplyLock(service, folder=folder, wait_s=20):
            inside.append(n)
            assert inside == [n]
            await asyncio.sleep(0.02)
            inside.remove(n)
            done.append(n)

    await asyncio.gather(*(machine(n) for n in range(5)))
    assert sorted(done) == list(range(5))
    assert await leases(service) == []


async def test_a_killed_apply_of_this_machine_is_cleared_away_at_once(service: SipService) -> None:
    """Who holds the lock file that the lease was made under knows that its process is gone."""
    async with ApplyLock(service) as lock:
        kept = lock._lease
    await service.create(Kind.OUTBOUND, lease_message(replace(kept, token="killed")))
    async with ApplyLock(service, wait_s=0):
        (mine,) = await leases(service)
        assert mine.token != "killed"


async def test_a_dead_lease_of_another_machine_runs_out(
    service: SipService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It counts as dead when it does not change for a lease's time, by our own clock."""
    monkeypatch.setattr("provisioning.lock.LEASE_S", 0.4)
    monkeypatch.setattr("provisioning.lock._MARGIN_S", 0.1)
    await service.create(Kind.OUTBOUND, lease_message(ELSEWHERE))
    with pytest.raises(LiveKitError, match="elsewhere, process 7"):
        async with ApplyLock(service, wait_s=0.1):
            pass
    async with ApplyLock(service, wait_s=5):
        assert ELSEWHERE not in await leases(service)


async def test_a_lease_that_beats_is_not_taken_over(
    service: SipService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long an apply runs, it keeps the lock while it renews it."""
    monkeypatch.setattr("provisioning.lock.LEASE_S", 0.4)
    made = await service.create(Kind.OUTBOUND, lease_message(ELSEWHERE))

    async def beat() -> None:
        for n in range(1, 100):
            await asyncio.sleep(0.05)
            await service.replace(Kind.OUTBOUND, made.id, lease_message(replace(ELSEWHERE, beat=n)))

    beating = asyncio.create_task(beat())
    with pytest.raises(LiveKitError, match="another apply"):
        async with ApplyLock(service, wait_s=1.2):
            pass
    beating.cancel()
    await asyncio.gather(beating, return_exceptions=True)
    assert len(await leases(service)) == 1


async def test_a_lease_that_could_not_be_renewed_stops_the_writing(
    service: SipService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else may take over soon, so nothing is written any more, not even to put things back."""
    monkeypatch.setattr("provisioning.lock.LEASE_S", 0.3)
    monkeypatch.setattr("provisioning.lock._MARGIN_S", 0.25)
    async with ApplyLock(service) as lock:
        await asyncio.sleep(0.1)
        with pytest.raises(LiveKitError, match="the lock on the line was lost"):
            lock.ensure_held()


async def test_a_lease_is_no_part_of_any_line(livekit: LiveKit, service: SipService) -> None:
    """Plan, drift and import do not see it, and apply does not delete it."""
    file = line(trunk("a", "+15550001"))
    await apply_line(file, url=livekit.url, api_key=livekit.api_key, api_secret=livekit.api_secret)
    async with ApplyLock(service):
        found = find_drift(file, await service.list_all())
        assert (found.found, found.foreign) == (False, [])


async def test_when_nothing_is_to_do_the_lock_is_not_written_either(
    livekit: LiveKit, service: SipService
) -> None:
    """A second apply makes no write at all, even while another machine is at work."""
    file = line(trunk("a", "+15550001"))
    await apply_line(file, url=livekit.url, api_key=livekit.api_key, api_secret=livekit.api_secret)
    await service.create(Kind.OUTBOUND, lease_message(ELSEWHERE))
    again = await apply_line(file, url=livekit.url, api_key=livekit.api_key, api_secret=livekit.api_secret)
    assert again.writes == 0
    assert await leases(service) == [ELSEWHERE]


async def test_what_a_killed_apply_left_is_cleared_away_even_when_nothing_is_to_do(
    livekit: LiveKit, service: SipService
) -> None:
    """An apply that was killed after its last write leaves only its lease, and the next one finds it."""
    file = line(trunk("a", "+15550001"))
    await apply_line(file, url=livekit.url, api_key=livekit.api_key, api_secret=livekit.api_secret)
    async with ApplyLock(service) as lock:
        kept = lock._lease
    await service.create(Kind.OUTBOUND, lease_message(kept))
    again = await apply_line(file, url=livekit.url, api_key=livekit.api_key, api_secret=livekit.api_secret)
    assert again.writes == 0
    assert await leases(service) == []


async def test_ten_applies_at_once_make_each_object_once(livekit: LiveKit, service: SipService) -> None:
    """The first makes what is missing, the others find it made."""
    file = line(lines(trunk("a", "+1"), trunk("b", "+2")))

    async def one() -> int:
        result = await apply_line(
            file, url=livekit.url, api_key=livekit.api_key, api_secret=livekit.api_secret
        )
        return result.writes

    assert sorted(await asyncio.gather(*(one() for _ in range(10)))) == [0] * 9 + [2]
    assert len(await service.list_all()) == 2
