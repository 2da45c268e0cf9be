"""Events about the line itself, numbered in a sequence of their own, delivered like those of calls."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from telephony.calls.events import LINE
from telephony.store.outbox import enqueue
from telephony.store.stored import StoredEvent
from telephony.store.tables import counter, event

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from telephony.store.database import Database


async def tell(
    database: Database, connection: AsyncConnection, event_type: str, data: dict[str, Any], now: datetime
) -> StoredEvent:
    """Store one event of the line and queue it for the endpoints that want it."""
    number = database.insert(counter).values(name=LINE, value=1)
    # The counter's row is locked from here to the commit, so that the numbers have no gaps.
    taken = await connection.execute(
        number.on_conflict_do_update(
            index_elements=[counter.c.name], set_={"value": counter.c.value + 1}
        ).returning(counter.c.value)
    )
    stored = StoredEvent(
        call_id=LINE,
        seq=taken.scalar_one(),
        type=event_type,
        source="record",
        source_seq=0,
        time=now,
        received_at=now,
        late=False,
        data=data,
    )
    row = {name: getattr(stored, name) for name in StoredEvent.__slots__}
    row["digest"] = hashlib.sha256(f"{LINE} {stored.seq}".encode()).digest()[:16]
    await connection.execute(sa.insert(event).values(row))
    await enqueue(database, connection, [stored], now)
    return stored
