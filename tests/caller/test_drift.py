"""A caller's clock that is not ours."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.caller.drift import DriftingClock
from telephony.clock import ManualClock
from telephony.rtp.clock import MediaClock

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(("ppm", "frames"), [(0, 15_000), (200, 15_003), (-200, 14_997)])
def test_200_ppm_are_three_frames_in_five_minutes(ppm: float, frames: int) -> None:
    """A media clock on it sends that many more or fewer packets, evenly."""
    true = ManualClock(1000.0)
    ticks: list[float] = []
    media = MediaClock(DriftingClock(true, ppm))
    media.start()
    media.add(lambda: ticks.append(true.now()))
    true.advance(300.001)
    assert len(ticks) == pytest.approx(frames, abs=1)
    assert ticks[-1] - ticks[-2] == pytest.approx(0.02 / (1 + ppm / 1e6), rel=1e-4)
    media.stop()


@given(st.floats(-1000, 1000), st.floats(0, 1e5))
def test_it_counts_from_nothing_at_its_own_rate(ppm: float, seconds: float) -> None:
    """Whatever the true clock shows at the start."""
    true = ManualClock(12345.0)
    clock = DriftingClock(true, ppm)
    true.advance(seconds)
    assert clock.now() == pytest.approx(seconds * (1 + ppm / 1e6), abs=1e-6)
