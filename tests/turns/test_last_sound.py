"""The end of a sound by its loudness."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.turns.last_sound import MOST_S, LastSound

pytestmark = pytest.mark.pure

WINDOW_S = 0.032


def after(levels: list[float], quiet: int = 20) -> LastSound:
    """What was heard after a line of -62 dBFS was known."""
    line = LastSound()
    for _ in range(quiet):
        line.hear(-62.0, WINDOW_S, speaking=False)
    for level in levels:
        line.hear(level, WINDOW_S, speaking=True)
    return line


def test_a_detectors_tail_is_silence() -> None:
    """Three windows of the line's noise that it took for a voice count."""
    line = after([-20.0] * 10 + [-61.0] * 8)
    assert line.silence_s(5 * WINDOW_S) == pytest.approx(8 * WINDOW_S)


def test_a_soft_ending_is_no_silence() -> None:
    """As long as it is above the noise and not drowned by what was said."""
    assert after([-20.0] * 10 + [-45.0] * 3).silence_s(0.0) == 0.0
    assert after([-12.0] * 10 + [-50.0] * 3).silence_s(0.0) == pytest.approx(3 * WINDOW_S)


def test_a_line_whose_noise_nobody_knows_is_believed_to_the_detector() -> None:
    """Someone who speaks at once."""
    assert after([-20.0] * 5 + [-61.0] * 3, quiet=0).silence_s(0.1) == 0.1


@given(st.lists(st.floats(-96, 0), max_size=60), st.floats(0, 5))
def test_it_is_never_less_than_the_detector_says_nor_much_more(
    levels: list[float], detected_s: float
) -> None:
    """Whatever was heard."""
    found = after(levels).silence_s(detected_s)
    assert detected_s <= found <= detected_s + MOST_S
