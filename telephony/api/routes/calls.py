"""Read calls; erase one; read its fields out of its transcript again."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import AwareDatetime

from telephony.api import pages, views
from telephony.api.access import CallsReader, CallsWriter
from telephony.api.changes import ChangeRequest, Done
from telephony.api.models import (
    CallDetail,
    CallId,
    CallPage,
    EventPage,
    Extracted,
    ExtractRequest,
    Transcript,
)
from telephony.api.problems import ProblemError, not_found, responses
from telephony.api.serving import Changing, Serving, find_call
from telephony.calls.events import Event
from telephony.calls.extraction import extract
from telephony.calls.fields import declared
from telephony.calls.outcomes import EndedBy, Outcome
from telephony.calls.record import CallRecord
from telephony.calls.states import State
from telephony.calls.transcript import as_text, transcript
from telephony.store import calls, recordings
from telephony.store.calls import CallFilter
from telephony.store.instants import utc_now
from telephony.store.stored import Incoming

router = APIRouter(prefix="/v1/calls", tags=["calls"])

Limit = Annotated[int, Query(ge=1, le=200)]
Text = Annotated[str | None, Query(max_length=128)]


@router.get("", responses=responses(401, 403, 422))
async def list_calls(
    service: Serving,
    _caller: CallsReader,
    direction: Literal["inbound", "outbound"] | None = None,
    state: State | None = None,
    outcome: Outcome | None = None,
    ended_by: EndedBy | None = None,
    from_number: Text = None,
    to_number: Text = None,
    trunk_id: Text = None,
    assistant: Text = None,
    sip_status: Annotated[int | None, Query(ge=100, le=699)] = None,
    recorded: bool | None = None,
    ended: bool | None = None,
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
    min_duration_s: Annotated[float | None, Query(ge=0, le=1e6)] = None,
    limit: Limit = 50,
    cursor: Annotated[str | None, Query(max_length=256)] = None,
) -> CallPage:
    """List calls, newest first; every filter that is given must hold."""
    before = pages.decode(cursor) if cursor else None
    wanted = CallFilter(
        direction=direction,
        state=state,
        outcome=outcome,
        ended_by=ended_by,
        from_number=_clean(from_number),
        to_number=_clean(to_number),
        trunk_id=_clean(trunk_id),
        assistant=_clean(assistant),
        sip_status=sip_status,
        recorded=recorded,
        open=None if ended is None else not ended,
        since=since,
        until=until,
        min_duration_ms=None if min_duration_s is None else round(min_duration_s * 1000),
    )
    async with service.database.read() as connection:
        rows = await calls.page(connection, wanted, before=before, limit=limit + 1)
    shown = rows[:limit]
    more = len(rows) > limit
    last = shown[-1] if shown else None
    cursor = pages.encode(last["created_at"], last["call_id"]) if more and last else None
    return CallPage(calls=[views.overview(row) for row in shown], next_cursor=cursor)


def _clean(text: str | None) -> str | None:
    # PostgreSQL takes no NUL in a text; nothing that has one is in the record.
    return None if text is None else text.replace("\x00", "\ufffd")


@router.get("/{call_id}", responses=responses(401, 403, 404, 422))
async def get_call(service: Serving, _caller: CallsReader, call_id: CallId) -> CallDetail:
    """Everything that is known of one call, but its events."""
    async with service.database.read() as connection:
        row = await calls.get(connection, call_id)
        kept = await recordings.of_call(connection, call_id)
    if row is None:
        raise not_found("call")
    return views.detail(row, kept)


@router.get("/{call_id}/events", responses=responses(401, 403, 404, 422))
async def list_events(
    service: Serving,
    _caller: CallsReader,
    call_id: CallId,
    after: Annotated[int, Query(ge=0, le=2**31 - 1, description="The last number you have.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> EventPage:
    """The events of a call after a number, in order: what fills any gap in what webhooks delivered."""
    row = await find_call(service, call_id)
    async with service.database.read() as connection:
        stored = await calls.events_after(connection, call_id, after, limit)
    newest = max([row["last_seq"], *(each.seq for each in stored)])
    return EventPage(events=[views.event(each) for each in stored], last_seq=newest)


@router.get("/{call_id}/transcript", responses=responses(401, 403, 404, 422))
async def get_transcript(service: Serving, _caller: CallsReader, call_id: CallId) -> Transcript:
    """What was said on a call."""
    await find_call(service, call_id)
    turns = await _turns(service, call_id)
    return Transcript.model_validate({"call_id": call_id, "turns": turns, "text": as_text(turns)})


async def _turns(service: Serving, call_id: str) -> list[dict[str, object]]:
    async with service.database.read() as connection:
        stored = await calls.events_of_type(connection, call_id, ["turn.completed"])
    return transcript(each.payload() for each in stored)


@router.post("/{call_id}/fields/extract", responses=responses(401, 403, 404, 413, 422))
async def extract_fields(
    service: Serving, caller: CallsWriter, request: Request, call_id: CallId, wanted: ExtractRequest
) -> Extracted:
    """Read a questionnaire's fields out of the transcript again, without calling anybody."""
    row = await find_call(service, call_id)
    record = CallRecord.from_json(call_id, row["record"])
    fields = declared(record)
    if wanted.fields is not None:
        fields = [field.model_dump(exclude_none=True) for field in wanted.fields]
    found = extract(fields, await _turns(service, call_id))
    if wanted.save and found:

        async def note(_connection: object) -> Done:
            return Done(200, None, call_id, {"fields": sorted(found)})

        now = utc_now()
        event = Event(call_id, "record", 0, "fields.collected", now, {"fields": found, "declared": fields})
        await service.intake.append([Incoming(event, f"extraction {now.isoformat()}")])
        await ChangeRequest(service.database, request).make(caller, "call.fields_extracted", note)
    missing = [field["name"] for field in fields if field.get("required") and field["name"] not in found]
    return Extracted.model_validate({"fields": found, "missing_fields": missing})


@router.delete("/{call_id}", status_code=204, responses=responses(401, 403, 404, 409, 422))
async def erase_call(service: Serving, caller: CallsWriter, change: Changing, call_id: CallId) -> Response:
    """Delete a call for good: its record, events, deliveries and recordings. It must have ended."""
    row = await find_call(service, call_id)
    if row["ended_at"] is None:
        raise ProblemError(409, "call_is_open", "The call has not ended.", fix="Hang up first.")
    if not await service.keeper.erase_call(call_id, "request"):
        raise not_found("call")

    async def note(_connection: object) -> Done:
        return Done(204, None, call_id)

    return await change.make(caller, "call.erased", note)
