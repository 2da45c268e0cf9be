"""Rows of recordings: what the audio path left, what is in the store, what has to be deleted.

A recording goes pending → stored → deleted. The steps that touch files are done outside of the
transaction by whoever holds the row's due time, and each can be repeated after a crash.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from uuid_utils import uuid7

from telephony.store.tables import recording

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import RowMapping
    from sqlalchemy.ext.asyncio import AsyncConnection

    from telephony.store.ledger import Sheet

ATTEMPT_LEASE_S = 120.0
"""How long one replica keeps a recording to itself while it moves or deletes the file."""


def new_row(call_id: str, data: dict[str, Any], path: str | None, now: datetime) -> dict[str, Any]:
    """The row of a recording whose file lies at ``path``."""
    began = data.get("started_at")
    return {
        "recording_id": f"rec_{uuid7().hex}",
        "call_id": call_id,
        "status": "pending",
        "source_path": path,
        "format": str(data.get("format", "wav"))[:16],
        "channels": data.get("channels"),
        "sample_rate": data.get("sample_rate"),
        "duration_s": data.get("duration_s"),
        "started_at": datetime.fromisoformat(began) if began else None,
        "attempts": 0,
        "due_at": now,
        "created_at": now,
    }


async def register(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Write new recordings down, to be stored as soon as possible."""
    if rows:
        await connection.execute(sa.insert(recording), rows)


async def refuse(connection: AsyncConnection, sheets: Sequence[Sheet], now: datetime) -> None:
    """A party refused to be recorded: everything kept of these calls is due to be deleted."""
    calls = [sheet.record.call_id for sheet in sheets if sheet.record.value("recording_refused_at")]
    if calls:
        await connection.execute(
            sa.update(recording)
            .where(recording.c.call_id.in_(calls), recording.c.status.in_(("pending", "stored")))
            .values(status="deleting", reason="refused", due_at=now, attempts=0)
        )


async def claim_due(connection: AsyncConnection, now: datetime, limit: int) -> list[RowMapping]:
    """Take recordings whose file has to be stored or deleted; others leave them alone for a while."""
    pick = (
        sa.select(recording.c.recording_id)
        .where(recording.c.due_at <= now)
        .order_by(recording.c.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("pick")
    )
    taken = await connection.execute(
        sa.update(recording)
        .where(recording.c.recording_id.in_(sa.select(pick.c.recording_id)))
        .values(due_at=now + timedelta(seconds=ATTEMPT_LEASE_S), attempts=recording.c.attempts + 1)
        .returning(recording)
    )
    return list(taken.mappings())


async def expire(connection: AsyncConnection, now: datetime) -> int:
    """Mark stored recordings whose time is over; returns how many."""
    done = await connection.execute(
        sa.update(recording)
        .where(recording.c.expires_at <= now, recording.c.status == "stored")
        .values(status="deleting", reason="retention", due_at=now, attempts=0)
    )
    return done.rowcount


async def of_call(connection: AsyncConnection, call_id: str) -> list[RowMapping]:
    """Every recording of a call, oldest first."""
    query = sa.select(recording).where(recording.c.call_id == call_id).order_by(recording.c.recording_id)
    return list((await connection.execute(query)).mappings())


async def update(connection: AsyncConnection, recording_id: str, **values: Any) -> None:
    """Change a recording's row."""
    await connection.execute(
        sa.update(recording).where(recording.c.recording_id == recording_id).values(**values)
    )
