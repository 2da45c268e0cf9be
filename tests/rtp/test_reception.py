"""Loss and jitter as RFC 3550 counts them."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.rtp.reception import Reception

pytestmark = pytest.mark.pure


def counted(sequences: list[int], ssrc: int = 1) -> Reception:
    reception = Reception()
    for sequence in sequences:
        reception.count(ssrc, sequence & 0xFFFF)
    return reception


def test_nothing_received_is_nothing_lost() -> None:
    """Before the first packet all figures are zero."""
    reception = Reception()
    assert (reception.received, reception.expected, reception.lost, reception.jitter_ms) == (0, 0, 0, 0.0)


def test_losses_are_gaps_in_the_sequence() -> None:
    """Two missing numbers are two lost packets."""
    reception = counted([10, 11, 13, 15, 16])
    assert (reception.expected, reception.received, reception.lost) == (7, 5, 2)


def test_wraparound_is_no_loss() -> None:
    """Counting goes on over the end of the 16 bits, as often as it comes."""
    reception = counted(list(range(65000, 65000 + 3 * 65536)))
    assert reception.lost == 0
    assert reception.expected == 3 * 65536


def test_reordering_around_the_wraparound() -> None:
    """Packets that change places at the wraparound are no loss."""
    assert counted([65534, 0, 65535, 1, 3, 2]).lost == 0


def test_packet_sent_before_the_first_counted_one() -> None:
    """A stream whose first two packets change places has lost nothing."""
    reception = counted([6, 5, 7])
    assert (reception.expected, reception.lost) == (3, 0)


def test_repetitions_never_make_the_loss_negative() -> None:
    """Packets that come twice do not count as minus one lost."""
    assert counted([1, 1, 1, 2]).lost == 0


@pytest.mark.parametrize("restart", [20000, 59000])
def test_sender_that_starts_anew_keeps_its_earlier_losses(restart: int) -> None:
    """A jump of the sequence numbers is a restart, not thousands of lost packets."""
    reception = counted([30000, 30001, 30003, restart, restart + 1, restart + 3])
    assert reception.lost == 2


def test_new_ssrc_is_a_new_count() -> None:
    """Losses before and after a change of SSRC add up."""
    reception = counted([1, 3])
    reception.count(2, 500)
    reception.count(2, 502)
    assert (reception.received, reception.lost) == (4, 2)


def test_steady_arrivals_have_no_jitter() -> None:
    """Packets that come as they were sent, even through a wrap of the timestamp, jitter 0."""
    reception = Reception()
    for n in range(200):
        reception.count(1, n)
        reception.time((0xFFFFC000 + 160 * n) & 0xFFFFFFFF, 5.0 + 0.02 * n)
    assert reception.jitter_ms == pytest.approx(0.0, abs=1e-6)


def test_jitter_follows_the_formula() -> None:
    """Alternating arrivals 8 ms apart from their places converge to a mean deviation of 8 ms."""
    reception = Reception()
    for n in range(400):
        reception.count(1, n)
        reception.time(160 * n, 0.02 * n + (0.008 if n % 2 else 0.0))
    assert reception.jitter_ms == pytest.approx(8.0, abs=0.01)


def test_restart_does_not_count_as_jitter() -> None:
    """Another random timestamp after a restart leaves the jitter as it was."""
    reception = Reception()
    for n in range(100):
        reception.count(1, n)
        reception.time(160 * n, 0.02 * n)
    reception.count(2, 9000)
    reception.time(4_000_000_000, 2.0)
    assert reception.jitter_ms == pytest.approx(0.0, abs=1e-6)


@given(st.integers(0, 0xFFFF), st.integers(1, 400), st.floats(0, 0.6), st.integers(0, 2**32 - 1))
def test_loss_is_exact_under_disorder(first: int, count: int, loss: float, seed: int) -> None:
    """Under any loss and disorder, received plus lost is the span of what arrived."""
    rng = random.Random(seed)
    arrived = [n for n in range(count) if rng.random() >= loss] or [0]
    order = sorted(arrived, key=lambda n: n + rng.uniform(0, 20))
    reception = counted([first + n for n in order])
    assert reception.received == len(arrived)
    assert reception.lost == max(arrived) - min(arrived) + 1 - len(arrived)
