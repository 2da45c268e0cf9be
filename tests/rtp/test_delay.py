"""The delay's target and the decisions to drop, hold or jump."""

from __future__ import annotations

import random

import pytest

from telephony.audio.frame import FRAME_S
from telephony.rtp.delay import AdaptiveTarget, DelayControl, FixedTarget

pytestmark = pytest.mark.pure

TRANSIT_S = 5.0
"""Of the fastest packets: an arbitrary number, because two clocks have nothing in common."""


def settled(delay_s: float, *, target_s: float = 0.06) -> DelayControl:
    """A control that has seen two seconds of steady packets and ticks at one delay; the time is 2 s."""
    control = DelayControl(FixedTarget(target_s))
    control.restart(0.0)
    for n in range(100):
        control.arrived(0.02 * n, TRANSIT_S)
        assert control.playing(0.02 * n, TRANSIT_S + delay_s) == 0
    control.playing(2.0, TRANSIT_S + delay_s)
    return control


def test_fixed_target_learns_nothing() -> None:
    """A fixed delay stays whatever packets do."""
    target = FixedTarget(0.06)
    target.observe(5.0)
    assert target.value_s == 0.06


@pytest.mark.parametrize(
    ("jitter_s", "low", "high"), [(0.0, 0.02, 0.02), (0.03, 0.03, 0.04), (0.2, 0.06, 0.06)]
)
def test_adaptive_target_follows_the_jitter_within_its_limits(
    jitter_s: float, low: float, high: float
) -> None:
    """The target is what 99 % of the packets need and a little more, from 20 to 60 ms."""
    target = AdaptiveTarget()
    rng = random.Random(1)
    for _ in range(500):
        target.observe(rng.uniform(0, jitter_s))
    assert low <= target.value_s <= high


def test_adaptive_target_ignores_single_stalls_and_forgets() -> None:
    """One late packet in two hundred does not move it; jitter that is over is forgotten in ten seconds."""
    target = AdaptiveTarget()
    for n in range(500):
        target.observe(0.3 if n % 200 == 100 else 0.001)
    assert target.value_s == 0.02
    for n in range(500):
        target.observe(0.05 if n % 2 else 0.0)
    assert target.value_s == pytest.approx(0.055)
    for _ in range(500):
        target.observe(0.0)
    assert target.value_s == 0.02


def test_adaptive_target_starts_in_the_middle() -> None:
    """Until it knows better, it waits 40 ms, or less if less is allowed."""
    assert AdaptiveTarget().value_s == 0.04
    assert AdaptiveTarget(high_s=0.03).value_s == 0.03


@pytest.mark.parametrize(
    ("delay_s", "wanted"),
    [(0.040, -1), (0.054, -1), (0.056, 0), (0.060, 0), (0.080, 0), (0.082, 1), (0.100, 1)],
)
def test_delay_is_held_within_one_frame_above_the_target(delay_s: float, wanted: int) -> None:
    """A whole frame too much is dropped, too little is held, and between them nothing is done."""
    assert settled(delay_s).wanted() == wanted


def test_nothing_is_wanted_before_a_second_of_ticks() -> None:
    """A new stream is watched for a second before its delay is judged."""
    control = DelayControl(FixedTarget(0.06))
    control.restart(0.0)
    control.arrived(0.0, TRANSIT_S)
    for n in range(49):
        control.playing(0.02 * n, TRANSIT_S + 0.12)
        assert control.wanted() == 0


def test_one_late_tick_does_not_count() -> None:
    """A tick that runs 60 ms late makes the delay look longer for that tick only, and nothing is dropped."""
    control = settled(0.06)
    control.playing(2.08, TRANSIT_S + 0.12)
    assert control.wanted() == 0


def test_drop_and_hold_move_the_measure() -> None:
    """What was dropped or held is in the delay at once, not after the window has passed."""
    control = settled(0.085)
    control.dropped(1)
    assert control.delay_s == pytest.approx(0.065)
    control.dropped(-1)
    assert control.delay_s == pytest.approx(0.085)


def test_silence_is_always_permitted_and_speech_once_a_second() -> None:
    """In speech the delay moves by one frame a second, in silence as fast as it likes."""
    control = settled(0.12)
    assert control.wanted() == 1
    assert control.permits(silent=False)
    assert not control.permits(silent=False)
    assert control.permits(silent=True)
    control.playing(3.01, TRANSIT_S + 0.12)
    assert control.wanted() == 1
    assert control.permits(silent=False)


def test_small_surplus_is_no_reason_to_touch_speech() -> None:
    """A surplus of hardly more than a frame waits for silence."""
    control = settled(0.083)
    assert control.wanted() == 1
    assert not control.permits(silent=False)
    assert control.permits(silent=True)


def test_large_surplus_is_skipped_at_once() -> None:
    """After an interruption of half a second, all whole frames above the target go at once."""
    control = settled(0.06)
    frames = control.playing(2.5, TRANSIT_S + 0.56)
    assert frames == pytest.approx(0.5 / FRAME_S, abs=1)
    assert control.delay_s == pytest.approx(0.06, abs=FRAME_S)


def test_reference_follows_a_new_route() -> None:
    """When all packets take 50 ms longer, the delay is short by 50 ms after two seconds."""
    control = settled(0.065)
    for n in range(101, 210):
        control.arrived(0.02 * n, TRANSIT_S + 0.05)
        control.playing(0.02 * n, TRANSIT_S + 0.065)
    assert control.delay_s == pytest.approx(0.015)
    assert control.wanted() == -1
