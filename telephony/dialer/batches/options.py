"""What a batch is allowed to do: pace, retries, caps, hours. Pure.

Nothing is retried unless the batch says so, and no batch can say that somebody who has answered, or whose
call's fate is unknown, is called again.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - read by pydantic
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from telephony.calls.outcomes import Outcome
from telephony.dialer.request import AnswerPolicy

RETRYABLE = (Outcome.BUSY, Outcome.NO_ANSWER, Outcome.UNREACHABLE, Outcome.FAILED)
"""After these a number may be tried again: nobody was reached, and nobody said no."""

DAY_S = 86_400.0

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
CallerId = Annotated[str, Field(max_length=32)]
Clock = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$|^24:00$", examples=["09:00"])]


def _zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError("is no time zone such as Europe/Moscow")
    return value


def _retryable(outcome: Outcome) -> Outcome:
    if outcome not in RETRYABLE:
        allowed = ", ".join(RETRYABLE)
        raise ValueError(f"a number is never called again after {outcome}, only after {allowed}")
    return outcome


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class RetryRule(_Part):
    """How a number is tried again after one outcome."""

    after_s: float = Field(default=600, ge=60, le=7 * DAY_S)
    """From the end of the attempt to the next one at the earliest, in s. Default 600."""
    times: int = Field(default=1, ge=1, le=10)
    """How many further attempts. Default 1."""


class NumberCap(_Part):
    """How often one number may be rung by all batches together."""

    times: int = Field(default=3, ge=1, le=100)
    """Attempts. Default 3."""
    within_s: float = Field(default=7 * DAY_S, ge=3600, le=90 * DAY_S)
    """In this time, in s. Default seven days."""


class BreakerLimits(_Part):
    """How many calls may fail by the line's own fault before the batch pauses itself."""

    in_a_row: int = Field(default=5, ge=1, le=1000)
    """One after another. Default 5."""
    failures: int = Field(default=10, ge=1, le=1000)
    """Or so many among the last ``of_last``. Default 10."""
    of_last: int = Field(default=20, ge=1, le=1000)
    """Default 20."""
    pause_s: float = Field(default=60, ge=1, le=DAY_S)
    """Until one call is tried; doubled each time it fails, to an hour at most. Default 60."""
    give_up_after: int = Field(default=5, ge=1, le=100)
    """Pauses in a row after which only a person resumes the batch. Default 5."""

    @model_validator(mode="after")
    def _can_happen(self) -> BreakerLimits:
        if self.failures > self.of_last:
            raise ValueError("failures cannot be more than of_last")
        return self


class Window(_Part):
    """When the telephone may ring, by the called person's clock; the line's calling hours hold as well."""

    start: Clock = "09:00"
    """First minute. Default 09:00."""
    end: Clock = "20:00"
    """First minute that is too late. Default 20:00."""
    days: tuple[Weekday, ...] = Field(default=("mon", "tue", "wed", "thu", "fri"), min_length=1, max_length=7)
    """Default Monday to Friday."""
    timezone: Annotated[str, AfterValidator(_zone)] | None = None
    """Default: every zone that the number may lie in must agree."""

    @model_validator(mode="after")
    def _opens(self) -> Window:
        if self.start >= self.end:
            raise ValueError("the window must begin before it ends, on one day")
        return self


class BatchOptions(_Part):
    """Everything of a batch but its name and its numbers."""

    assistant: str | None = Field(default=None, max_length=128)
    """Who talks. Default: the one for outbound calls."""
    trunk: str | None = Field(default=None, max_length=128)
    """An outbound trunk of the one file. Default: the first that is allowed."""
    from_: CallerId | Annotated[list[CallerId], Field(min_length=1, max_length=100)] | None = Field(
        default=None, alias="from"
    )
    """The caller id, or several of which each call takes one. Default: one of the trunk's numbers."""
    pace_per_s: float = Field(default=1.0, ge=0.001, le=50)
    """Calls begun in a second at most. Default 1."""
    concurrency: int = Field(default=3, ge=1, le=1000)
    """Calls at once at most. Default 3."""
    retry: dict[Annotated[Outcome, AfterValidator(_retryable)], RetryRule] = Field(default_factory=dict)
    """By outcome: busy, no_answer, unreachable or failed. Default: nobody is called twice."""
    cap: NumberCap = NumberCap()
    """How often one number may be rung by all batches together."""
    breaker: BreakerLimits = BreakerLimits()
    """When the batch pauses itself."""
    window: Window | None = None
    """When it calls. Default: the line's calling hours alone."""
    deadline: AwareDatetime | None = None
    """After which nobody is called any more. Default none."""
    ringing_timeout_s: float | None = Field(default=None, ge=5, le=80)
    """How long it rings. Default: the line's."""
    max_call_duration_s: float | None = Field(default=None, ge=10, le=86_400)
    """How long a call may last. Default: the line's."""
    answer_policy: AnswerPolicy = AnswerPolicy()
    """What to do with a machine that answers."""

    model_config = ConfigDict(populate_by_name=True)

    def is_late(self, now: datetime) -> bool:
        """Whether the deadline has passed."""
        return self.deadline is not None and now >= self.deadline
