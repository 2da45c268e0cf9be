"""One answer for one ``Idempotency-Key``: inserting the key's row is the lock.

The row is written in the transaction that makes the change, with the answer, so that a change
without its answer, or an answer without its change, cannot be left behind by a crash.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from telephony.store.tables import idempotency

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from telephony.store.database import Database


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a key was answered with, and whether the request was this one."""

    same_request: bool
    status: int
    response: Any


async def claim(
    database: Database,
    connection: AsyncConnection,
    *,
    key_id: str,
    idempotency_key: str,
    request_hash: bytes,
    now: datetime,
) -> Remembered | None:
    """Take a key for this request; None when it is ours, and ``remember`` has to follow.

    A second request with the same key waits here until the first one's transaction is over.
    """
    insert = database.insert(idempotency).values(
        key_id=key_id, idempotency_key=idempotency_key, request_hash=request_hash, created_at=now
    )
    taken = await connection.execute(insert.on_conflict_do_nothing().returning(idempotency.c.idempotency_key))
    if taken.one_or_none() is not None:
        return None
    query = sa.select(idempotency).where(_row(key_id, idempotency_key))
    row = (await connection.execute(query)).mappings().one()
    return Remembered(bytes(row["request_hash"]) == request_hash, row["status"], row["response"])


async def remember(
    connection: AsyncConnection, *, key_id: str, idempotency_key: str, status: int, response: Any
) -> None:
    """Keep the answer that belongs to a key taken in this transaction."""
    await connection.execute(
        sa.update(idempotency).where(_row(key_id, idempotency_key)).values(status=status, response=response)
    )


async def forget(connection: AsyncConnection, *, key_id: str, idempotency_key: str) -> None:
    """Let a key taken in this transaction go: its request was not done and may come again."""
    await connection.execute(sa.delete(idempotency).where(_row(key_id, idempotency_key)))


def _row(key_id: str, idempotency_key: str) -> sa.ColumnElement[bool]:
    return sa.and_(idempotency.c.key_id == key_id, idempotency.c.idempotency_key == idempotency_key)
