from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from telephony.calls.outcomes import Outcome
from telephony.dialer.batches.breaker import Breaker, Position
from telephony.dialer.batches.options import RETRYABLE, BatchOptions, NumberCap, RetryRule, Window
from telephony.dialer.batches.retries import NEVER_RANG, Again, Refusal, after_end, after_refusal
from telephony.dialer.batches.starting import (
    AnyHour,
    Candidate,
    Later,
    Over,
    Standing,
    Start,
    decide,
    places,
)

pytestmark = pytest.mark.pure

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
NUMBER = "+74951234567"


@dataclass(frozen=True)
class OpensAt:
    """Hours that begin once; None: never."""

    opens: datetime | None

    def next_allowed(self, number: str, at: datetime) -> datetime | None:
        return None if self.opens is None else max(self.opens, at)


def test_a_number_may_start_when_nothing_speaks_against_it() -> None:
    """Not forbidden, not on the phone, under its cap, in its hours."""
    assert decide(Candidate(NUMBER), BatchOptions(), AnyHour(), NOW) == Start()


def test_each_hindrance_says_what_it_is() -> None:
    """What can never be is over, with its last outcome where it has one; what may be later is put off."""
    options = BatchOptions(cap=NumberCap(times=2))
    forbidden = decide(Candidate(NUMBER, forbidden=True), options, AnyHour(), NOW)
    assert forbidden == Over(Outcome.BLOCKED, "The number is on the do-not-call list.")
    worn = decide(Candidate(NUMBER, rung=2, outcome=Outcome.BUSY), options, AnyHour(), NOW)
    assert isinstance(worn, Over)
    assert worn.outcome is Outcome.BUSY
    night = decide(Candidate(NUMBER), options, OpensAt(NOW + timedelta(hours=8)), NOW)
    assert isinstance(night, Later)
    assert night.until == NOW + timedelta(hours=8)
    assert isinstance(decide(Candidate(NUMBER), options, OpensAt(None), NOW), Over)
    talking = decide(Candidate(NUMBER, on_the_phone=True), options, AnyHour(), NOW)
    assert isinstance(talking, Later)
    soon = BatchOptions(deadline=NOW + timedelta(hours=1))
    assert isinstance(decide(Candidate(NUMBER), soon, OpensAt(NOW + timedelta(hours=2)), NOW), Over)
    late = decide(Candidate(NUMBER), BatchOptions(deadline=NOW), AnyHour(), NOW)
    assert isinstance(late, Over)
    assert late.outcome is Outcome.CANCELLED


@pytest.mark.parametrize(
    ("running", "by_breaker", "position", "probe", "active", "free"),
    [
        (True, False, Position.CLOSED, None, 1, 2),
        (True, False, Position.CLOSED, None, 5, 0),
        (False, False, Position.CLOSED, None, 0, 0),
        (False, True, Position.OPEN, None, 0, 0),
        (False, True, Position.HALF_OPEN, None, 2, 1),
        (False, True, Position.HALF_OPEN, 4, 0, 0),
        (False, False, Position.HALF_OPEN, None, 0, 0),
    ],
)
def test_a_paused_batch_begins_nothing_but_the_breakers_trial(
    running: bool, by_breaker: bool, position: Position, probe: int | None, active: int, free: int
) -> None:
    """Running: what concurrency leaves; paused by the breaker: one trial when its pause is over."""
    until = NOW + timedelta(seconds=1) if position is Position.OPEN else None
    breaker = Breaker(position=position, until=until, probe=probe)
    standing = Standing(running=running, by_breaker=by_breaker, breaker=breaker, active=active)
    assert places(standing, BatchOptions(concurrency=3), NOW) == free


def test_nothing_is_retried_unless_the_batch_says_so() -> None:
    """Without rules every outcome is the last."""
    for outcome in Outcome:
        assert isinstance(after_end(outcome, "why", {}, BatchOptions(), NOW), Over)


def test_a_rule_is_used_up() -> None:
    """Busy is tried twice more after ten minutes each; another outcome has its own count."""
    rules = {Outcome.BUSY: RetryRule(after_s=600, times=2), Outcome.NO_ANSWER: RetryRule(times=1)}
    options = BatchOptions(retry=rules)
    used: dict[str, int] = {}
    for _ in range(2):
        again = after_end(Outcome.BUSY, "busy", used, options, NOW)
        assert isinstance(again, Again)
        assert again.due_at == NOW + timedelta(seconds=600)
        used = dict(again.retries)
    assert after_end(Outcome.BUSY, "busy", used, options, NOW) == Over(Outcome.BUSY, "busy")
    assert isinstance(after_end(Outcome.NO_ANSWER, "none", used, options, NOW), Again)


@pytest.mark.parametrize("outcome", [each for each in Outcome if each not in RETRYABLE])
def test_who_answered_refused_or_may_have_been_rung_is_never_called_again(outcome: Outcome) -> None:
    """A rule for such an outcome is refused when the batch is made."""
    with pytest.raises(ValidationError, match="never called again"):
        BatchOptions.model_validate({"retry": {outcome: {}}})


@given(st.lists(st.sampled_from(list(Outcome)), max_size=30), st.integers(1, 10), st.integers(1, 10))
def test_a_row_ends(outcomes: list[Outcome], busy: int, silent: int) -> None:
    """Whatever comes, there are no more attempts than the rules together allow, and one."""
    rules = {Outcome.BUSY: RetryRule(times=busy), Outcome.NO_ANSWER: RetryRule(times=silent)}
    options, used, attempts = BatchOptions(retry=rules), dict[str, int](), 0
    for outcome in outcomes:
        attempts += 1
        step = after_end(outcome, "", used, options, NOW)
        if isinstance(step, Over):
            break
        used = dict(step.retries)
    assert attempts <= busy + silent + 1


def test_a_refusal_that_time_changes_counts_for_nothing() -> None:
    """The guard's `not now` puts the row off and uses up no retry; its `no` ends the row."""
    options, until = BatchOptions(), NOW + timedelta(hours=9)
    later = after_refusal(Refusal("Too late at night.", until), None, {"busy": 1}, options, NOW)
    assert later == Again(until, "Too late at night.", {"busy": 1})
    at_once = after_refusal(Refusal("The trunk is full.", NOW), None, {}, options, NOW)
    assert isinstance(at_once, Again)
    assert at_once.due_at > NOW
    no = after_refusal(Refusal("A premium number."), None, {}, options, NOW)
    assert no == Over(Outcome.BLOCKED, "A premium number.")
    bounded = BatchOptions(deadline=NOW + timedelta(hours=1))
    assert after_refusal(Refusal("Later.", until), Outcome.BUSY, {}, bounded, NOW) == Over(
        Outcome.BUSY, "Later."
    )


@pytest.mark.parametrize(("code", "most"), sorted(NEVER_RANG.items()))
def test_a_call_that_never_left_is_put_back_some_times(code: str, most: int) -> None:
    """Nobody was rung: the row waits a while longer each time, without any rule for it, and then ends."""
    used: dict[str, int] = {}
    waits = []
    while isinstance(step := after_end(Outcome.FAILED, "", used, BatchOptions(), NOW, code=code), Again):
        used = dict(step.retries)
        waits.append(step.due_at - NOW)
    assert len(waits) == most
    assert waits == sorted(waits)
    bounded = BatchOptions(deadline=NOW + timedelta(seconds=5))
    assert isinstance(after_end(Outcome.FAILED, "", {}, bounded, NOW, code=code), Over)
    assert isinstance(after_end(Outcome.FAILED, "", {}, BatchOptions(), NOW, code="carrier"), Over)


def test_a_window_is_of_one_day() -> None:
    """It begins before it ends, in a zone that exists."""
    with pytest.raises(ValidationError, match="before it ends"):
        Window(start="20:00", end="09:00")
    with pytest.raises(ValidationError, match="no time zone"):
        Window(timezone="Europe/Atlantis")
