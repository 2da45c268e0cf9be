"""What the api takes in and answers with about the guard of calls out."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from telephony.api.models import KeyId


class ExplainIn(BaseModel):
    """A call that nobody dials."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    to: Annotated[str, Field(max_length=64, examples=["+74957654321"])] = Field(
        description="Whom to call, in any spelling."
    )
    from_: Annotated[str, Field(max_length=64)] | None = Field(
        None, alias="from", description="The number to show; null for any of the trunk's."
    )
    trunk: Annotated[str, Field(max_length=64)] | None = Field(
        None, description="A trunk's name; null for the file's choice."
    )
    key_id: KeyId | None = Field(None, description="Whose caps; the key that asks when it is null.")
    at: AwareDatetime | None = Field(None, description="When; now when it is null.")


class GuardCheck(BaseModel):
    """One thing that the guard looked at."""

    name: str
    passed: bool
    setting: str = Field(description="The path in the operator's file that decides it.")
    sentence: str = Field(description="What was found, with numbers masked.")
    fix: str | None = None
    transient: bool = Field(description="Whether the same request may pass later without any change.")
    retry_at: datetime | None = None


class GuardVerdict(BaseModel):
    """Whether a call would be dialled, and why."""

    allowed: bool
    number: str = Field(description="What would be dialled.")
    notes: list[str] = Field(description="What was read into the number.")
    refusal: str | None = Field(description="The check that decided against it.")
    waiting_for: list[str]
    transient: bool
    retry_at: datetime | None
    trunk: str | None
    caller_ids: list[str] = Field(description="The numbers that may be shown.")
    ringing_timeout_s: float
    max_call_duration_s: float
    price_per_minute: float | None = Field(description="Null where the price table has none.")
    checks: list[GuardCheck]
