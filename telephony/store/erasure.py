"""Delete what must not be kept: one call wholly, and whatever has outlived its use.

A call is gone with its events, its deliveries and their attempts; the files of its recordings are
deleted first, by whoever calls ``erase``. Only its id stays, so that an account that comes later
cannot bring the call back.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from telephony.store import guard
from telephony.store.tables import (
    attempt,
    audit,
    call,
    delivery,
    dial,
    erased_call,
    event,
    idempotency,
    lane,
    recording,
)

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from telephony.store.database import Database

IDEMPOTENCY_KEPT = timedelta(days=2)
DELIVERIES_KEPT = timedelta(days=30)
AUDIT_KEPT = timedelta(days=400)
_BATCH = 2_000


async def erase(
    database: Database, connection: AsyncConnection, call_id: str, reason: str, now: datetime
) -> bool:
    """Remove every row of a call; False when there is no such call."""
    found = await connection.execute(
        sa.select(call.c.call_id).where(call.c.call_id == call_id).with_for_update()
    )
    if found.one_or_none() is None:
        return False
    mark = database.insert(erased_call).values(call_id=call_id, erased_at=now, reason=reason)
    await connection.execute(mark.on_conflict_do_nothing())
    deliveries = sa.select(delivery.c.delivery_id).where(delivery.c.call_id == call_id)
    await connection.execute(sa.delete(lane).where(lane.c.call_id == call_id))
    await connection.execute(sa.delete(attempt).where(attempt.c.delivery_id.in_(deliveries)))
    for table in (delivery, event, recording, dial, call):
        await connection.execute(sa.delete(table).where(table.c.call_id == call_id))
    return True


async def expired_calls(connection: AsyncConnection, now: datetime, limit: int = 100) -> list[str]:
    """Calls whose time is over."""
    query = sa.select(call.c.call_id).where(call.c.expires_at <= now).order_by(call.c.expires_at)
    return [row.call_id for row in await connection.execute(query.limit(limit))]


async def purge(connection: AsyncConnection, now: datetime) -> int:
    """Remove rows that have outlived their use, a bounded number at a time; returns how many went."""
    removed = 0
    finished = sa.and_(
        delivery.c.status != sa.literal_column("'pending'"), delivery.c.created_at < now - DELIVERIES_KEPT
    )
    for table, key, outlived in (
        (attempt, attempt.c.attempt_id, attempt.c.at < now - DELIVERIES_KEPT),
        (audit, audit.c.audit_id, audit.c.at < now - AUDIT_KEPT),
        (delivery, delivery.c.delivery_id, finished),
    ):
        old = sa.select(key).where(outlived).limit(_BATCH)
        done = await connection.execute(sa.delete(table).where(key.in_(old)))
        removed += done.rowcount
    done = await connection.execute(
        sa.delete(idempotency).where(idempotency.c.created_at < now - IDEMPOTENCY_KEPT)
    )
    return removed + done.rowcount + await guard.purge(connection, now)
