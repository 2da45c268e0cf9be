"""The clock that tests turn by hand."""

from __future__ import annotations

import asyncio

import pytest

from telephony.clock import LoopClock, ManualClock
from tests.waiting import PATIENCE

pytestmark = pytest.mark.pure


def test_timers_run_in_the_order_they_are_due() -> None:
    """A later timer that was set first runs last, each at its own time."""
    clock = ManualClock()
    ran: list[tuple[str, float]] = []
    clock.call_later(2.0, lambda: ran.append(("late", clock.now())))
    clock.call_later(1.0, lambda: ran.append(("early", clock.now())))
    clock.advance(3.0)
    assert ran == [("early", 1.0), ("late", 2.0)]
    assert clock.now() == 3.0


def test_a_timer_set_by_a_timer_runs_in_the_same_advance() -> None:
    """A repeating timer fires as often as its period fits into the time that passes."""
    clock = ManualClock()
    ticks: list[float] = []

    def tick() -> None:
        ticks.append(round(clock.now(), 3))
        clock.call_later(0.02, tick)

    clock.call_later(0.02, tick)
    clock.advance(0.1)
    assert ticks == [0.02, 0.04, 0.06, 0.08, 0.1]
    assert clock.pending == 1


def test_a_cancelled_timer_never_runs() -> None:
    """Cancelling is final, also when it is done twice."""
    clock = ManualClock()
    ran: list[int] = []
    timer = clock.call_later(1.0, lambda: ran.append(1))
    timer.cancel()
    timer.cancel()
    clock.advance(2.0)
    assert ran == []
    assert clock.pending == 0


async def test_the_loops_clock_runs_timers_too() -> None:
    """The real clock keeps the same promise as the one for tests."""
    clock = LoopClock()
    done = asyncio.Event()
    before = clock.now()
    clock.call_later(0.01, done.set)
    await asyncio.wait_for(done.wait(), PATIENCE * 5)
    assert clock.now() > before
