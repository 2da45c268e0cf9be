"""What ``POST /v1/calls`` takes and gives."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator, model_validator

from telephony.api.models import CallId, CallOverview
from telephony.dialer.request import AnswerPolicy, DialRequest, one_or_pool

LARGEST_DATA = 16_000
"""Bytes of ``data`` or ``metadata`` as JSON."""

Spelled = Annotated[str, Field(min_length=2, max_length=64, examples=["+15550100123"])]
CallerIds = Annotated[list[Spelled], Field(min_length=1, max_length=100)]
Words = Annotated[str, Field(max_length=2000)]
Named = Annotated[str, Field(min_length=1, max_length=128)]


class AnswerPolicyIn(BaseModel):
    """What the assistant does when something other than a person answers."""

    model_config = ConfigDict(extra="forbid")

    voicemail: Literal["leave_message", "hang_up"] = "hang_up"
    message: Words | None = Field(default=None, description="What is left on a voicemail.")
    screener: Literal["state_purpose", "hang_up"] = "state_purpose"
    purpose: Words | None = Field(default=None, description="What a call screener is told.")
    ivr: Literal["hang_up", "continue"] = "hang_up"


class DialIn(BaseModel):
    """A call to place.

    The keys of LiveKit's outbound example are understood as they are: ``phone_number`` is ``to``, here or in
    ``metadata``, and so is ``transfer_to``.
    """

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    to: Spelled = Field(description="Whom to call; E.164 is best.")
    from_: Spelled | CallerIds | None = Field(
        None,
        alias="from",
        description="The caller id, or several of which one is taken. Default: one of the trunk's numbers.",
    )
    trunk: Named | None = Field(None, description="An outbound trunk's name in the one file.")
    assistant: Named | None = Field(None, description="Who talks. Default: the line's.")
    data: dict[str, Any] = Field({}, description="What the assistant knows of this call.")
    deadline: AwareDatetime | None = Field(
        None, description="After this the phone must not begin to ring. Default: in two minutes."
    )
    ringing_timeout_s: float | None = Field(None, ge=5, le=75)
    max_call_duration_s: float | None = Field(None, ge=10, le=86_400)
    answer_policy: AnswerPolicyIn = AnswerPolicyIn()
    metadata: dict[str, Any] = Field({}, description="Your own words, given back with the call.")
    transfer_to: Spelled | None = Field(None, description="Whom the assistant may hand the call to.")

    @model_validator(mode="before")
    @classmethod
    def _understand_livekits_keys(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        body = dict(given)
        metadata = body.get("metadata")
        told = metadata if isinstance(metadata, dict) else {}
        for place in (body, told):
            if "to" not in body and isinstance(place.get("phone_number"), str):
                body["to"] = place["phone_number"]
            if "transfer_to" not in body and isinstance(place.get("transfer_to"), str):
                body["transfer_to"] = place["transfer_to"]
        if body.get("to") == body.get("phone_number"):
            body.pop("phone_number", None)
        return body

    @field_validator("data", "metadata")
    @classmethod
    def _bounded(cls, value: dict[str, Any]) -> dict[str, Any]:
        text = json.dumps(value, ensure_ascii=False)
        if len(text.encode("utf-8", "surrogatepass")) > LARGEST_DATA:
            raise ValueError(f"must be at most {LARGEST_DATA} bytes of JSON")
        if "\\u0000" in json.dumps(value) or any("\ud800" <= letter <= "\udfff" for letter in text):
            raise ValueError("must not hold NUL or half a character")
        return value

    def request(self) -> DialRequest:
        """As the dialler reads it."""
        shown, pool = one_or_pool(self.from_)
        return DialRequest(
            to=self.to,
            from_=shown,
            from_pool=pool,
            trunk=self.trunk,
            assistant=self.assistant,
            data=self.data,
            deadline=self.deadline,
            ringing_timeout_s=self.ringing_timeout_s,
            max_call_duration_s=self.max_call_duration_s,
            answer_policy=AnswerPolicy(**self.answer_policy.model_dump()),
            metadata=self.metadata,
            transfer_to=self.transfer_to,
        )


class DialOut(CallOverview):
    """A call that will be dialled."""

    notes: list[str] = Field([], description="What was read into the number.")


class HangUpOut(BaseModel):
    """A call that is being ended."""

    id: CallId
    state: Literal["cancelled", "ending", "ended"] = Field(
        description="cancelled: it was not dialled and never will be; ending: its end follows as an event."
    )
