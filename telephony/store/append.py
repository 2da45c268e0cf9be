"""Take events over: each is stored once, in one transaction with its call, its number and its deliveries.

Guarantee: once this has returned, the events are on disk, and the sender may forget them. The same
account told twice is one event, whatever died between.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Literal

import sqlalchemy as sa

from telephony.calls.reading import read_data
from telephony.calls.record import apply
from telephony.store import no_more_calls, recordings
from telephony.store.ledger import Ledger, Policy
from telephony.store.tables import call, event

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from telephony.store.database import Database
    from telephony.store.stored import Incoming, StoredEvent

_SETTLED_AT_ONCE = 200


@dataclass(slots=True)
class Appended:
    """What became of accounts that were taken over.

    ``outcomes``: for each account, in the order given: stored, duplicate, or erased with its call.
    ``ended``: which of their calls have ended, so that their sources expect to be done.
    """

    stored: list[StoredEvent] = field(default_factory=list)
    outcomes: list[Literal["stored", "duplicate", "erased"]] = field(default_factory=list)
    ended: set[str] = field(default_factory=set)


async def append(
    database: Database,
    connection: AsyncConnection,
    incoming: Sequence[Incoming],
    policy: Policy,
    now: datetime,
) -> Appended:
    """Store accounts of any calls, in the order given, inside a writing transaction."""
    ledger = Ledger(database, connection, policy, now)
    await ledger.open((each.event.call_id for each in incoming), create=True)
    digests = [each.digest() for each in incoming]
    known = await _known(connection, incoming, digests)
    done = Appended()
    touched: dict[str, None] = {}
    made: list[dict[str, Any]] = []
    demands: list[Incoming] = []
    for each, digest in zip(incoming, digests, strict=True):
        call_id = each.event.call_id
        if call_id in ledger.erased:
            done.outcomes.append("erased")
        elif (call_id, digest) in known:
            done.outcomes.append("duplicate")
        else:
            known.add((call_id, digest))
            touched[call_id] = None
            done.outcomes.append("stored")
            made += _take(ledger, each, digest, now)
            if each.event.type == "do_not_call.requested" and each.event.source == "job":
                demands.append(each)
    for call_id in touched:
        ledger.conclude(call_id)
    await recordings.register(connection, made)
    await recordings.refuse(connection, [ledger.sheets[call_id] for call_id in touched], now)
    done.ended = {call_id for call_id, sheet in ledger.sheets.items() if sheet.record.ended is not None}
    done.ended |= ledger.erased
    ledger.sheets = {call_id: ledger.sheets[call_id] for call_id in touched}
    done.stored = await ledger.close()
    asked = [(ledger.sheets[each.event.call_id].record, each.event.data) for each in demands]
    done.stored += await no_more_calls.obey(database, connection, asked, now)
    return done


def _take(ledger: Ledger, incoming: Incoming, digest: bytes, now: datetime) -> list[dict[str, Any]]:
    """Fold one account in; returns the rows of recordings that it announces."""
    happened = incoming.event
    sheet = ledger.sheets[happened.call_id]
    data = read_data(happened.type, happened.data)
    made = []
    if happened.type == "recording.ready":
        made.append(recordings.new_row(happened.call_id, data, data.get("path"), now))
        # Where the file lies on our disk is nobody's business but the keeper's.
        data["path"] = PurePath(data.get("path", "")).name
    seq = happened.source_seq
    if incoming.key is not None:
        seq = sheet.record.seen.get(happened.source, ((0, 0),))[-1][1] + 1
    applied = apply(sheet.record, replace(happened, data=data, source_seq=seq))
    sheet.record = applied.record
    ledger.tell(
        happened.call_id,
        applied.type,
        applied.data,
        source=happened.source,
        source_seq=seq,
        time=happened.time,
        digest=digest,
    )
    return made


async def _known(
    connection: AsyncConnection, incoming: Sequence[Incoming], digests: Sequence[bytes]
) -> set[tuple[str, bytes]]:
    """Which of these accounts are stored already."""
    keys = [(each.event.call_id, digest) for each, digest in zip(incoming, digests, strict=True)]
    known: set[tuple[str, bytes]] = set()
    for start in range(0, len(keys), _SETTLED_AT_ONCE):
        query = sa.select(event.c.call_id, event.c.digest).where(
            sa.tuple_(event.c.call_id, event.c.digest).in_(keys[start : start + _SETTLED_AT_ONCE])
        )
        known |= {(row.call_id, row.digest) for row in await connection.execute(query)}
    return known


async def settle_due(
    database: Database, connection: AsyncConnection, policy: Policy, now: datetime
) -> list[StoredEvent]:
    """End the calls whose witnesses were waited for long enough."""
    query = (
        sa.select(call.c.call_id)
        .where(call.c.settle_at <= now)
        .order_by(call.c.settle_at)
        .limit(_SETTLED_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    due = [row.call_id for row in await connection.execute(query)]
    ledger = Ledger(database, connection, policy, now)
    await ledger.open(due, create=False)
    for call_id in due:
        ledger.conclude(call_id, due=True)
    return await ledger.close()
