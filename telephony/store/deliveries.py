"""Read deliveries, and queue past events again.

A replay makes new deliveries of stored events: they keep their event's id, so that a receiver that
has it already can tell, and they go to the end of their call's lane.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from telephony.calls.events import EVENT_TYPES, LINE_EVENT_TYPES, selects
from telephony.store.outbox import open_lanes
from telephony.store.tables import attempt, delivery, event, lane

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import RowMapping
    from sqlalchemy.ext.asyncio import AsyncConnection

    from telephony.store.database import Database

MOST_REPLAYED = 10_000
"""Deliveries that one request may queue; what is left over is said, and asked for again."""


async def page(
    connection: AsyncConnection,
    *,
    endpoint_id: str | None = None,
    call_id: str | None = None,
    status: str | None = None,
    before: int | None = None,
    limit: int,
) -> Sequence[RowMapping]:
    """Deliveries, newest first, with the id under which each is listed."""
    query = sa.select(delivery, event.c.type).join(
        event,
        sa.and_(event.c.call_id == delivery.c.call_id, event.c.seq == delivery.c.seq),
        isouter=True,
    )
    if endpoint_id is not None:
        query = query.where(delivery.c.endpoint_id == endpoint_id)
    if call_id is not None:
        query = query.where(delivery.c.call_id == call_id)
    if status is not None:
        # Written as literals, so that the partial indexes of pending and dead rows can be used.
        query = query.where(delivery.c.status == sa.literal_column(_STATUS[status]))
    if before is not None:
        query = query.where(delivery.c.delivery_id < before)
    query = query.order_by(delivery.c.delivery_id.desc()).limit(limit)
    return (await connection.execute(query)).mappings().all()


_STATUS = {"pending": "'pending'", "delivered": "'delivered'", "dead": "'dead'"}


async def get(connection: AsyncConnection, delivery_id: int) -> RowMapping | None:
    """One delivery, with its event's type."""
    query = (
        sa.select(delivery, event.c.type)
        .join(
            event,
            sa.and_(event.c.call_id == delivery.c.call_id, event.c.seq == delivery.c.seq),
            isouter=True,
        )
        .where(delivery.c.delivery_id == delivery_id)
    )
    return (await connection.execute(query)).mappings().one_or_none()


async def attempts_of(connection: AsyncConnection, delivery_id: int) -> Sequence[RowMapping]:
    """Every attempt at a delivery, oldest first."""
    query = sa.select(attempt).where(attempt.c.delivery_id == delivery_id).order_by(attempt.c.attempt_id)
    return (await connection.execute(query)).mappings().all()


@dataclass(frozen=True, slots=True)
class Replay:
    """Which events to send again to one endpoint; every given condition must hold.

    ``only_dead``: those alone whose delivery to this endpoint died and that it never got.
    """

    endpoint_id: str
    types: tuple[str, ...] = ("*",)
    call_id: str | None = None
    from_seq: int | None = None
    to_seq: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    only_dead: bool = False


@dataclass(frozen=True, slots=True)
class Replayed:
    """``queued`` deliveries; when ``more`` is left over, ask again from ``next_since`` on."""

    queued: int
    more: bool
    next_since: datetime | None


async def replay(database: Database, connection: AsyncConnection, wanted: Replay, now: datetime) -> Replayed:
    """Queue stored events for an endpoint again, oldest first."""
    chosen = await _choose(connection, wanted)
    more = len(chosen) > MOST_REPLAYED
    next_since = None
    if more:
        # Events of one transaction share their instant: they are all left over, so that none is queued twice.
        next_since = chosen[MOST_REPLAYED]["received_at"]
        chosen = [row for row in chosen if row["received_at"] < next_since] or chosen
    rows = [
        {
            "endpoint_id": wanted.endpoint_id,
            "call_id": row["call_id"],
            "seq": row["seq"],
            "status": "pending",
            "attempts": 0,
            "replay": True,
            "created_at": now,
        }
        for row in chosen[:MOST_REPLAYED]
    ]
    if rows:
        await connection.execute(sa.insert(delivery), rows)
        lanes = {(wanted.endpoint_id, row["call_id"]) for row in rows}
        await open_lanes(database, connection, lanes, now)
    return Replayed(len(rows), more, next_since)


async def _choose(connection: AsyncConnection, wanted: Replay) -> Sequence[RowMapping]:
    query = sa.select(event.c.call_id, event.c.seq, event.c.received_at)
    known = EVENT_TYPES | LINE_EVENT_TYPES
    types = sorted(name for name in known if selects(wanted.types, name))
    if len(types) < len(known):
        query = query.where(event.c.type.in_(types))
    if wanted.call_id is not None:
        query = query.where(event.c.call_id == wanted.call_id)
    if wanted.from_seq is not None:
        query = query.where(event.c.seq >= wanted.from_seq)
    if wanted.to_seq is not None:
        query = query.where(event.c.seq <= wanted.to_seq)
    if wanted.since is not None:
        query = query.where(event.c.received_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(event.c.received_at < wanted.until)
    if wanted.only_dead:
        query = query.where(_with_status(wanted.endpoint_id, "dead"))
        query = query.where(~_with_status(wanted.endpoint_id, "delivered"))
        query = query.where(~_with_status(wanted.endpoint_id, "pending"))
    query = query.order_by(event.c.received_at, event.c.call_id, event.c.seq).limit(MOST_REPLAYED + 1)
    return (await connection.execute(query)).mappings().all()


def _with_status(endpoint_id: str, status: str) -> sa.ColumnElement[bool]:
    return (
        sa.select(delivery.c.delivery_id)
        .where(
            delivery.c.endpoint_id == endpoint_id,
            delivery.c.call_id == event.c.call_id,
            delivery.c.seq == event.c.seq,
            delivery.c.status == sa.literal_column(_STATUS[status]),
        )
        .exists()
    )


async def hasten(connection: AsyncConnection, endpoint_id: str, now: datetime) -> None:
    """Make everything that waits for an endpoint due now: it is back."""
    await connection.execute(
        sa.update(lane)
        .where(lane.c.endpoint_id == endpoint_id, lane.c.due_at > now, lane.c.lease_owner.is_(None))
        .values(due_at=now)
    )


async def backlog(connection: AsyncConnection) -> dict[str, tuple[int, datetime]]:
    """Per endpoint with something pending: how many deliveries, and since when the oldest waits."""
    query = (
        sa.select(
            delivery.c.endpoint_id,
            sa.func.count().label("pending"),
            sa.func.min(delivery.c.created_at).label("oldest"),
        )
        .where(delivery.c.status == sa.literal_column("'pending'"))
        .group_by(delivery.c.endpoint_id)
    )
    found = (await connection.execute(query)).all()
    return {row.endpoint_id: (row.pending, row.oldest) for row in found}
