"""What is said of how well a call is heard."""

from __future__ import annotations

import pytest

from telephony.bridge.quality import assess
from telephony.calls.quality import mos_of, r_factor
from telephony.rtp.gaps import Gaps
from telephony.rtp.reception import RtpStats

pytestmark = pytest.mark.pure


def test_a_clean_call_is_as_good_as_g711_gets() -> None:
    """R above 90, MOS 4.4, no loss."""
    quality = assess(RtpStats(received=5000, jitter_ms=1.0, delay_ms=20), Gaps(), 5000)
    assert (quality.mos, quality.loss_percent, quality.one_way) == (4.39, 0.0, False)
    assert quality.r_factor is not None
    assert quality.r_factor > 90
    assert quality.attributes() == {
        "trunkline.quality.mos": "4.4",
        "trunkline.quality.r_factor": "92",
        "trunkline.quality.loss_percent": "0.0",
        "trunkline.quality.jitter_ms": "1",
        "trunkline.quality.gaps": "0",
        "trunkline.quality.longest_gap_ms": "0",
    }


def test_what_comes_too_late_is_lost_too() -> None:
    """And makes the estimate worse, less so since gaps are concealed."""
    quality = assess(RtpStats(received=950, lost=50, late=50, delay_ms=60), Gaps(), 1000)
    assert quality.loss_percent == 10.0
    assert quality.mos is not None
    assert 2.5 < quality.mos < 4
    assert quality.mos > mos_of(r_factor(10.0, 0.0, buffer_ms=60))


def test_of_a_call_without_audio_nothing_is_estimated() -> None:
    """It is one-way where we have sent for a second, and nothing is said of a call that just began."""
    quality = assess(RtpStats(), Gaps(), 500)
    assert (quality.mos, quality.r_factor, quality.one_way) == (None, None, True)
    assert quality.attributes()["trunkline.quality.one_way"] == "true"
    assert not assess(RtpStats(), Gaps(), 10).one_way
    assert assess(RtpStats(received=49), Gaps(), 49).mos is None


@pytest.mark.parametrize("delay_ms", [20, 60, 200, 400])
def test_more_loss_and_more_delay_are_never_better(delay_ms: float) -> None:
    """Over the whole range, within 0 and 93.2."""
    ratings = [r_factor(loss, 0.0, buffer_ms=delay_ms) for loss in range(101)]
    assert ratings == sorted(ratings, reverse=True)
    assert 0 <= ratings[-1] <= ratings[0] <= 93.2
    assert r_factor(1.0, 0.0, buffer_ms=delay_ms + 50) < r_factor(1.0, 0.0, buffer_ms=delay_ms)
