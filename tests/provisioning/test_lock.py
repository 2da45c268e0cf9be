"""Two applies at once cannot interleave."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from provisioning.apply import apply_line
from provisioning.lock import KEY, ApplyLock
from provisioning.sections.livekit import RedisSection
from telephony.errors import LiveKitError
from tests.provisioning.files import config, lines, trunk

if TYPE_CHECKING:
    from provisioning.sip_service import SipService
    from tests.provisioning.conftest import LiveKit

pytestmark = pytest.mark.component


def redis_of(livekit: LiveKit) -> RedisSection:
    return RedisSection(address=livekit.redis_address)


async def test_a_second_apply_waits_for_the_first(livekit: LiveKit) -> None:
    """Whoever comes second is told so once, and starts when the first lets go."""
    told: list[str] = []
    order: list[str] = []

    async def second() -> None:
        lock = ApplyLock(livekit.url, redis_of(livekit), wait_s=5, on_wait=lambda: told.append("waiting"))
        async with lock:
            order.append("second")

    async with ApplyLock(livekit.url, redis_of(livekit)) as lock:
        assert lock.is_shared
        waiting = asyncio.create_task(second())
        await asyncio.sleep(0.3)
        order.append("first")
    await waiting
    assert (order, told) == (["first", "second"], ["waiting"])


async def test_another_machine_is_kept_out_by_redis(livekit: LiveKit) -> None:
    """Two machines share no lock file, so the key in Redis decides; a dead one's runs out by itself."""
    with livekit.store() as store:
        store.set(KEY, "another machine", px=400)
        with pytest.raises(LiveKitError, match="another apply has been running"):
            async with ApplyLock(livekit.url, redis_of(livekit), wait_s=0.1):
                pass
        async with ApplyLock(livekit.url, redis_of(livekit), wait_s=5):
            assert store.get(KEY) != b"another machine"
        assert store.get(KEY) is None


async def test_a_lost_lease_stops_the_writing(livekit: LiveKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """When Redis did not renew it in time, somebody else may be writing."""
    monkeypatch.setattr("provisioning.lock.LEASE_S", 0.05)
    async with ApplyLock(livekit.url, redis_of(livekit)) as lock:
        lock.ensure_held()
        await asyncio.sleep(0.1)
        with pytest.raises(LiveKitError, match="the lock on the line was lost"):
            lock.ensure_held()


async def test_somebody_elses_key_is_not_deleted(livekit: LiveKit) -> None:
    """After a lost lease the other one's key stays."""
    with livekit.store() as store:
        async with ApplyLock(livekit.url, redis_of(livekit)):
            store.set(KEY, "another machine")
        assert store.get(KEY) == b"another machine"
        store.delete(KEY)


async def test_without_redis_this_machine_is_locked_alone() -> None:
    """LiveKit Cloud has no Redis of ours; that is said and no error."""
    async with ApplyLock("wss://nowhere.example", RedisSection(address="127.0.0.1:1")) as lock:
        assert not lock.is_shared
        lock.ensure_held()


async def test_ten_applies_at_once_make_each_object_once(livekit: LiveKit, service: SipService) -> None:
    """The first makes what is missing, the others find it made."""
    text = f"redis: {{address: '{livekit.redis_address}'}}\nsip_trunks:\n"
    text += "".join(f"  - {entry}\n" for entry in lines(trunk("a", "+1"), trunk("b", "+2")).splitlines())
    file = config(text)

    async def one() -> int:
        result = await apply_line(
            file, url=livekit.url, api_key=livekit.api_key, api_secret=livekit.api_secret
        )
        return result.writes

    assert sorted(await asyncio.gather(*(one() for _ in range(10)))) == [0] * 9 + [2]
    assert len(await service.list_all()) == 2
