"""Rows of webhook endpoints, with the secrets that sign for them.

Secrets are kept readable, since they have to sign; they are shown once, when they are made.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from uuid_utils import uuid7

from telephony.store.tables import delivery, endpoint, lane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import RowMapping
    from sqlalchemy.ext.asyncio import AsyncConnection


async def create(
    connection: AsyncConnection,
    *,
    url: str,
    types: Sequence[str],
    description: str,
    secret: str,
    now: datetime,
    origin: str = "api",
    endpoint_id: str | None = None,
) -> RowMapping:
    """A new, enabled endpoint. ``origin``: api, or file for one of the operator's file."""
    row = {
        "endpoint_id": endpoint_id or f"whe_{uuid7().hex}",
        "url": url,
        "description": description,
        "types": list(types),
        "secrets": [_secret(secret, now)],
        "origin": origin,
        "enabled": True,
        "created_at": now,
        "updated_at": now,
    }
    made = await connection.execute(sa.insert(endpoint).values(row).returning(endpoint))
    stored: RowMapping = made.mappings().one()
    return stored


def _secret(secret: str, now: datetime) -> dict[str, Any]:
    return {"secret": secret, "created_at": now.isoformat(), "expires_at": None}


def valid_secrets(secrets: Sequence[dict[str, Any]], now: datetime) -> list[str]:
    """The secrets that sign at an instant, newest first."""
    return [
        entry["secret"]
        for entry in reversed(secrets)
        if entry["expires_at"] is None or datetime.fromisoformat(entry["expires_at"]) > now
    ]


async def rotate(
    connection: AsyncConnection, endpoint_id: str, secret: str, *, overlap_s: float, now: datetime
) -> bool:
    """Give an endpoint a new secret; the old ones go on signing beside it for ``overlap_s``."""
    row = await get(connection, endpoint_id, lock=True)
    if row is None:
        return False
    until = now + timedelta(seconds=overlap_s)
    kept = []
    for entry in row["secrets"]:
        expires = datetime.fromisoformat(entry["expires_at"]) if entry["expires_at"] else until
        if min(expires, until) > now:
            kept.append({**entry, "expires_at": min(expires, until).isoformat()})
    await change(connection, endpoint_id, now, secrets=[*kept, _secret(secret, now)])
    return True


async def get(connection: AsyncConnection, endpoint_id: str, *, lock: bool = False) -> RowMapping | None:
    """One endpoint's whole row, secrets included."""
    query = sa.select(endpoint).where(endpoint.c.endpoint_id == endpoint_id)
    if lock:
        query = query.with_for_update()
    return (await connection.execute(query)).mappings().one_or_none()


async def every(connection: AsyncConnection) -> Sequence[RowMapping]:
    """All endpoints, oldest first."""
    query = sa.select(endpoint).order_by(endpoint.c.created_at, endpoint.c.endpoint_id)
    return (await connection.execute(query)).mappings().all()


async def change(connection: AsyncConnection, endpoint_id: str, now: datetime, **values: Any) -> bool:
    """Change an endpoint; False when there is none."""
    done = await connection.execute(
        sa.update(endpoint).where(endpoint.c.endpoint_id == endpoint_id).values(updated_at=now, **values)
    )
    return done.rowcount > 0


async def disable(connection: AsyncConnection, endpoint_id: str, reason: str, now: datetime) -> bool:
    """Stop sending to an endpoint; what waits for it becomes dead letters, which can be replayed.

    Returns:
        False when it was disabled already, or is gone.
    """
    done = await connection.execute(
        sa.update(endpoint)
        .where(endpoint.c.endpoint_id == endpoint_id, endpoint.c.enabled)
        .values(enabled=False, disabled_reason=reason[:200], updated_at=now)
    )
    if done.rowcount:
        await _bury(connection, endpoint_id, reason, now)
    return bool(done.rowcount)


async def _bury(connection: AsyncConnection, endpoint_id: str, reason: str, now: datetime) -> None:
    # The lanes first: a sender that still has one finds its lease gone and writes nothing.
    await connection.execute(sa.delete(lane).where(lane.c.endpoint_id == endpoint_id))
    await connection.execute(
        sa.update(delivery)
        .where(delivery.c.endpoint_id == endpoint_id, delivery.c.status == sa.literal_column("'pending'"))
        .values(status="dead", finished_at=now, error=reason[:300])
    )


async def delete(connection: AsyncConnection, endpoint_id: str) -> bool:
    """Remove an endpoint with its queue and its history; False when there is none."""
    await connection.execute(sa.delete(lane).where(lane.c.endpoint_id == endpoint_id))
    await connection.execute(sa.delete(delivery).where(delivery.c.endpoint_id == endpoint_id))
    done = await connection.execute(sa.delete(endpoint).where(endpoint.c.endpoint_id == endpoint_id))
    return done.rowcount > 0
