"""Results with a deadline on an injected clock."""

from __future__ import annotations

import asyncio

import pytest

from telephony.clock import ManualClock
from telephony.sip.outcome import Outcome

pytestmark = pytest.mark.pure


async def test_all_who_wait_get_the_first_result() -> None:
    """A later result changes nothing, and no timer is left."""
    clock, outcome = ManualClock(), Outcome[int]()
    waiting = [asyncio.create_task(outcome.wait(clock, 5)) for _ in range(3)]
    await asyncio.sleep(0)
    assert clock.pending == 3
    outcome.set(1)
    outcome.set(2)
    assert await asyncio.gather(*waiting) == [1, 1, 1]
    assert await outcome.wait(clock, 0) == 1
    assert (outcome.done, outcome.value, clock.pending) == (True, 1, 0)


async def test_a_deadline_passes_on_the_given_clock() -> None:
    """Only the clock's time counts, each waiter's own."""
    clock, outcome = ManualClock(), Outcome[int]()
    soon, late = (asyncio.create_task(outcome.wait(clock, seconds)) for seconds in (1, 10))
    await asyncio.sleep(0)
    clock.advance(1)
    with pytest.raises(TimeoutError):
        await soon
    assert not outcome.done
    outcome.set(3)
    assert await late == 3


async def test_a_cancelled_waiter_leaves_nothing() -> None:
    """Its timer is called off, and the result can still be set."""
    clock, outcome = ManualClock(), Outcome[int]()
    waiting = asyncio.create_task(outcome.wait(clock, 5))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert clock.pending == 0
    outcome.set(1)
    assert outcome.value == 1
