"""Batches: begin one, see how far it is, pause, resume and cancel it, fetch its results."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response, StreamingResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import AwareDatetime, ValidationError
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from telephony.api.access import Caller, CallsDialler, CallsReader, CallsWriter
from telephony.api.batch_models import (
    BatchId,
    BatchIn,
    BatchOut,
    BatchPage,
    RowOut,
    RowPage,
    RowState,
)
from telephony.api.changes import ChangeRequest, Done
from telephony.api.hub import changed
from telephony.api.problems import FieldError, ProblemError, not_found, responses
from telephony.api.service import Service
from telephony.api.serving import Changing, Serving
from telephony.calls.outcomes import Outcome
from telephony.dialer.batches import results
from telephony.dialer.batches.breaker import Breaker
from telephony.dialer.batches.options import BatchOptions
from telephony.dialer.batches.pace import parse_pace
from telephony.dialer.batches.reading import (
    MOST_TOLD,
    BatchRow,
    WrongNumberError,
    read_number,
    read_table,
)
from telephony.dialer.batches.retries import parse_retry
from telephony.dialer.batches.telling import By, Change, tell
from telephony.errors import ConfigError
from telephony.store import batches
from telephony.store.batches import NewRow
from telephony.store.instants import utc_now

if TYPE_CHECKING:
    from telephony.store.stored import StoredEvent

_Act = Callable[[AsyncConnection, RowMapping, datetime], Awaitable[Change | None]]
"""Changes one batch; says what it has become, or None where it was that already."""

router = APIRouter(prefix="/v1/batches", tags=["batches"])

_PAGE = 500
_LOOK_AGAIN_S = 1.0
_CALM_S = 0.2
_CSV = {"requestBody": {"required": True, "content": {"text/csv": {"schema": {"type": "string"}}}}}
_OWN = {"name", "start", "rows", "skip_repeated"}


@router.post("", status_code=201, response_model=BatchOut, responses=responses(401, 403, 409, 413, 422))
async def create_batch(service: Serving, caller: CallsDialler, change: Changing, wanted: BatchIn) -> Response:
    """Call many numbers, as fast and as often as the batch says and the guard allows.

    Each call goes by the same door as one of `POST /v1/calls`, in the name of this key.

    All that is wrong with its rows is said at once; then nothing was begun. Nobody is called twice unless
    `retry` says so.
    """
    rows = _right_rows(wanted)
    options = wanted.model_dump(mode="json", by_alias=True, exclude=_OWN)

    async def create(connection: AsyncConnection) -> Done:
        batch_id = await batches.create(
            connection,
            key_id=caller.key_id,
            name=wanted.name,
            options=options,
            rows=rows,
            paused=wanted.start == "paused",
            now=utc_now(),
        )
        detail = {"name": wanted.name, "rows": len(rows), "assistant": wanted.assistant}
        told.append(await tell(service.database, connection, batch_id, "created", "operator", utc_now()))
        return Done(201, await _shown(connection, batch_id), batch_id, detail)

    told: list[StoredEvent] = []
    response = await change.make(caller, "batch.created", create)
    service.batches.changed(told)
    return response


def _right_rows(wanted: BatchIn) -> list[NewRow]:
    """The rows that can be called.

    Raises:
        ProblemError: 422 with everything that is wrong.
    """
    rows: list[NewRow] = []
    wrong: list[FieldError] = []
    seen: dict[str, int] = {}
    for place, row in enumerate(wanted.rows):
        try:
            number = read_number(row.to)
        except WrongNumberError as error:
            wrong.append(FieldError(field=f"body.rows.{place}.to", message=f"{error}. {error.fix}"))
            continue
        if number in seen:
            if not wanted.skip_repeated:
                message = f"{number} stands in row {seen[number] + 1} already."
                wrong.append(FieldError(field=f"body.rows.{place}.to", message=message))
            continue
        seen[number] = place
        rows.append(NewRow(number, row.data, row.metadata))
    _refuse(wrong)
    return rows


def _refuse(wrong: Sequence[FieldError]) -> None:
    if wrong:
        count = "1 row cannot" if len(wrong) == 1 else f"{len(wrong)} rows cannot"
        detail = f"{count} be called, so nothing was begun."
        raise ProblemError(422, "invalid_rows", detail, errors=list(wrong[:MOST_TOLD]))


@router.post(
    "/csv",
    status_code=201,
    response_model=BatchOut,
    responses=responses(401, 403, 409, 413, 422),
    openapi_extra=_CSV,
)
async def create_batch_from_csv(
    service: Serving,
    caller: CallsDialler,
    change: Changing,
    request: Request,
    name: Annotated[str, Query(max_length=128)] = "",
    assistant: Annotated[str | None, Query(max_length=128)] = None,
    trunk: Annotated[str | None, Query(max_length=128)] = None,
    from_: Annotated[str | None, Query(alias="from", max_length=32)] = None,
    pace: Annotated[str, Query(max_length=20, examples=["1/s", "30/min"])] = "1/s",
    concurrency: Annotated[int, Query(ge=1, le=1000)] = 3,
    retry: Annotated[
        list[str] | None, Query(max_length=4, description="An outcome, a pause, how often: busy:10m:2.")
    ] = None,
    deadline: AwareDatetime | None = None,
    paused: bool = False,
    skip_repeated: bool = False,
) -> Response:
    """The same from a CSV file: its columns beside the number become the data of each call."""
    try:
        table = read_table(await request.body(), skip_repeated=skip_repeated)
        rules = dict(parse_retry(text) for text in retry or ())
        per_s = parse_pace(pace)
    except ConfigError as error:
        raise ProblemError(422, "invalid_csv", error.message, fix=error.fix) from error
    except ValueError as error:
        raise ProblemError(422, "invalid_request", f"{error}.") from error
    _refuse(
        [FieldError(field=f"line {each.line}", message=f"{each.message}. {each.fix}") for each in table.wrong]
    )
    body = {
        "name": name,
        "assistant": assistant,
        "trunk": trunk,
        "from": from_,
        "pace_per_s": per_s,
        "concurrency": concurrency,
        "retry": rules,
        "deadline": deadline,
        "start": "paused" if paused else "now",
        "rows": [{"to": row.number, "data": row.data} for row in table.rows],
    }
    return await create_batch(service, caller, change, _valid(body, table.rows))


def _valid(body: dict[str, Any], rows: Sequence[BatchRow]) -> BatchIn:
    try:
        return BatchIn.model_validate(body)
    except ValidationError as error:
        wrong = [
            FieldError(field=_where(each["loc"], rows), message=str(each["msg"]))
            for each in error.errors()[:MOST_TOLD]
        ]
        detail = "The request does not have the form that the document asks for."
        raise ProblemError(422, "invalid_request", detail, errors=wrong) from error


def _where(place: tuple[int | str, ...], rows: Sequence[BatchRow]) -> str:
    if len(place) > 1 and place[0] == "rows" and isinstance(place[1], int):
        return f"line {rows[place[1]].line}"
    return ".".join(str(part) for part in place)


@router.get("", responses=responses(401, 403, 422))
async def list_batches(
    service: Serving,
    _caller: CallsReader,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: BatchId | None = None,
) -> BatchPage:
    """List batches, newest first."""
    async with service.database.read() as connection:
        rows = await batches.page(connection, before=cursor, limit=limit + 1)
        counted = await batches.counts(connection, [row["batch_id"] for row in rows])
    shown = [_batch(row, counted[row["batch_id"]]) for row in rows[:limit]]
    return BatchPage(batches=shown, next_cursor=shown[-1].id if len(rows) > limit else None)


@router.get("/{batch_id}", responses=responses(401, 403, 404, 422))
async def get_batch(service: Serving, _caller: CallsReader, batch_id: BatchId) -> BatchOut:
    """A batch and how far it is."""
    async with service.database.read() as connection:
        return await _shown(connection, batch_id)


@router.get("/{batch_id}/rows", responses=responses(401, 403, 404, 422))
async def list_rows(
    service: Serving,
    _caller: CallsReader,
    batch_id: BatchId,
    after: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    state: RowState | None = None,
    outcome: Outcome | None = None,
) -> RowPage:
    """A batch's numbers in their order, and what became of each."""
    async with service.database.read() as connection:
        await _shown(connection, batch_id)
        rows = await batches.rows_after(connection, batch_id, after, limit + 1, state=state, outcome=outcome)
    shown = [_row(row) for row in rows[:limit]]
    return RowPage(rows=shown, next_after=shown[-1].row if len(rows) > limit else None)


async def _existing(service: Serving, batch_id: BatchId) -> str:
    async with service.database.read() as connection:
        await _shown(connection, batch_id)
    return batch_id


@router.get(
    "/{batch_id}/results",
    response_class=Response,
    responses={
        **responses(401, 403, 404, 422),
        200: {"content": {"text/csv": {"schema": {"type": "string"}}}, "description": "A CSV file."},
    },
)
async def get_results(
    service: Serving, _caller: CallsReader, batch_id: Annotated[str, Depends(_existing)]
) -> Response:
    """What became of every number, as CSV in UTF-8; no cell of it is a formula to a spreadsheet."""
    columns: dict[str, None] = {}
    async for rows in _pages(service, batch_id):
        columns |= dict.fromkeys(results.data_columns(rows))

    async def written() -> AsyncIterator[str]:
        yield results.head(list(columns))
        async for rows in _pages(service, batch_id):
            yield results.lines(rows, list(columns))

    named = {"Content-Disposition": f'attachment; filename="{batch_id}.csv"'}
    return StreamingResponse(written(), media_type="text/csv; charset=utf-8", headers=named)


async def _pages(service: Service, batch_id: str) -> AsyncIterator[list[dict[str, Any]]]:
    after = 0
    while True:
        async with service.database.read() as connection:
            rows = await batches.rows_after(connection, batch_id, after, _PAGE)
        if not rows:
            return
        after = rows[-1]["row"]
        yield [_row(row).model_dump(mode="json") for row in rows]


@router.get("/{batch_id}/stream", response_class=EventSourceResponse, responses=responses(401, 403, 404, 422))
async def stream_batch(
    service: Serving, _caller: CallsReader, batch_id: Annotated[str, Depends(_existing)]
) -> AsyncIterator[ServerSentEvent]:
    """The batch as it is now and whenever that changes, as `progress`; ends with the batch."""
    told: BatchOut | None = None
    with service.hub.listening(None) as listener:
        while not service.stopping.is_set():
            async with service.database.read() as connection:
                now = await _shown(connection, batch_id)
            if now != told:
                told = now
                yield ServerSentEvent(event="progress", raw_data=now.model_dump_json())
            if now.finished_at is not None:
                return
            await asyncio.sleep(_CALM_S)
            await changed(listener, _LOOK_AGAIN_S)


@router.post("/{batch_id}/pause", response_model=BatchOut, responses=responses(401, 403, 404, 409, 422))
async def pause_batch(service: Serving, caller: CallsWriter, change: Changing, batch_id: BatchId) -> Response:
    """Begin no further call until somebody resumes the batch; calls under way go on."""

    async def pause(connection: AsyncConnection, row: RowMapping, now: datetime) -> Change | None:
        if row["state"] == "paused" and row["paused_by"] == "operator":
            return None
        reason = "Somebody paused it."
        await batches.change(
            connection, batch_id, now, state="paused", paused_by="operator", reason=reason, breaker={}
        )
        return "paused"

    return await _changed(service, caller, change, batch_id, "batch.paused", pause)


@router.post("/{batch_id}/resume", response_model=BatchOut, responses=responses(401, 403, 404, 409, 422))
async def resume_batch(
    service: Serving, caller: CallsDialler, change: Changing, batch_id: BatchId
) -> Response:
    """Go on with a batch that was paused, by whatever; its circuit breaker begins anew."""

    async def resume(connection: AsyncConnection, row: RowMapping, now: datetime) -> Change | None:
        if row["state"] == "running":
            return None
        await batches.change(
            connection, batch_id, now, state="running", paused_by=None, reason=None, breaker={}
        )
        return "resumed"

    return await _changed(service, caller, change, batch_id, "batch.resumed", resume)


@router.post("/{batch_id}/cancel", response_model=BatchOut, responses=responses(401, 403, 404, 409, 422))
async def cancel_batch(
    service: Serving, caller: CallsWriter, change: Changing, batch_id: BatchId
) -> Response:
    """Call nobody any more; calls under way go on to their end."""

    async def cancel(connection: AsyncConnection, _row: RowMapping, now: datetime) -> Change | None:
        await batches.drop_waiting(connection, batch_id, Outcome.CANCELLED, "The batch was cancelled.", now)
        over = now if await batches.is_done(connection, batch_id) else None
        await batches.change(
            connection,
            batch_id,
            now,
            state="cancelled",
            paused_by=None,
            reason="Somebody cancelled it.",
            finished_at=over,
        )
        return "cancelled"

    return await _changed(service, caller, change, batch_id, "batch.cancelled", cancel)


async def _changed(
    service: Service, caller: Caller, change: ChangeRequest, batch_id: str, action: str, act: _Act
) -> Response:
    told: list[StoredEvent] = []
    by: By = "operator"

    async def perform(connection: AsyncConnection) -> Done:
        await batches.alone(service.database, connection)
        row = await batches.get(connection, batch_id)
        if row is None:
            raise not_found("batch")
        if row["state"] in ("cancelled", "finished"):
            raise ProblemError(409, "batch_is_over", f"The batch is {row['state']}.")
        now = utc_now()
        done = await act(connection, row, now)
        if done is not None:
            told.append(await tell(service.database, connection, batch_id, done, by, now))
        return Done(200, await _shown(connection, batch_id), batch_id, {"state": row["state"]})

    response = await change.make(caller, action, perform)
    service.batches.changed(told)
    return response


async def _shown(connection: AsyncConnection, batch_id: str) -> BatchOut:
    row = await batches.get(connection, batch_id)
    if row is None:
        raise not_found("batch")
    return _batch(row, (await batches.counts(connection, [batch_id]))[batch_id])


def _batch(row: RowMapping, counted: dict[str, Any]) -> BatchOut:
    breaker = Breaker.from_json(row["breaker"]).at(utc_now())
    shown = {
        **row,
        **counted,
        "id": row["batch_id"],
        "breaker": {"position": breaker.position.value, "until": breaker.until},
        "options": BatchOptions.model_validate(row["options"]).model_dump(mode="json", by_alias=True),
    }
    return BatchOut.model_validate(shown)


def _row(row: RowMapping) -> RowOut:
    state = row["state"] if row["state"] in ("waiting", "done") else "under_way"
    shown = {
        **row,
        "state": state,
        "attempts": row["rang"],
        "due_at": row["due_at"] if state == "waiting" else None,
    }
    return RowOut.model_validate(shown)
