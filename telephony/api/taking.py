"""Take accounts over from sources, over HTTP or from this machine's own spool."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError

from telephony.api.models import Acknowledgement, IncomingEvent, Rejected
from telephony.calls.events import EVENT_TYPES, Event, EventType
from telephony.calls.shapes import OF_THE_RECORD
from telephony.spool_forwarder import Taken
from telephony.store.stored import Incoming

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telephony.store.intake import Intake


async def take(intake: Intake, raw_events: Sequence[dict[str, Any]]) -> Acknowledgement:
    """Take a batch over; what is not rejected is on disk when this returns.

    Raises:
        StoreError: nothing of the batch was taken; it may be sent again.
    """
    incoming, rejected = [], []
    for index, raw in enumerate(raw_events):
        try:
            incoming.append(_read(raw))
        except ValueError as error:
            rejected.append(Rejected(index=index, reason=str(error)))
    if not incoming:
        return Acknowledgement(stored=0, duplicates=0, erased=0, rejected=rejected, ended_calls=[])
    appended = await intake.append(incoming)
    return Acknowledgement(
        stored=appended.outcomes.count("stored"),
        duplicates=appended.outcomes.count("duplicate"),
        erased=appended.outcomes.count("erased"),
        rejected=rejected,
        ended_calls=sorted(appended.ended),
    )


def _read(raw: dict[str, Any]) -> Incoming:
    try:
        given = IncomingEvent.model_validate(raw)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise ValueError(f"{where}: {problem['msg']}") from None
    if given.type not in EVENT_TYPES or given.type in OF_THE_RECORD:
        raise ValueError(f"type: no source may send {given.type!r}")
    event_type = cast("EventType", given.type)
    return Incoming(Event(given.call_id, given.source, given.source_seq, event_type, given.time, given.data))


class OwnSpool:
    """The sink of this machine's own spool: straight into the record."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def take(self, events: Sequence[dict[str, Any]]) -> Taken:
        """See ``telephony.spool_forwarder.Sink``."""
        done = await take(self._intake, events)
        return Taken(frozenset(done.ended_calls), {each.index: each.reason for each in done.rejected})
