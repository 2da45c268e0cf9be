from __future__ import annotations

import asyncio
import time

import pytest

from telephony.bridge import permits
from telephony.calls.dial_attributes import DIAL_BY, PERMIT
from telephony.errors import BusError
from tests.bridge.bus_double import MemoryBus

pytestmark = pytest.mark.pure


class AwayBus(MemoryBus):
    """A Redis that does not answer."""

    async def win(self, key: str, seconds: int) -> bool:
        raise BusError("Redis is away", code="unavailable", retryable=True)


async def _code(bus: MemoryBus, attributes: dict[str, str]) -> str:
    try:
        await permits.take(bus, attributes)
    except BusError as error:
        return error.code
    return "dialled"


async def test_a_permit_is_dialled_once_by_all_bridges_together() -> None:
    """Asked ten times on one Redis, one call is begun; another permit is another call."""
    bus = MemoryBus()
    codes = await asyncio.gather(*(_code(bus, {PERMIT: "prm_1"}) for _ in range(10)))
    assert sorted(codes) == ["already_exists"] * 9 + ["dialled"]
    assert await _code(bus, {PERMIT: "prm_2"}) == "dialled"


async def test_a_dial_without_a_permit_is_livekits_own() -> None:
    """What an application asks livekit-server for itself is dialled as often as it asks."""
    bus = MemoryBus()
    assert [await _code(bus, {}) for _ in range(3)] == ["dialled"] * 3


async def test_a_dial_that_comes_too_late_is_not_begun_and_keeps_its_permit() -> None:
    """After its time nobody is rung, and the code is the one that says so."""
    bus = MemoryBus()
    late = {PERMIT: "prm_1", DIAL_BY: str(round(1000 * (time.time() - 1)))}
    assert await _code(bus, late) == "unavailable"
    assert await _code(bus, {PERMIT: "prm_1"}) == "dialled"


async def test_without_redis_nothing_is_dialled() -> None:
    """Where nobody can say whether a permit was used, the call is not begun."""
    assert await _code(AwayBus(), {PERMIT: "prm_1"}) == "unavailable"


@pytest.mark.parametrize(
    ("text", "late"), [("", False), ("soon", False), ("-5", False), ("9999", True), ("10001", False)]
)
def test_the_time_of_a_dial_is_read_strictly(text: str, late: bool) -> None:
    """Only a number of milliseconds limits a dial; what cannot be read does not."""
    assert permits.is_too_late({DIAL_BY: text}, now_s=10.0) is late
