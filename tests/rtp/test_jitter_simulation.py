"""Five simulated minutes on each kind of network: the delay does not grow, what is lost is bounded."""

from __future__ import annotations

import functools
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from telephony.rtp.jitter import JitterBuffer, JitterStats
from tests.rtp.simulation import NUMBERED, Network, Outcome, simulate

if TYPE_CHECKING:
    import random

pytestmark = pytest.mark.pure

MINUTES_5 = 300.0
HOUR = 3600.0
BASE_S = 0.03


def uniform(spread_s: float) -> Network:
    return Network(delay=lambda rng, at: BASE_S + rng.uniform(0, spread_s))


def stalling(rng: random.Random, at: float) -> float:
    """Every 20 s nothing passes for 0.4 s; then all of it comes at once."""
    return BASE_S + max(0.0, 0.4 - at % 20.0)


NETWORKS: dict[str, Network] = {
    "quiet": Network(),
    "jitter of 20 ms": uniform(0.02),
    "jitter of 50 ms": uniform(0.05),
    "loss, repetition, disorder": Network(
        delay=lambda rng, at: BASE_S + rng.expovariate(1 / 0.012), loss=0.03, duplication=0.01
    ),
    "sender fast by 200 ppm": Network(delay=lambda rng, at: BASE_S + rng.uniform(0, 0.01), drift_ppm=200),
    "sender slow by 200 ppm": Network(delay=lambda rng, at: BASE_S + rng.uniform(0, 0.01), drift_ppm=-200),
    "fast sender that never pauses": Network(drift_ppm=200, speech=lambda at: True),
    "slow sender that never pauses": Network(drift_ppm=-200, speech=lambda at: True),
    "silence suppression": Network(
        sends=lambda at: at % 5.0 < 3.5, delay=lambda rng, at: BASE_S + rng.uniform(0, 0.02)
    ),
    "stalls": Network(delay=stalling),
    "everything at once": Network(
        delay=lambda rng, at: BASE_S + abs(rng.gauss(0, 0.015)),
        loss=0.02,
        duplication=0.005,
        drift_ppm=150,
        tick_lateness=lambda rng, at: rng.expovariate(1 / 0.004),
    ),
}


def run(network: Network, *, adaptive: bool = False, seed: int = 7) -> tuple[JitterStats, Outcome]:
    buffer = JitterBuffer(NUMBERED, depth_ms=60, adaptive=adaptive)
    outcome = simulate(buffer, network, MINUTES_5, seed=seed)
    return buffer.stats, outcome


@functools.cache
def on(kind: str, adaptive: bool = False) -> tuple[JitterStats, Outcome]:
    """One call on a network of ``NETWORKS``, simulated once for all tests."""
    return run(NETWORKS[kind], adaptive=adaptive)


def median(values: list[float]) -> float:
    return values[len(values) // 2]


@pytest.mark.parametrize("adaptive", [False, True], ids=["fixed", "adaptive"])
@pytest.mark.parametrize("kind", NETWORKS)
def test_delay_stays_and_order_is_kept(kind: str, adaptive: bool) -> None:
    """Each half minute of five minutes is within the same delay, and nothing is played out of order."""
    _, outcome = on(kind, adaptive)
    medians = [median(outcome.delays_between(at, at + 30)) for at in range(0, 300, 30)]
    # Transit and its spread, depth, one frame for the phase of the tick, hysteresis.
    assert max(medians) <= BASE_S + 0.060 + 0.020 + 0.010
    assert outcome.delays_between(2, 300)[-1] <= BASE_S + 0.060 + 0.020 + 0.030
    assert all(earlier < later for earlier, later in pairwise(outcome.heard))
    assert outcome.most_buffered <= 0.6 * 8000


@pytest.mark.parametrize("adaptive", [False, True], ids=["fixed", "adaptive"])
def test_quiet_network_loses_nothing(adaptive: bool) -> None:
    """Without jitter or loss, every spoken frame is played once it has started."""
    stats, outcome = on("quiet", adaptive)
    spoken = [n for n in range(int(MINUTES_5 / 0.02) - 10) if NETWORKS["quiet"].speech(n * 0.02)]
    assert outcome.heard[: len(spoken)] == spoken
    assert stats.late == 0
    assert stats.held == 0
    assert outcome.empty <= 4


def test_adaptive_waits_less_where_it_can_and_more_where_it_must() -> None:
    """The adaptive depth settles near 20 ms on a quiet network and near 60 ms on a restless one."""
    quiet = on("quiet", True)[1].delays_between(10, 300)
    restless = on("jitter of 50 ms", True)[1].delays_between(30, 300)
    assert median(quiet) <= BASE_S + 0.045
    assert BASE_S + 0.055 <= median(restless) <= BASE_S + 0.085


@pytest.mark.parametrize("adaptive", [False, True], ids=["fixed", "adaptive"])
def test_jitter_within_the_depth_costs_hardly_anything(adaptive: bool) -> None:
    """Up to 50 ms of jitter, at most one frame in 500 is missing."""
    _, outcome = on("jitter of 50 ms", adaptive)
    assert outcome.empty <= outcome.sent / 500


@pytest.mark.parametrize("adaptive", [False, True], ids=["fixed", "adaptive"])
def test_loss_costs_only_what_was_lost(adaptive: bool) -> None:
    """With 3 % loss and exponential jitter of 12 ms, gaps stay short and are hardly more than the loss."""
    _, outcome = on("loss, repetition, disorder", adaptive)
    assert outcome.empty <= 0.05 * outcome.sent
    assert outcome.longest_gap <= 5


@pytest.mark.parametrize("kind", ["fast sender that never pauses", "slow sender that never pauses"])
def test_drift_costs_one_frame_in_a_hundred_seconds(kind: str) -> None:
    """200 ppm are 60 ms in five minutes: three frames are dropped or held, give or take one, no more."""
    stats, outcome = on(kind)
    assert 1 <= stats.dropped + stats.held <= 4
    assert outcome.longest_gap <= 4


@pytest.mark.parametrize("adaptive", [False, True], ids=["fixed", "adaptive"])
@pytest.mark.parametrize(("before_s", "after_s"), [(0.03, 0.13), (0.13, 0.03)], ids=["slower", "faster"])
def test_new_route(before_s: float, after_s: float, adaptive: bool) -> None:
    """Ten seconds after a route became 100 ms slower or faster, the delay is the new transit plus depth."""
    network = Network(delay=lambda rng, at: (before_s if at < 100 else after_s) + rng.uniform(0, 0.01))
    _, outcome = run(network, adaptive=adaptive)
    delays = outcome.delays_between(110, 300)
    assert delays[-1] <= after_s + 0.060 + 0.020 + 0.015
    assert outcome.longest_gap <= 12


@pytest.mark.parametrize("adaptive", [False, True], ids=["fixed", "adaptive"])
@pytest.mark.parametrize("kind", NETWORKS)
def test_concealment_is_bounded(kind: str, adaptive: bool) -> None:
    """What is made up is no more than 6 % of the call on any network, and never goes on into a pause."""
    _, outcome = on(kind, adaptive)
    assert outcome.concealed <= min(outcome.empty, 0.06 * outcome.sent)
    pauses = outcome.empty - outcome.concealed
    assert outcome.longest_gap <= 3 or pauses > 0


def test_stalls_cost_their_own_length() -> None:
    """Of each stall of 0.4 s, only what comes too late is lost, and the delay afterwards is as before."""
    _, outcome = on("stalls")
    assert outcome.longest_gap <= 0.4 / 0.02 + 1
    assert outcome.empty <= 15 * 0.4 / 0.02


@pytest.mark.parametrize("ppm", [200.0, -200.0])
def test_drift_on_a_bad_line_leaves_the_delay_where_it_was(ppm: float) -> None:
    """With 5 % loss, 40 ms of jitter and disorder, the 15th minute is heard as late as the second one."""
    network = Network(
        delay=lambda rng, at: BASE_S + rng.uniform(0, 0.04) + (0.03 if rng.random() < 0.02 else 0.0),
        loss=0.05,
        drift_ppm=ppm,
    )
    buffer = JitterBuffer(NUMBERED, depth_ms=60, adaptive=True)
    outcome = simulate(buffer, network, HOUR / 4, seed=11)
    early, late = (
        median(outcome.delays_between(60, 120)),
        median(outcome.delays_between(HOUR / 4 - 60, HOUR / 4)),
    )
    assert abs(late - early) <= 0.02
    assert late <= BASE_S + 0.085
    assert outcome.longest_gap <= 6
    assert outcome.concealed <= 0.09 * outcome.sent
    assert outcome.most_buffered <= 0.2 * 8000
    assert buffer.stats.restarts == 0


def test_same_seed_same_call() -> None:
    """A simulation is exactly repeatable."""
    first, second = (run(NETWORKS["everything at once"], adaptive=True, seed=3)[1] for _ in range(2))
    assert first == second
