from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from telephony.dialer.dial import DialState, Step, next_step

pytestmark = pytest.mark.pure

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("died_after", "state", "cancelled", "late", "step"),
    [
        ("the request was committed", DialState.PERMITTED, False, False, "dial"),
        ("the row was claimed", DialState.PERMITTED, False, False, "dial"),
        ("the room was opened", DialState.PERMITTED, False, False, "dial"),
        ("the agent came", DialState.PERMITTED, False, False, "dial"),
        ("the agent came, too long ago", DialState.PERMITTED, False, True, "expire"),
        ("somebody called it off", DialState.PERMITTED, True, False, "stop"),
        ("the permit was consumed", DialState.DIALLING, False, False, "look"),
        ("the request was sent", DialState.DIALLING, False, False, "look"),
        ("the phone rang, and somebody called it off", DialState.DIALLING, True, False, "look"),
        ("the phone rang, long ago", DialState.DIALLING, False, True, "look"),
        ("the end was written down", DialState.OVER, False, False, "nothing"),
        ("the end was written down, long ago", DialState.OVER, True, True, "nothing"),
    ],
)
def test_each_point_at_which_a_process_may_die_leaves_one_thing_to_do(
    died_after: str, state: DialState, cancelled: bool, late: bool, step: Step
) -> None:
    """Before the permit is consumed the call may be dialled; afterwards it is only looked for."""
    deadline = NOW - timedelta(seconds=1) if late else NOW + timedelta(seconds=1)
    assert next_step(state, deadline=deadline, cancelled=cancelled, now=NOW) == step, died_after


def test_nothing_but_an_unused_permit_is_ever_dialled() -> None:
    """Of all rows that there can be, only one that is permitted, in time and wanted is dialled."""
    for state, cancelled, seconds in product(DialState, (False, True), (-1, 0, 1)):
        step = next_step(state, deadline=NOW + timedelta(seconds=seconds), cancelled=cancelled, now=NOW)
        may = state is DialState.PERMITTED and not cancelled and seconds > 0
        assert (step == "dial") is may
