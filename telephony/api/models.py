"""What the api answers with and takes in; the document in docs/api is made of these."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from telephony.api.keys import Scope
from telephony.calls.ids import CALL_ID_PATTERN
from telephony.calls.outcomes import AnsweredBy, EndedBy, Outcome
from telephony.calls.shapes import Cost, DeclaredField, FieldValue, MediaQuality, TurnCompleted
from telephony.calls.states import State

CallId = Annotated[str, Field(pattern=CALL_ID_PATTERN, examples=["call_abcDEF123456"])]
EventPattern = Annotated[
    str, Field(pattern=r"^(\*|[a-z_]+\.(\*|[a-z_]+))$", max_length=40, examples=["call.*", "turn.completed"])
]


class Party(BaseModel):
    """One end of a call."""

    e164: str | None = Field(description="The number in E.164; null for what is none.")
    as_sent: str
    inferred: bool = Field(description="Whether the plus was added by us.")
    masked: str


class CallOverview(BaseModel):
    """A call as a list shows it."""

    id: CallId
    direction: Literal["inbound", "outbound"]
    state: State
    outcome: Outcome | None = None
    answered_by: AnsweredBy | None = None
    ended_by: EndedBy | None = None
    sip_status: int | None = None
    from_number: str | None = None
    to_number: str | None = None
    trunk_id: str | None = None
    assistant: str | None = None
    room: str | None = None
    created_at: datetime
    started_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    duration_ms: int | None = None
    recorded: bool
    last_seq: int = Field(description="The number of its newest event.")


class CallPage(BaseModel):
    """One page of calls, newest first."""

    calls: list[CallOverview]
    next_cursor: str | None = Field(description="Pass it as cursor for the next page; null on the last.")


class RecordingOut(BaseModel):
    """A recording of a call."""

    id: str
    status: Literal["pending", "stored", "deleting", "deleted", "failed"]
    format: str
    channels: int | None = None
    sample_rate: int | None = None
    duration_s: float | None = None
    bytes: int | None = None
    sha256: str | None = None
    started_at: datetime | None = None
    expires_at: datetime | None = None
    deleted_at: datetime | None = None
    reason: str | None = None


class CallDetail(CallOverview):
    """Everything that is known of a call, but its events."""

    model_config = ConfigDict(populate_by_name=True)

    from_: Party | None = Field(None, alias="from")
    to: Party | None = None
    code: str | None = Field(None, description="Why it ended, for programs.")
    cause: str | None = Field(None, description="Why it ended, in one sentence.")
    rule_id: str | None = None
    sip_call_id: str | None = None
    sip_call_id_full: str | None = None
    codec: str | None = None
    audio_path: str | None = None
    language: str | None = None
    config_version: str | None = Field(None, description="Version of the assistant's file.")
    providers: dict[str, Any] | None = None
    timings: dict[str, datetime] = Field(description="Every known instant, by name.")
    talk_s: float | None = None
    quality: MediaQuality | None = None
    usage: list[dict[str, Any]] | None = None
    cost: Cost | None = None
    declared_fields: list[dict[str, Any]] | None = None
    fields: dict[str, FieldValue] | None = None
    missing_fields: list[str] | None = Field(None, description="Required fields without a value.")
    transfer: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    missing_events: dict[str, list[list[int]]] | None = Field(
        None, description="Numbers of each source that never arrived: ranges, both ends included."
    )
    recordings: list[RecordingOut] = []


class EventOut(BaseModel):
    """An event, as webhooks and streams carry it; ``data`` by its type: docs/events."""

    id: str
    type: str
    timestamp: datetime
    call_id: str | None
    seq: int = Field(description="1, 2, 3 … for each call, without gaps.")
    source: str
    late: bool = Field(description="Whether it came after the call's end.")
    data: dict[str, Any]


class EventPage(BaseModel):
    """Events of a call, in order."""

    events: list[EventOut]
    last_seq: int = Field(
        description="The call's newest event; there is more when the last one here is lower."
    )


class Turn(TurnCompleted):
    """One utterance."""

    seq: int


class Transcript(BaseModel):
    """What was said, in the order it was said."""

    call_id: CallId
    turns: list[Turn]
    text: str


class ExtractRequest(BaseModel):
    """Which fields to read out of the transcript; those its assistant declared when none are given."""

    model_config = ConfigDict(extra="forbid")

    fields: Annotated[list[DeclaredField], Field(max_length=100)] | None = None
    save: bool = Field(
        False, description="Add what is found to the call's record, where it has no value yet."
    )


class Extracted(BaseModel):
    """Fields that were found in a transcript."""

    fields: dict[str, FieldValue]
    missing_fields: list[str]


class IncomingEvent(BaseModel):
    """One account of a source."""

    model_config = ConfigDict(extra="forbid")

    call_id: CallId
    source: Literal["job", "bridge", "dispatcher", "dialer"]
    source_seq: Annotated[int, Field(ge=1, le=2**31 - 1)]
    type: Annotated[str, Field(max_length=40)]
    time: AwareDatetime
    data: dict[str, Any] = {}


class EventBatch(BaseModel):
    """Accounts of any calls, in the order they happened."""

    model_config = ConfigDict(extra="forbid")

    events: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=500)]


class Rejected(BaseModel):
    """An account that can never be taken."""

    index: int
    reason: str


class Acknowledgement(BaseModel):
    """Everything that is not in ``rejected`` is on disk."""

    stored: int
    duplicates: int
    erased: int = Field(description="Accounts of calls that were erased; they are dropped.")
    rejected: list[Rejected]
    ended_calls: list[str] = Field(description="Calls of this batch that have ended.")


class EndpointIn(BaseModel):
    """A new webhook endpoint."""

    model_config = ConfigDict(extra="forbid")

    url: Annotated[str, Field(min_length=8, max_length=2048, examples=["https://example.com/hooks"])]
    types: Annotated[list[EventPattern], Field(min_length=1, max_length=50)] = ["*"]
    description: Annotated[str, Field(max_length=512)] = ""


class EndpointChange(BaseModel):
    """What to change of an endpoint; what is not given stays."""

    model_config = ConfigDict(extra="forbid")

    url: Annotated[str, Field(min_length=8, max_length=2048)] | None = None
    types: Annotated[list[EventPattern], Field(min_length=1, max_length=50)] | None = None
    description: Annotated[str, Field(max_length=512)] | None = None
    enabled: bool | None = None


class EndpointOut(BaseModel):
    """A webhook endpoint."""

    id: str
    url: str
    types: list[str]
    description: str
    origin: Literal["api", "file"]
    enabled: bool
    disabled_reason: str | None = None
    created_at: datetime
    failing_since: datetime | None = None
    last_failure: str | None = None
    pending: int = Field(0, description="Deliveries that wait.")


class EndpointSecret(EndpointOut):
    """An endpoint with its signing secret, which is shown this once."""

    secret: str | None = Field(description="whsec_…; null when the answer is repeated.")


class EndpointList(BaseModel):
    """All endpoints."""

    endpoints: list[EndpointOut]


class RotateRequest(BaseModel):
    """Give an endpoint a new secret."""

    model_config = ConfigDict(extra="forbid")

    overlap_s: Annotated[float, Field(ge=0, le=7 * 86_400)] = Field(
        86_400, description="How long the old secret goes on signing beside the new one."
    )


class TestResult(BaseModel):
    """What became of a test delivery."""

    __test__ = False

    delivered: bool
    http_status: int | None
    error: str | None
    duration_ms: int
    response: str | None


class DeliveryOut(BaseModel):
    """One event on its way to one endpoint."""

    id: int
    endpoint_id: str
    call_id: str | None
    seq: int
    event_id: str
    type: str | None
    status: Literal["pending", "delivered", "dead"]
    attempts: int
    replay: bool
    created_at: datetime
    finished_at: datetime | None = None
    http_status: int | None = None
    error: str | None = None


class DeliveryPage(BaseModel):
    """One page of deliveries, newest first."""

    deliveries: list[DeliveryOut]
    next_cursor: int | None


class AttemptOut(BaseModel):
    """One attempt at a delivery."""

    at: datetime
    duration_ms: int
    http_status: int | None
    error: str | None
    response: str | None


class DeliveryDetail(DeliveryOut):
    """A delivery with every attempt at it."""

    tries: list[AttemptOut]


class ReplayRequest(BaseModel):
    """What to send again: one delivery, or an endpoint's events by call, number, time and type."""

    model_config = ConfigDict(extra="forbid")

    delivery_id: Annotated[int, Field(ge=1, le=2**53)] | None = None
    endpoint_id: Annotated[str, Field(max_length=48)] | None = None
    call_id: CallId | None = None
    from_seq: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    to_seq: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    only_dead: bool = Field(False, description="Only what this endpoint never got.")


class ReplayOut(BaseModel):
    """How many deliveries were queued."""

    queued: int
    more: bool = Field(description="Whether there is more than one request may queue.")
    next_since: datetime | None = Field(description="Ask again with this since for what is left over.")


KeyId = Annotated[str, Field(pattern=r"^[a-z2-7]{16}$")]


class DialLimits(BaseModel):
    """A key's own caps on calls out, in any 24 hours; they can only lower those of the operator's file."""

    model_config = ConfigDict(extra="forbid")

    max_concurrent_calls: Annotated[int, Field(ge=0, le=10_000)] | None = None
    max_calls_per_day: Annotated[int, Field(ge=0, le=10_000_000)] | None = None
    max_minutes_per_day: Annotated[int, Field(ge=0, le=10_000_000)] | None = None
    max_spend_per_day: Annotated[float, Field(ge=0, le=1e9)] | None = Field(
        None, description="In the currency of the price table."
    )


class KeyIn(BaseModel):
    """A new API key."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=128)]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=20)]
    expires_at: AwareDatetime | None = None
    dial_limits: DialLimits | None = None


class KeyOut(BaseModel):
    """An API key, without the key."""

    id: str
    name: str
    scopes: list[Scope]
    dial_limits: DialLimits | None = None
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None


class KeySecret(KeyOut):
    """A new key; the key itself is shown this once."""

    key: str | None = Field(description="tlk_…; null when the answer is repeated.")


class KeyList(BaseModel):
    """All keys, revoked ones included."""

    keys: list[KeyOut]


class AuditEntry(BaseModel):
    """One change that somebody made."""

    id: int
    at: datetime
    key_id: str
    action: str
    target: str
    detail: dict[str, Any]
    remote: str


class AuditPage(BaseModel):
    """Changes, newest first."""

    entries: list[AuditEntry]
    next_cursor: int | None


class Check(BaseModel):
    """One thing that the api depends on."""

    ok: bool
    detail: str


class Readiness(BaseModel):
    """Whether the api can serve."""

    ready: bool
    checks: dict[str, Check]


class Liveness(BaseModel):
    """That the process answers."""

    ok: Literal[True] = True
    version: str
