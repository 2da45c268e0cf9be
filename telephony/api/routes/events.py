"""Take the sources' events in."""

from typing import cast

from fastapi import APIRouter
from pydantic import ValidationError

from telephony.api.access import EventsWriter
from telephony.api.models import Acknowledgement, EventBatch, IncomingEvent, Rejected
from telephony.api.problems import responses
from telephony.api.serving import Serving
from telephony.calls.events import EVENT_TYPES, Event, EventType
from telephony.calls.shapes import OF_THE_RECORD
from telephony.logs import get_logger
from telephony.store.stored import Incoming

log = get_logger(__name__)

router = APIRouter(prefix="/v1/events", tags=["events"])


@router.post("", responses=responses(401, 403, 413, 422))
async def take_events(service: Serving, caller: EventsWriter, batch: EventBatch) -> Acknowledgement:
    """Take accounts over; when this answers 200, all but the rejected ones are on disk.

    An account that was taken before is a duplicate and changes nothing, so after an error the whole
    batch is sent again. A rejected one can never be taken: one bad account does not hold up the others.
    """
    incoming, rejected = [], []
    for index, raw in enumerate(batch.events):
        try:
            incoming.append(_read(raw))
        except ValueError as error:
            rejected.append(Rejected(index=index, reason=str(error)))
    if rejected:
        log.warning("events_rejected", count=len(rejected), first=rejected[0].reason, key_id=caller.key_id)
    if not incoming:
        return Acknowledgement(stored=0, duplicates=0, erased=0, rejected=rejected, ended_calls=[])
    appended = await service.intake.append(incoming)
    return Acknowledgement(
        stored=appended.outcomes.count("stored"),
        duplicates=appended.outcomes.count("duplicate"),
        erased=appended.outcomes.count("erased"),
        rejected=rejected,
        ended_calls=sorted(appended.ended),
    )


def _read(raw: dict[str, object]) -> Incoming:
    try:
        given = IncomingEvent.model_validate(raw)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise ValueError(f"{where}: {problem['msg']}") from None
    if given.type not in EVENT_TYPES or given.type in OF_THE_RECORD:
        raise ValueError(f"type: no source may send {given.type!r}")
    event = Event(
        given.call_id,
        given.source,
        given.source_seq,
        cast("EventType", given.type),
        given.time,
        given.data,
    )
    return Incoming(event)
