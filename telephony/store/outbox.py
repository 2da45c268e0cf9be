"""The queue of deliveries: filled in the transaction that stores the event, emptied under a fenced lease.

A lane is one endpoint's queue of one call. Whoever leases a lane is alone with it until the lease runs
out; every step it writes down asks for its own lease again, so that a sender that was thought dead
changes nothing. At least once, in order per call and endpoint; lanes do not wait for each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from telephony.calls.events import selects
from telephony.store.stored import StoredEvent
from telephony.store.tables import attempt, delivery, endpoint, event, lane

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from telephony.store.database import Database

PER_LANE = 32
"""How many deliveries of a lane are handed over at once."""

_PER_STATEMENT = 500


@dataclass(frozen=True, slots=True)
class Due:
    """One delivery that is to be tried."""

    delivery_id: int
    attempts: int
    created_at: datetime
    event: StoredEvent


@dataclass(frozen=True, slots=True)
class Lease:
    """One lane that is ours until ``until``, with the first of its pending deliveries, in order."""

    endpoint_id: str
    call_id: str
    until: datetime
    deliveries: tuple[Due, ...]


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt, and what it makes of its delivery: ``delivered``, ``dead``, or ``pending`` still."""

    delivery_id: int
    status: str
    at: datetime
    duration_ms: int
    http_status: int | None
    error: str | None
    response: str | None


@dataclass(frozen=True, slots=True)
class Step:
    """What one attempt on a lane leads to.

    ``due_at``: None to keep the lease and go on with the lane's next delivery; else the lane is given
    back and is due again then, or is gone when nothing is pending on it. ``renew``: begin the lease anew.
    """

    endpoint_id: str
    call_id: str
    tried: Tried | None
    due_at: datetime | None
    renew: bool = False


async def enqueue(
    database: Database, connection: AsyncConnection, events: Sequence[StoredEvent], now: datetime
) -> int:
    """Queue new events for every enabled endpoint that wants them; returns how many deliveries that made."""
    wanted = await _subscriptions(connection)
    rows = [
        {
            "endpoint_id": endpoint_id,
            "call_id": stored.call_id,
            "seq": stored.seq,
            "status": "pending",
            "attempts": 0,
            "replay": False,
            "created_at": now,
        }
        for endpoint_id, types in wanted
        for stored in events
        if selects(types, stored.type)
    ]
    if rows:
        await connection.execute(sa.insert(delivery), rows)
        lanes = {(row["endpoint_id"], row["call_id"]) for row in rows}
        await open_lanes(database, connection, lanes, now)
    return len(rows)


async def _subscriptions(connection: AsyncConnection) -> list[tuple[str, list[str]]]:
    query = sa.select(endpoint.c.endpoint_id, endpoint.c.types).where(endpoint.c.enabled)
    return [(row.endpoint_id, row.types) for row in await connection.execute(query)]


async def open_lanes(
    database: Database, connection: AsyncConnection, lanes: Iterable[tuple[Any, Any]], now: datetime
) -> None:
    """See that each lane exists; one that waits for a retry goes on waiting.

    Lanes are taken in one order by everybody, so that two transactions never wait for each other.
    """
    statement = database.insert(lane)
    # The update changes nothing, but it waits for a sender that is just closing the lane.
    statement = statement.on_conflict_do_update(
        index_elements=[lane.c.endpoint_id, lane.c.call_id], set_={"due_at": lane.c.due_at}
    )
    rows = [
        {"endpoint_id": endpoint_id, "call_id": call_id, "due_at": now}
        for endpoint_id, call_id in sorted(lanes)
    ]
    await connection.execute(statement, rows)


async def endpoints_due(connection: AsyncConnection, now: datetime) -> set[str]:
    """The enabled endpoints that have something to be tried now."""
    due = (
        sa.select(lane.c.endpoint_id)
        .where(lane.c.endpoint_id == endpoint.c.endpoint_id, lane.c.due_at <= now, _free(now))
        .exists()
    )
    rows = await connection.execute(sa.select(endpoint.c.endpoint_id).where(endpoint.c.enabled, due))
    return {row.endpoint_id for row in rows}


async def claim(
    connection: AsyncConnection, endpoint_id: str, owner: str, *, limit: int, now: datetime, lease_s: float
) -> list[Lease]:
    """Lease up to ``limit`` lanes of one endpoint that are due."""
    until = now + timedelta(seconds=lease_s)
    pick = (
        sa.select(lane.c.endpoint_id, lane.c.call_id)
        .where(lane.c.endpoint_id == endpoint_id, lane.c.due_at <= now, _free(now))
        .order_by(lane.c.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("pick")
    )
    taken = await connection.execute(
        sa.update(lane)
        .where(lane.c.endpoint_id == endpoint_id, lane.c.call_id.in_(sa.select(pick.c.call_id)))
        .values(lease_owner=owner, lease_until=until)
        .returning(lane.c.call_id)
    )
    calls = [row.call_id for row in taken]
    if not calls:
        return []
    waiting = await _pending(connection, endpoint_id, calls)
    return [Lease(endpoint_id, call_id, until, tuple(waiting.get(call_id, ()))) for call_id in calls]


def _free(now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(lane.c.lease_until.is_(None), lane.c.lease_until < now)


async def _pending(
    connection: AsyncConnection, endpoint_id: str, calls: Sequence[str]
) -> dict[str, list[Due]]:
    place = (
        sa.func.row_number()
        .over(partition_by=delivery.c.call_id, order_by=delivery.c.delivery_id)
        .label("place")
    )
    heads = (
        sa.select(delivery, place)
        .where(
            delivery.c.endpoint_id == endpoint_id,
            delivery.c.call_id.in_(calls),
            delivery.c.status == sa.literal_column("'pending'"),
        )
        .subquery()
    )
    query = (
        sa.select(
            heads.c.delivery_id, heads.c.attempts, heads.c.created_at.label("queued_at"), *event.columns
        )
        .join(event, sa.and_(event.c.call_id == heads.c.call_id, event.c.seq == heads.c.seq))
        .where(heads.c.place <= PER_LANE)
        .order_by(heads.c.delivery_id)
    )
    waiting: dict[str, list[Due]] = {}
    for row in (await connection.execute(query)).mappings():
        due = Due(row["delivery_id"], row["attempts"], row["queued_at"], StoredEvent.from_row(row))
        waiting.setdefault(row["call_id"], []).append(due)
    return waiting


async def release(connection: AsyncConnection, owner: str | None = None) -> int:
    """Give back every lane of one sender, or of all where no other can be alive; returns how many."""
    held = lane.c.lease_owner.is_not(None) if owner is None else lane.c.lease_owner == owner
    done = await connection.execute(sa.update(lane).where(held).values(lease_owner=None, lease_until=None))
    return done.rowcount


async def record_steps(
    connection: AsyncConnection, owner: str, steps: Sequence[Step], *, now: datetime, lease_s: float
) -> set[tuple[str, str]]:
    """Write down what attempts led to.

    Returns:
        The lanes whose lease was ours no longer: of those nothing was written, and whoever has them now
        tries again.
    """
    ordered = sorted(steps, key=lambda step: (step.endpoint_id, step.call_id))
    ours = await _hold(connection, owner, ordered)
    lost = {(step.endpoint_id, step.call_id) for step in ordered} - ours
    valid = [step for step in ordered if (step.endpoint_id, step.call_id) in ours]
    await _finish(connection, [step.tried for step in valid if step.tried])
    await _extend(connection, [step for step in valid if step.renew and step.due_at is None], now, lease_s)
    await _give_back(connection, [step for step in valid if step.due_at is not None])
    return lost


async def _hold(connection: AsyncConnection, owner: str, steps: Sequence[Step]) -> set[tuple[str, str]]:
    """Lock the lanes that are still ours, so that nobody adds to them or takes them meanwhile."""
    held: set[tuple[str, str]] = set()
    keys = sorted({(step.endpoint_id, step.call_id) for step in steps})
    for part in _parts(keys):
        query = (
            sa.select(lane.c.endpoint_id, lane.c.call_id)
            .where(sa.tuple_(lane.c.endpoint_id, lane.c.call_id).in_(part), lane.c.lease_owner == owner)
            .order_by(lane.c.endpoint_id, lane.c.call_id)
            .with_for_update()
        )
        held |= {(row.endpoint_id, row.call_id) for row in await connection.execute(query)}
    return held


async def _finish(connection: AsyncConnection, tried: Sequence[Tried]) -> None:
    if not tried:
        return
    failed = [
        {
            "delivery_id": each.delivery_id,
            "at": each.at,
            "duration_ms": each.duration_ms,
            "http_status": each.http_status,
            "error": each.error,
            "response": each.response,
        }
        for each in tried
        if each.status != "delivered"
    ]
    if failed:
        await connection.execute(sa.insert(attempt), failed)
    await connection.execute(
        sa.update(delivery)
        .where(delivery.c.delivery_id == sa.bindparam("the_delivery"))
        .values(
            status=sa.bindparam("new_status"),
            attempts=delivery.c.attempts + 1,
            duration_ms=sa.bindparam("new_duration_ms"),
            http_status=sa.bindparam("new_http_status"),
            error=sa.bindparam("new_error"),
            finished_at=sa.bindparam("new_finished_at"),
        ),
        [
            {
                "the_delivery": each.delivery_id,
                "new_status": each.status,
                "new_duration_ms": each.duration_ms,
                "new_http_status": each.http_status,
                "new_error": each.error,
                "new_finished_at": None if each.status == "pending" else each.at,
            }
            for each in tried
        ],
    )


async def _extend(connection: AsyncConnection, steps: Sequence[Step], now: datetime, lease_s: float) -> None:
    if steps:
        await connection.execute(
            _of_lane(sa.update(lane)).values(lease_until=sa.bindparam("until")),
            [{**_key(step), "until": now + timedelta(seconds=lease_s)} for step in steps],
        )


async def _give_back(connection: AsyncConnection, steps: Sequence[Step]) -> None:
    if not steps:
        return
    keys = sorted({(step.endpoint_id, step.call_id) for step in steps})
    pending: set[tuple[str, str]] = set()
    for part in _parts(keys):
        query = sa.select(delivery.c.endpoint_id, delivery.c.call_id).where(
            sa.tuple_(delivery.c.endpoint_id, delivery.c.call_id).in_(part),
            delivery.c.status == sa.literal_column("'pending'"),
        )
        found = await connection.execute(query.distinct())
        pending |= {(row.endpoint_id, row.call_id) for row in found}
    more = [step for step in steps if (step.endpoint_id, step.call_id) in pending]
    done = [step for step in steps if (step.endpoint_id, step.call_id) not in pending]
    if more:
        free = _of_lane(sa.update(lane)).values(
            lease_owner=None, lease_until=None, due_at=sa.bindparam("due")
        )
        await connection.execute(free, [{**_key(step), "due": step.due_at} for step in more])
    if done:
        await connection.execute(_of_lane(sa.delete(lane)), [_key(step) for step in done])


def _of_lane(statement: Any) -> Any:
    return statement.where(
        lane.c.endpoint_id == sa.bindparam("the_endpoint"), lane.c.call_id == sa.bindparam("the_call")
    )


def _key(step: Step) -> dict[str, Any]:
    return {"the_endpoint": step.endpoint_id, "the_call": step.call_id}


def _parts(keys: Sequence[tuple[str, str]]) -> Iterable[Sequence[tuple[str, str]]]:
    return (keys[start : start + _PER_STATEMENT] for start in range(0, len(keys), _PER_STATEMENT))
