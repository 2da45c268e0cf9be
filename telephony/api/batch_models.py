"""What the routes of batches and of the do-not-call list take and give."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from telephony.calls.outcomes import AnsweredBy, Outcome
from telephony.dialer.batches.options import BatchOptions
from telephony.dialer.batches.reading import MOST_ROWS

LARGEST_DATA = 16_000
"""Bytes of ``data`` or ``metadata`` of one row as JSON."""


def _storable(text: str) -> str:
    if "\x00" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ValueError("must not hold NUL or half a character")
    return text


def _bounded(value: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps(value, ensure_ascii=False, allow_nan=True)
    if len(text.encode("utf-8", "surrogatepass")) > LARGEST_DATA:
        raise ValueError(f"must be at most {LARGEST_DATA} bytes of JSON")
    if "NaN" in text or "Infinity" in text:
        json.dumps(value, allow_nan=False)
    # NUL is escaped in JSON, and PostgreSQL takes neither form of it.
    if "\\u0000" in text:
        raise ValueError("must not hold NUL")
    _storable(text)
    return value


Storable = AfterValidator(_storable)
Data = Annotated[dict[str, Any], AfterValidator(_bounded)]
BatchId = Annotated[
    str, Field(pattern=r"^batch_[0-9a-f]{32}$", examples=["batch_01a1fd96744c737c8fa1fec7c94c83cf"])
]
Number = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{4,14}$", examples=["+15550100123"])]
BatchState = Literal["running", "paused", "cancelled", "finished"]
RowState = Literal["waiting", "under_way", "done"]


class RowIn(BaseModel):
    """A number to call."""

    model_config = ConfigDict(extra="forbid")

    to: Annotated[str, Field(max_length=64, examples=["+15550100123"])] = Field(
        description="Whom to call: E.164, with its plus."
    )
    data: Data = Field({}, description="What the assistant knows of this call.")
    metadata: Data = Field({}, description="Your own words, given back with the call.")


class BatchIn(BatchOptions):
    """A batch to begin."""

    name: Annotated[str, Field(max_length=128), Storable] = ""
    """For people. Default empty."""
    start: Literal["now", "paused"] = "now"
    """paused: it waits until it is resumed. Default now."""
    skip_repeated: bool = False
    """Leave out a number that an earlier row has, in place of refusing the batch. Default false."""
    rows: list[RowIn] = Field(min_length=1, max_length=MOST_ROWS)
    """Whom to call, in this order."""

    @model_validator(mode="after")
    def _can_be_stored(self) -> BatchIn:
        words = [
            self.assistant,
            self.trunk,
            *([self.from_] if isinstance(self.from_, str) else self.from_ or ()),
            self.answer_policy.message,
            self.answer_policy.purpose,
        ]
        for text in words:
            _storable(text or "")
        return self


class BreakerOut(BaseModel):
    """Where the circuit breaker stands."""

    position: Literal["closed", "open", "half_open"]
    until: datetime | None = Field(None, description="When one call is tried.")


class BatchOut(BaseModel):
    """A batch and how far it is."""

    id: BatchId
    name: str
    state: BatchState
    paused_by: Literal["operator", "breaker"] | None = None
    reason: str | None = Field(None, description="Why it is paused.")
    size: int
    waiting: int
    under_way: int
    done: int
    attempts: int = Field(description="Calls that may have rung somebody.")
    outcomes: dict[Outcome, int] = Field(description="Of the numbers that are done.")
    breaker: BreakerOut
    options: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None = None


class BatchPage(BaseModel):
    """One page of batches, newest first."""

    batches: list[BatchOut]
    next_cursor: str | None = Field(description="Pass it as cursor for the next page; null on the last.")


class RowOut(BaseModel):
    """One number of a batch."""

    row: int = Field(description="1, 2, 3 … in the order given.")
    number: str
    state: RowState
    due_at: datetime | None = Field(None, description="When it is called next, at the earliest.")
    attempts: int = Field(description="Calls that may have rung it.")
    outcome: Outcome | None = Field(None, description="Of the last call; of the row once it is done.")
    answered_by: AnsweredBy | None = None
    sip_status: int | None = None
    reason: str | None = None
    call_id: str | None = Field(None, description="Of the last call.")
    data: dict[str, Any]
    metadata: dict[str, Any]
    finished_at: datetime | None = None


class RowPage(BaseModel):
    """Rows of a batch after a number, in order."""

    rows: list[RowOut]
    next_after: int | None = Field(description="Pass it as after for the next page; null on the last.")


class EntryIn(BaseModel):
    """Why a number must not be called."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(max_length=200), Storable] | None = None


class EntryOut(BaseModel):
    """A number that must not be called."""

    number: Number
    added_at: datetime
    source: Literal["api", "import", "call"]
    reason: str | None = None
    call_id: str | None = Field(None, description="The call in which it was asked for.")


class EntryPage(BaseModel):
    """Entries of the list, in the order of their numbers."""

    entries: list[EntryOut]
    next_cursor: str | None = Field(description="Pass it as cursor for the next page; null on the last.")


class ImportIn(BaseModel):
    """Numbers that must not be called."""

    model_config = ConfigDict(extra="forbid")

    numbers: list[Annotated[str, Field(max_length=64)]] = Field(min_length=1, max_length=MOST_ROWS)
    reason: Annotated[str, Field(max_length=200), Storable] | None = None


class ImportOut(BaseModel):
    """What came of it."""

    added: int
    known: int = Field(description="Numbers that were on the list before.")
