from __future__ import annotations

import pytest

from telephony.calls.quality import mos, with_estimates

pytestmark = pytest.mark.pure


def test_a_clean_stream_sounds_like_good_telephony() -> None:
    """No loss and no jitter come to a score above 4.3."""
    assert 4.3 < mos(0, 0) < 4.5


def test_more_loss_and_more_jitter_never_sound_better() -> None:
    """The score only falls as loss or jitter grow, and never below 1."""
    for jitter in (0, 20, 80, 300):
        scores = [mos(loss, jitter) for loss in range(0, 101, 5)]
        assert scores == sorted(scores, reverse=True)
        assert min(scores) >= 1
    assert mos(1, 100) < mos(1, 5)


def test_late_packets_count_as_lost() -> None:
    """A packet that came too late to be played is as bad as none."""
    assert (
        with_estimates({"packets_received": 95, "packets_lost": 5, "packets_late": 5})["loss_percent"] == 10
    )


def test_nothing_is_estimated_of_a_call_without_packets() -> None:
    """Zero packets give no score rather than a perfect one."""
    assert with_estimates({"packets_received": 0}) == {"packets_received": 0}
