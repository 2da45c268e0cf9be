"""Rows of API keys: hashes, scopes, when they were used. The keys themselves are never stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from telephony.store.tables import api_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import RowMapping
    from sqlalchemy.ext.asyncio import AsyncConnection


async def create(
    connection: AsyncConnection,
    *,
    key_id: str,
    key_hash: bytes,
    name: str,
    scopes: Sequence[str],
    expires_at: datetime | None,
    now: datetime,
    dial_limits: Mapping[str, Any] | None = None,
) -> RowMapping:
    """A new key's row; ``dial_limits``: its own caps on calls out, by the names of ``outbound.per_key``."""
    made = await connection.execute(
        sa.insert(api_key)
        .values(
            key_id=key_id,
            hash=key_hash,
            name=name,
            scopes=list(scopes),
            created_at=now,
            expires_at=expires_at,
            dial_limits=dict(dial_limits) if dial_limits else None,
        )
        .returning(api_key)
    )
    row: RowMapping = made.mappings().one()
    return row


async def get(connection: AsyncConnection, key_id: str) -> RowMapping | None:
    """One key's row."""
    query = sa.select(api_key).where(api_key.c.key_id == key_id)
    return (await connection.execute(query)).mappings().one_or_none()


async def every(connection: AsyncConnection) -> Sequence[RowMapping]:
    """All keys, oldest first, revoked ones included."""
    query = sa.select(api_key).order_by(api_key.c.created_at, api_key.c.key_id)
    return (await connection.execute(query)).mappings().all()


async def revoke(connection: AsyncConnection, key_id: str, now: datetime) -> bool:
    """Make a key worthless; False when it was already, or is unknown."""
    done = await connection.execute(
        sa.update(api_key)
        .where(api_key.c.key_id == key_id, api_key.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    return done.rowcount > 0


async def used(connection: AsyncConnection, at: Mapping[str, datetime]) -> None:
    """Write down when keys were last used."""
    if at:
        await connection.execute(
            sa.update(api_key)
            .where(api_key.c.key_id == sa.bindparam("the_key"))
            .values(last_used_at=sa.bindparam("at")),
            [{"the_key": key_id, "at": instant} for key_id, instant in at.items()],
        )
