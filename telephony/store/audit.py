"""Who changed what: one row for each change, written in the change's own transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from telephony.store.tables import audit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import RowMapping
    from sqlalchemy.ext.asyncio import AsyncConnection


async def write(
    connection: AsyncConnection,
    *,
    key_id: str,
    action: str,
    target: str,
    detail: dict[str, Any],
    remote: str,
    now: datetime,
) -> None:
    """One change. ``detail`` never holds a secret."""
    await connection.execute(
        sa.insert(audit).values(
            at=now,
            key_id=key_id,
            action=action,
            target=target[:128],
            detail=detail,
            remote=remote[:64],
        )
    )


async def page(connection: AsyncConnection, *, before: int | None = None, limit: int) -> Sequence[RowMapping]:
    """Changes, newest first."""
    query = sa.select(audit)
    if before is not None:
        query = query.where(audit.c.audit_id < before)
    return (await connection.execute(query.order_by(audit.c.audit_id.desc()).limit(limit))).mappings().all()
