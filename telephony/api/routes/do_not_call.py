"""The do-not-call list: see it, put numbers on it, take them off."""

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from telephony.api.access import CallsReader, CallsWriter
from telephony.api.batch_models import EntryIn, EntryOut, EntryPage, ImportIn, ImportOut, Number
from telephony.api.changes import Done
from telephony.api.problems import FieldError, ProblemError, not_found, responses
from telephony.api.serving import Changing, Serving
from telephony.dialer.batches.reading import MOST_TOLD, WrongNumberError, read_number
from telephony.numbers import mask
from telephony.store import do_not_call, line
from telephony.store.instants import utc_now

if TYPE_CHECKING:
    from telephony.store.stored import StoredEvent

router = APIRouter(prefix="/v1/do-not-call", tags=["do-not-call"])


@router.get("", responses=responses(401, 403, 422))
async def list_do_not_call(
    service: Serving,
    _caller: CallsReader,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    cursor: Number | None = None,
) -> EntryPage:
    """The numbers that must not be called, in their order."""
    async with service.database.read() as connection:
        rows = await do_not_call.page(connection, after=cursor, limit=limit + 1)
    shown = [_entry(row) for row in rows[:limit]]
    return EntryPage(entries=shown, next_cursor=shown[-1].number if len(rows) > limit else None)


@router.post("", response_model=ImportOut, responses=responses(401, 403, 409, 413, 422))
async def import_do_not_call(
    service: Serving, caller: CallsWriter, change: Changing, wanted: ImportIn
) -> Response:
    """Put many numbers on the list, all or none; no event is told of each."""
    numbers = _right(wanted.numbers)

    async def put(connection: AsyncConnection) -> Done:
        new = await do_not_call.add(
            service.database,
            connection,
            numbers,
            source="import",
            reason=wanted.reason,
            key_id=caller.key_id,
            now=utc_now(),
        )
        answer = ImportOut(added=len(new), known=len(numbers) - len(new))
        return Done(200, answer, "import", answer.model_dump())

    return await change.make(caller, "do_not_call.imported", put)


def _right(texts: list[str]) -> set[str]:
    numbers, wrong = set[str](), list[FieldError]()
    for place, text in enumerate(texts):
        try:
            numbers.add(read_number(text))
        except WrongNumberError as error:
            wrong.append(FieldError(field=f"body.numbers.{place}", message=f"{error}. {error.fix}"))
    if wrong:
        detail = f"{len(wrong)} of the numbers cannot be read, so none was put on the list."
        raise ProblemError(422, "invalid_rows", detail, errors=wrong[:MOST_TOLD])
    return numbers


@router.get("/{number}", responses=responses(401, 403, 404, 422))
async def get_do_not_call(service: Serving, _caller: CallsReader, number: Number) -> EntryOut:
    """A number's entry; 404 for one that may be called."""
    async with service.database.read() as connection:
        row = await do_not_call.get(connection, number)
    if row is None:
        raise not_found("number on the do-not-call list")
    return _entry(row)


@router.put("/{number}", response_model=EntryOut, responses=responses(401, 403, 409, 413, 422))
async def put_do_not_call(
    service: Serving, caller: CallsWriter, change: Changing, number: Number, wanted: EntryIn | None = None
) -> Response:
    """Put a number on the list; one that is there stays as it is."""
    (clean,) = _right([number])
    told: list[StoredEvent] = []

    async def put(connection: AsyncConnection) -> Done:
        now = utc_now()
        reason = wanted.reason if wanted else None
        new = await do_not_call.add(
            service.database,
            connection,
            [clean],
            source="api",
            reason=reason,
            key_id=caller.key_id,
            now=now,
        )
        if new:
            data = {"number": clean, "source": "api"} | ({"reason": reason} if reason else {})
            told.append(await line.tell(service.database, connection, "do_not_call.added", data, now))
        row = await do_not_call.get(connection, clean)
        assert row is not None, "it was just put there"
        return Done(200, _entry(row), mask(clean), {"new": bool(new)})

    response = await change.make(caller, "do_not_call.added", put)
    service.hub.publish(told)
    return response


@router.delete("/{number}", status_code=204, responses=responses(401, 403, 404, 409, 422))
async def remove_do_not_call(
    service: Serving, caller: CallsWriter, change: Changing, number: Number
) -> Response:
    """Take a number off the list: it may be called again."""
    told: list[StoredEvent] = []

    async def remove(connection: AsyncConnection) -> Done:
        if not await do_not_call.remove(connection, number):
            raise not_found("number on the do-not-call list")
        data = {"number": number, "source": "api"}
        told.append(await line.tell(service.database, connection, "do_not_call.removed", data, utc_now()))
        return Done(204, None, mask(number))

    response = await change.make(caller, "do_not_call.removed", remove)
    service.hub.publish(told)
    return response


def _entry(row: RowMapping) -> EntryOut:
    return EntryOut.model_validate(dict(row))
