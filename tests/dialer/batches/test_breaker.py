from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.calls.outcomes import Outcome
from telephony.dialer.batches.breaker import Breaker, Position, line_failed
from telephony.dialer.batches.options import BreakerLimits

pytestmark = pytest.mark.pure

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
LIMITS = BreakerLimits(in_a_row=3, failures=4, of_last=6, pause_s=60, give_up_after=3)


def after(results: str, breaker: Breaker | None = None) -> Breaker:
    """The breaker after calls: x failed, o worked, . said nothing."""
    verdict = {"x": True, "o": False, ".": None}
    breaker = breaker or Breaker()
    for row, result in enumerate(results, start=1):
        breaker = breaker.after(verdict[result], row, LIMITS, NOW)
    return breaker


@pytest.mark.parametrize(
    ("results", "opens"),
    [
        ("", False),
        ("xx", False),
        ("xxx", True),
        ("xxoxx", True),
        ("xoxox", False),
        ("xoxoxox", False),
        ("xx.x", True),
        ("xoxooxox", False),
        ("ooooooxxox", False),
        ("ooooooxxoxx", True),
    ],
)
def test_failures_in_a_row_or_among_the_last_open_it(results: str, opens: bool) -> None:
    """It opens at three in a row or four of the last six; what says nothing of the line is not counted."""
    assert (after(results).position is Position.OPEN) is opens


def test_after_its_pause_one_call_decides() -> None:
    """Half-open admits one trial, whose end alone closes it or doubles the pause."""
    opened = after("xxx")
    assert opened.until == NOW + timedelta(seconds=60)
    assert opened.at(NOW + timedelta(seconds=59)) is opened
    half = opened.at(NOW + timedelta(seconds=60)).probing(9)
    assert half.position is Position.HALF_OPEN
    assert half.after(False, 2, LIMITS, NOW) == half, "a call from before the pause proves nothing"
    assert half.after(False, 9, LIMITS, NOW) == Breaker()
    again = half.after(True, 9, LIMITS, NOW)
    assert again.position is Position.OPEN
    assert again.until == NOW + timedelta(seconds=120)
    assert half.after(None, 9, LIMITS, NOW).probe is None, "a trial that was not allowed is made again"


def test_after_some_pauses_a_person_has_to_close_it() -> None:
    """The third pause in a row has no end of its own, and says so."""
    breaker = after("xxx")
    for _ in range(2):
        assert breaker.until is not None
        breaker = breaker.at(breaker.until).probing(1).after(True, 1, LIMITS, breaker.until)
    assert breaker.until is None
    assert breaker.at(NOW + timedelta(days=30)) is breaker
    assert "somebody resumes it" in breaker.sentence()


@given(st.lists(st.sampled_from("xo."), max_size=60), st.integers(0, 10_000))
def test_it_never_opens_without_failures_and_survives_the_store(results: list[str], wait_s: int) -> None:
    """Whatever happened, what the store gives back is the same breaker; open means enough calls failed."""
    breaker = after("".join(results)).at(NOW + timedelta(seconds=wait_s))
    assert Breaker.from_json(json.loads(json.dumps(breaker.to_json()))) == breaker
    if breaker.position is not Position.CLOSED:
        assert results.count("x") >= LIMITS.in_a_row
        assert breaker.sentence()


@pytest.mark.parametrize(
    ("outcome", "code", "verdict"),
    [
        ("failed", "carrier", True),
        ("unknown", "dial_unknown", True),
        ("answered", "agent_lost", True),
        ("answered", "agent_finished", False),
        ("busy", None, False),
        ("no_answer", "no_answer", False),
        ("invalid_number", None, False),
        ("rejected", None, False),
        ("blocked", "blocked", None),
        ("cancelled", "cancelled", None),
        ("failed", "no_line", None),
        ("failed", "too_late", None),
    ],
)
def test_only_the_lines_own_failures_count(outcome: str, code: str | None, verdict: bool | None) -> None:
    """A busy number proves that the line works; a call the guard refused proves nothing."""
    assert line_failed(Outcome(outcome), code) is verdict
