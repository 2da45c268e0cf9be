"""A bad line on purpose."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.audio.frame import silence
from telephony.audio.level import dbfs
from telephony.caller.impairment import Impairment
from telephony.caller.script import ImpairmentSettings

pytestmark = pytest.mark.pure


def sent(settings: ImpairmentSettings, count: int = 20_000, seed: int = 3) -> list[list[float]]:
    impairment = Impairment(settings, seed=seed)
    return [impairment.deliveries(0.02 * index) for index in range(count)]


def test_a_good_line_changes_nothing() -> None:
    """Without settings each packet leaves once, at once."""
    assert sent(ImpairmentSettings(), 100) == [[0.02 * index] for index in range(100)]


@pytest.mark.parametrize(("loss", "burst"), [(0.05, 1.0), (0.05, 4.0), (0.3, 2.0), (1.0, 1.0)])
def test_the_share_and_the_runs_of_loss_are_as_asked(loss: float, burst: float) -> None:
    """Losses come in the share and in the runs that the settings say."""
    lost = [not deliveries for deliveries in sent(ImpairmentSettings(loss=loss, burst=burst))]
    assert sum(lost) / len(lost) == pytest.approx(loss, rel=0.15 if burst == 1.0 else 0.3)
    runs = [len(list(run)) for is_lost, run in groupby(lost) if is_lost]
    if loss < 1.0:
        independent = 1 / (1 - loss) if burst == 1.0 else burst
        assert sum(runs) / len(runs) == pytest.approx(independent, rel=0.15)


@given(st.floats(0, 200), st.integers(0, 1000))
def test_jitter_delays_within_its_peak_and_keeps_the_order(jitter_ms: float, seed: int) -> None:
    """No packet overtakes another, and none waits longer than the peak."""
    times = [times[0] for times in sent(ImpairmentSettings(jitter_ms=jitter_ms), 200, seed)]
    assert times == sorted(times)
    assert all(-1e-9 <= at - 0.02 * index <= jitter_ms / 1000 + 1e-3 for index, at in enumerate(times))


def test_a_swapped_packet_arrives_after_the_next() -> None:
    """Reordering is by one place."""
    times = [times[0] for times in sent(ImpairmentSettings(reorder=0.1), 5000)]
    order = sorted(range(len(times)), key=lambda index: times[index])
    moved = [index for index, number in enumerate(order) if number < index]
    assert len(moved) / len(times) == pytest.approx(0.1, rel=0.2)
    assert all(abs(number - index) <= 2 for index, number in enumerate(order))


def test_a_doubled_packet_leaves_twice() -> None:
    """Duplicates come in the share that the settings say."""
    doubled = sum(len(times) == 2 for times in sent(ImpairmentSettings(duplicate=0.2)))
    assert doubled / 20_000 == pytest.approx(0.2, rel=0.1)


def test_the_same_seed_treats_the_same_packets_alike() -> None:
    """A run can be repeated packet by packet, and another seed gives another run."""
    settings = ImpairmentSettings(loss=0.1, jitter_ms=40, reorder=0.05, duplicate=0.05)
    assert sent(settings, 500) == sent(settings, 500)
    assert sent(settings, 500) != sent(settings, 500, seed=4)


def test_noise_has_its_level_and_does_not_overflow() -> None:
    """Noise is mixed at the level asked for, and clips where there is no room for it."""
    impairment = Impairment(ImpairmentSettings(noise_dbfs=-40), seed=1)
    noise = np.concatenate([impairment.add_noise(silence()) for _ in range(100)])
    assert dbfs(noise) == pytest.approx(-40, abs=0.5)
    loudest = np.full(160, 32767, np.int16)
    assert impairment.add_noise(loudest).min() > 30_000
    assert np.array_equal(Impairment(ImpairmentSettings(), seed=1).add_noise(loudest), loudest)
