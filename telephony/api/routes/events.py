"""Take the sources' events in."""

from fastapi import APIRouter

from telephony.api.access import EventsWriter
from telephony.api.models import Acknowledgement, EventBatch
from telephony.api.problems import responses
from telephony.api.serving import Serving
from telephony.api.taking import take
from telephony.logs import get_logger

log = get_logger(__name__)

router = APIRouter(prefix="/v1/events", tags=["events"])


@router.post("", responses=responses(401, 403, 413, 422))
async def take_events(service: Serving, caller: EventsWriter, batch: EventBatch) -> Acknowledgement:
    """Take accounts over; when this answers 200, all but the rejected ones are on disk.

    An account that was taken before is a duplicate and changes nothing, so after an error the whole
    batch is sent again. A rejected one can never be taken: one bad account does not hold up the others.
    """
    done = await take(service.intake, batch.events)
    if done.rejected:
        log.warning(
            "events_rejected", count=len(done.rejected), first=done.rejected[0].reason, key_id=caller.key_id
        )
    return done
