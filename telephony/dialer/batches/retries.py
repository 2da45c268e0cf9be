"""What follows an attempt: another one, later, or the end of its row. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from provisioning.sections.duration import parse_duration
from telephony.calls.outcomes import Outcome
from telephony.dialer.batches.options import DAY_S, RETRYABLE, RetryRule
from telephony.dialer.batches.starting import Over

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telephony.dialer.batches.options import BatchOptions

NEVER_RANG = {"no_line": 20, "too_late": 20, "not_dialled": 5, "no_agent": 5}
"""Codes of ends at which nobody was rung, and how often a row is taken up again after each.

That is no second call: the first one never left.
"""

_PUT_BACK_S = 10.0
_PUT_BACK_LONGEST_S = 160.0

SOONEST_S = 1.0
"""A refused call is not asked for again sooner than this."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the guard did not allow a call; ``retry_at``: when it may, None where time changes nothing."""

    reason: str
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Again:
    """The number is called again, not before ``due_at``; ``retries``: how many times after each outcome."""

    due_at: datetime
    reason: str
    retries: Mapping[str, int] = field(default_factory=dict)


def after_end(
    outcome: Outcome,
    reason: str,
    retries: Mapping[str, int],
    options: BatchOptions,
    now: datetime,
    *,
    code: str | None = None,
) -> Again | Over:
    """What follows the end of a call.

    Args:
        retries: how many times the row was tried again after each outcome, or put back after each code.
        code: the key of the call's cause.
    """
    put_back = retries.get(code, 0) if code else 0
    if code is not None and put_back < NEVER_RANG.get(code, 0):
        due_at = now + timedelta(seconds=min(_PUT_BACK_LONGEST_S, _PUT_BACK_S * 2**put_back))
        if options.deadline is None or due_at < options.deadline:
            return Again(due_at, reason, {**retries, code: put_back + 1})
    rule = options.retry.get(outcome) if outcome in RETRYABLE else None
    used = retries.get(outcome, 0)
    if rule is None or used >= rule.times:
        return Over(outcome, reason)
    due_at = now + timedelta(seconds=rule.after_s)
    if options.deadline is not None and due_at >= options.deadline:
        return Over(outcome, reason)
    return Again(due_at, reason, {**retries, outcome: used + 1})


def after_refusal(
    refusal: Refusal,
    before: Outcome | None,
    retries: Mapping[str, int],
    options: BatchOptions,
    now: datetime,
) -> Again | Over:
    """What follows a call that was not allowed: nothing rang, so it counts for nothing.

    Args:
        before: the outcome of the row's last attempt that was allowed.
    """
    due_at = refusal.retry_at
    if due_at is None or (options.deadline is not None and due_at >= options.deadline):
        return Over(before or Outcome.BLOCKED, refusal.reason)
    return Again(max(due_at, now + timedelta(seconds=SOONEST_S)), refusal.reason, retries)


def parse_retry(text: str) -> tuple[Outcome, RetryRule]:
    """Read ``busy:10m:2``: after busy, wait ten minutes, two further attempts at most.

    Raises:
        ValueError: it is none, or a number is never called again after that outcome.
    """
    parts = text.strip().split(":")
    if len(parts) != 3 or not parts[2].isdecimal():
        raise ValueError(f"{text!r} is no rule such as busy:10m:2")
    try:
        outcome = Outcome(parts[0])
    except ValueError:
        raise ValueError(f"{parts[0]!r} is no outcome, such as {', '.join(RETRYABLE)}") from None
    if outcome not in RETRYABLE:
        raise ValueError(f"a number is never called again after {outcome}, only after {', '.join(RETRYABLE)}")
    after_s, times = parse_duration(parts[1]), int(parts[2])
    if not 60 <= after_s <= 7 * DAY_S or not 1 <= times <= 10:
        raise ValueError(f"{text!r} must wait from 1m to 7d, and be done from 1 to 10 times")
    return outcome, RetryRule(after_s=after_s, times=times)
