"""What a detector is shown of a noisy line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.turns.energy_gate import HOLD_S, MEMORY_S, EnergyGate

pytestmark = pytest.mark.pure

FRAME_S = 0.02


def heard(gate: EnergyGate, level_dbfs: float, seconds: float) -> list[bool]:
    return [gate.hear(level_dbfs, FRAME_S) for _ in range(round(seconds / FRAME_S))]


def test_noise_is_shut_out_and_a_voice_let_in_at_once() -> None:
    """From its first frame on, and a while longer than it lasts."""
    gate = EnergyGate(6.0)
    assert not heard(gate, -32.0, 2.0)[-1]
    assert all(heard(gate, -22.0, 0.6))
    after = heard(gate, -32.0, 1.0)
    assert sum(after) * FRAME_S == pytest.approx(HOLD_S, abs=0.05)
    assert not after[-1]


def test_a_quiet_line_is_left_alone() -> None:
    """However soft a voice on it."""
    gate = EnergyGate(6.0)
    assert all(heard(gate, -62.0, 2.0))
    assert all(heard(gate, -60.0, 0.5))


def test_a_line_that_grows_louder_is_followed() -> None:
    """A louder street opens the gate until it is what the line sounds like."""
    gate = EnergyGate(6.0)
    heard(gate, -45.0, 3.0)
    louder = heard(gate, -30.0, MEMORY_S + 1.0)
    assert louder[0]
    assert not louder[-1]
    assert gate.noise_dbfs == -30.0


@given(st.lists(st.floats(-96.0, 0.0), max_size=300))
def test_what_stands_out_is_never_kept_out(levels: list[float]) -> None:
    """Nothing louder than noise and threshold, and nothing in the first moments."""
    gate = EnergyGate(6.0)
    for number, level in enumerate(levels):
        let = gate.hear(level, FRAME_S)
        noise = gate.noise_dbfs
        if noise is None or level >= noise + 6.0:
            assert let
        assert let or number > 10
