"""The media tick on a clock turned by hand."""

from __future__ import annotations

import asyncio
import logging

import pytest

from telephony.audio.frame import FRAME_S
from telephony.clock import ManualClock
from telephony.logs import configure_structlog
from telephony.rtp.clock import MAX_FAILURES, MediaClock
from tests.waiting import PATIENCE

pytestmark = pytest.mark.pure


class BusyClock(ManualClock):
    """A clock whose machine is busy now and then: what is due meanwhile runs late."""

    def __init__(self) -> None:
        super().__init__()
        self.busy_until = 0.0

    def advance(self, seconds: float) -> None:
        """Go on in steps of a millisecond, running nothing while busy."""
        end = self._now + seconds
        while self._now < end - 1e-9:
            if self._now < self.busy_until:
                self._now = min(end, self.busy_until)
            else:
                super().advance(min(0.001, end - self._now))


@pytest.fixture(autouse=True)
def _logging() -> None:
    configure_structlog()


def ticking(clock: ManualClock) -> tuple[MediaClock, list[float]]:
    """A started media clock and the times of its ticks."""
    times: list[float] = []
    media = MediaClock(clock)
    media.start()
    media.add(lambda: times.append(clock.now()))
    return media, times


def test_ticks_every_20_ms() -> None:
    """A second has fifty ticks, each at its own multiple of 20 ms."""
    clock = ManualClock()
    _, times = ticking(clock)
    clock.advance(1.0)
    assert times == pytest.approx([FRAME_S * n for n in range(1, 51)])


def test_idle_clock_sets_no_timer() -> None:
    """Before the first callback, after the last one and while stopped, nothing is scheduled."""
    clock = ManualClock()
    media = MediaClock(clock)

    def callback() -> None:
        """Do nothing."""

    media.start()
    assert clock.pending == 0
    media.add(callback)
    assert clock.pending == 1
    media.remove(callback)
    assert clock.pending == 0
    media.add(callback)
    media.stop()
    assert clock.pending == 0


def test_ticks_again_when_a_call_comes_after_idling() -> None:
    """After an idle time ticks start 20 ms after the next callback, without any for the time between."""
    clock = ManualClock()
    media, first = ticking(clock)
    callback = next(iter(media._callbacks))
    clock.advance(0.1)
    media.remove(callback)
    clock.advance(5.0)
    media.add(callback)
    clock.advance(0.1)
    assert len(first) == 10
    assert first[5] == pytest.approx(5.12)
    assert media.lateness.skipped == 0


def test_lateness_of_one_tick_does_not_delay_the_next() -> None:
    """After a tick that ran 15 ms late the next ones are on time."""
    clock = BusyClock()
    _, times = ticking(clock)
    clock.advance(0.039)
    clock.busy_until = 0.055
    clock.advance(0.061)
    assert times == pytest.approx([0.02, 0.055, 0.06, 0.08, 0.1], abs=0.0011)


def test_short_stall_is_caught_up() -> None:
    """After 90 ms without a tick, the missed ones follow at once, and none is lost."""
    clock = BusyClock()
    media, times = ticking(clock)
    clock.advance(0.1)
    clock.busy_until = 0.19
    clock.advance(0.9)
    assert len(times) == 50
    assert media.lateness.skipped == 0
    assert media.lateness.max_ms == pytest.approx(70, abs=2)


def test_long_stall_is_skipped_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    """After half a second without a tick there is one tick, no burst, and the others count as skipped.

    The log says so once, marked as a matter of load.
    """
    clock = BusyClock()
    media, times = ticking(clock)
    clock.advance(0.1)
    clock.busy_until = 0.6
    clock.advance(0.9)
    assert sum(1 for at in times if 0.59 < at < 0.618) == 1
    assert media.lateness.skipped == 24
    assert len(times) + media.lateness.skipped == 50
    assert [at for at in times if at > 0.61] == pytest.approx(
        [0.62 + FRAME_S * n for n in range(20)], abs=0.0011
    )
    [told] = [record for record in caplog.records if record.getMessage() == "media_ticks_skipped"]
    assert (vars(told)["ticks"], vars(told)["load_warning"]) == (24, "media_ticks_skipped")


def test_lateness_statistics() -> None:
    """Median, 99th percentile and maximum are of the last minute, in milliseconds."""
    clock = BusyClock()
    media, _ = ticking(clock)
    assert media.lateness.max_ms == 0.0
    for _ in range(100):
        clock.advance(0.02)
    clock.busy_until = clock.now() + 0.05
    clock.advance(0.1)
    lateness = media.lateness
    assert lateness.p50_ms == pytest.approx(0.0, abs=1.1)
    assert lateness.max_ms == pytest.approx(30, abs=2)
    assert lateness.ticks == 105


def test_callbacks_can_come_and_go_within_a_tick() -> None:
    """A callback may remove itself or another and add a third, and a removed one is not called any more."""
    clock = ManualClock()
    media = MediaClock(clock)
    called: list[str] = []

    def first() -> None:
        called.append("first")
        media.remove(first)
        media.remove(second)
        media.add(third)

    def second() -> None:
        called.append("second")

    def third() -> None:
        called.append("third")

    media.start()
    media.add(first)
    media.add(second)
    clock.advance(0.06)
    assert called == ["first", "third", "third"]


def test_adding_twice_is_adding_once() -> None:
    """A call that is added again is not ticked twice."""
    clock = ManualClock()
    media, times = ticking(clock)
    media.add(next(iter(media._callbacks)))
    clock.advance(0.1)
    assert len(times) == 5


def test_stop_within_a_tick() -> None:
    """A callback that stops the clock ends the ticking with the tick under way."""
    clock = ManualClock()
    media = MediaClock(clock)
    called: list[int] = []

    def callback() -> None:
        called.append(1)
        media.stop()

    media.start()
    media.add(callback)
    clock.advance(0.2)
    assert called == [1]
    assert clock.pending == 0


def test_callback_that_fails_now_and_then_stays(caplog: pytest.LogCaptureFixture) -> None:
    """A callback that fails is called again and forgiven when it succeeds, and logged once a second."""
    clock = ManualClock()
    media = MediaClock(clock)
    calls: list[int] = []

    def callback() -> None:
        calls.append(1)
        if len(calls) % MAX_FAILURES:
            raise RuntimeError("no route to the room")

    media.start()
    media.add(callback)
    with caplog.at_level(logging.ERROR):
        clock.advance(2.5)
    assert len(calls) == 125
    assert caplog.messages.count("media_callback_failed") == 3
    assert "media_callback_removed" not in caplog.messages


def test_callback_that_always_fails_is_removed_and_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    """After five failures in a row a callback is removed and logged; the others never miss a tick."""
    clock = ManualClock()
    media, times = ticking(clock)
    calls: list[int] = []

    def broken() -> None:
        calls.append(1)
        raise RuntimeError("broken")

    media.add(broken)
    with caplog.at_level(logging.ERROR):
        clock.advance(0.4)
    assert len(calls) == MAX_FAILURES
    assert len(times) == 20
    assert caplog.messages.count("media_callback_removed") == 1


async def test_ticks_in_the_running_loop() -> None:
    """Without a clock of its own it takes the running loop's, and ticks there."""
    media = MediaClock()
    ticked = asyncio.Event()
    media.add(ticked.set)
    assert not ticked.is_set()
    media.start()
    await asyncio.wait_for(ticked.wait(), PATIENCE * 5)
    media.stop()
    assert media.lateness.ticks >= 1
