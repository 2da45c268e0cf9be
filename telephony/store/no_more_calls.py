"""Who said on the phone that they do not want to be called again is put on the do-not-call list at once.

In the transaction that stores what they said: as soon as the event is on disk, so is the number. The number
is the record's own of the call, so that no event can put somebody else's there; what the job knows counts
only where the record has none yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from telephony.calls.party import party
from telephony.calls.summary import parties
from telephony.logs import get_logger
from telephony.numbers import mask
from telephony.store import audit, do_not_call, line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from telephony.calls.record import CallRecord
    from telephony.store.database import Database
    from telephony.store.stored import StoredEvent

log = get_logger(__name__)

BY_CALL = "line"
"""Stands in the audit in place of a key: nobody asked over the api."""


async def obey(
    database: Database,
    connection: AsyncConnection,
    demands: Iterable[tuple[CallRecord, Mapping[str, Any]]],
    now: datetime,
) -> list[StoredEvent]:
    """Put the numbers of some calls on the list; returns what is to be told of that.

    Args:
        demands: the call's record and the data of its ``do_not_call.requested``.
    """
    told: list[StoredEvent] = []
    for record, data in demands:
        number = far_number(record, data)
        if number is None:
            log.warning("do_not_call_without_number", call_id=record.call_id)
            continue
        phrase = str(data.get("phrase") or "") or None
        new = await do_not_call.add(
            database, connection, [number], source="call", reason=phrase, call_id=record.call_id, now=now
        )
        if not new:
            continue
        detail = {"call_id": record.call_id, "phrase": phrase}
        await audit.write(
            connection,
            key_id=BY_CALL,
            action="do_not_call.added",
            target=mask(number),
            detail=detail,
            remote="",
            now=now,
        )
        fact = {"number": number, "source": "call", "reason": phrase, "call_id": record.call_id}
        kept = {name: value for name, value in fact.items() if value is not None}
        told.append(await line.tell(database, connection, "do_not_call.added", kept, now))
        log.info("do_not_call_added", call_id=record.call_id)
    return told


def far_number(record: CallRecord, data: Mapping[str, Any]) -> str | None:
    """The number of the other side in E.164; None where it is withheld or no number."""
    far = parties(record)["to" if record.direction == "outbound" else "from"]
    if far is not None:
        return str(far["e164"]) if far["e164"] else None
    told = data.get("number")
    return party(str(told)).e164 if told else None
