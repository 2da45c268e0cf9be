"""Batches in the record: what is due, what is under way, what became of it.

Guarantee: whoever decides on a batch does so alone: ``alone`` holds until its transaction is over, in
every api process. A row is claimed with the number of its attempt before anybody is asked to dial, and only
whoever knows that number may say what became of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from uuid_utils import uuid7

from telephony.store.batch_tables import batch, batch_attempt, batch_row
from telephony.store.tables import call, erased_call

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import RowMapping
    from sqlalchemy.ext.asyncio import AsyncConnection

    from telephony.store.database import Database

_LOCK = 0x7472756E6B
"""Of the advisory lock; any number that nothing else in the database uses."""

CAPS_LOOK_BACK = timedelta(days=90)
"""The longest time for which a batch may cap the calls to one number."""

_PER_STATEMENT = 500
_UNDER_WAY = ("claimed", "calling")


@dataclass(frozen=True, slots=True)
class NewRow:
    """A number of a new batch."""

    number: str
    data: dict[str, Any]
    metadata: dict[str, Any]


async def alone(database: Database, connection: AsyncConnection) -> None:
    """Wait until nobody else decides on batches. On SQLite every writing transaction is alone."""
    if not database.is_sqlite:
        await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))


async def create(
    connection: AsyncConnection,
    *,
    key_id: str,
    name: str,
    options: Mapping[str, Any],
    rows: Sequence[NewRow],
    paused: bool,
    now: datetime,
) -> str:
    """Store a new batch; returns its id. Ids made later sort after earlier ones."""
    batch_id = f"batch_{uuid7().hex}"
    await connection.execute(
        sa.insert(batch).values(
            batch_id=batch_id,
            key_id=key_id,
            name=name,
            state="paused" if paused else "running",
            paused_by="operator" if paused else None,
            reason="It was made to wait." if paused else None,
            options=dict(options),
            breaker={},
            size=len(rows),
            next_start_at=now,
            created_at=now,
            updated_at=now,
        )
    )
    blank = {"batch_id": batch_id, "state": "waiting", "due_at": now, "attempt": 0, "rang": 0, "retries": {}}
    new = [
        {**blank, "row": at, "number": each.number, "data": each.data, "metadata": each.metadata}
        for at, each in enumerate(rows, start=1)
    ]
    for start in range(0, len(new), _PER_STATEMENT):
        await connection.execute(sa.insert(batch_row), new[start : start + _PER_STATEMENT])
    return batch_id


async def get(connection: AsyncConnection, batch_id: str) -> RowMapping | None:
    """One batch."""
    query = sa.select(batch).where(batch.c.batch_id == batch_id)
    return (await connection.execute(query)).mappings().one_or_none()


async def page(connection: AsyncConnection, *, before: str | None = None, limit: int) -> Sequence[RowMapping]:
    """Batches, newest first."""
    query = sa.select(batch)
    if before is not None:
        query = query.where(batch.c.batch_id < before)
    return (await connection.execute(query.order_by(batch.c.batch_id.desc()).limit(limit))).mappings().all()


async def unfinished(connection: AsyncConnection) -> Sequence[RowMapping]:
    """Batches that have something left to do or to hear of, oldest first."""
    query = sa.select(batch).where(batch.c.finished_at.is_(None)).order_by(batch.c.created_at)
    return (await connection.execute(query)).mappings().all()


async def change(connection: AsyncConnection, batch_id: str, now: datetime, **values: Any) -> None:
    """Set columns of a batch."""
    await connection.execute(
        sa.update(batch).where(batch.c.batch_id == batch_id).values(updated_at=now, **values)
    )


async def counts(connection: AsyncConnection, batch_ids: Collection[str]) -> dict[str, dict[str, Any]]:
    """How many rows of some batches are in each state, and how many ended in each outcome."""
    query = (
        sa.select(
            batch_row.c.batch_id,
            batch_row.c.state,
            batch_row.c.outcome,
            sa.func.count().label("rows"),
            sa.func.sum(batch_row.c.rang).label("rang"),
        )
        .where(batch_row.c.batch_id.in_(batch_ids))
        .group_by(batch_row.c.batch_id, batch_row.c.state, batch_row.c.outcome)
    )
    found: dict[str, dict[str, Any]] = {
        batch_id: {"waiting": 0, "under_way": 0, "done": 0, "attempts": 0, "outcomes": {}}
        for batch_id in batch_ids
    }
    for row in await connection.execute(query):
        counted = found[row.batch_id]
        counted["under_way" if row.state in _UNDER_WAY else row.state] += row.rows
        counted["attempts"] += int(row.rang or 0)
        if row.state == "done":
            counted["outcomes"][row.outcome] = counted["outcomes"].get(row.outcome, 0) + row.rows
    return found


async def rows_after(
    connection: AsyncConnection,
    batch_id: str,
    after: int,
    limit: int,
    *,
    state: str | None = None,
    outcome: str | None = None,
) -> Sequence[RowMapping]:
    """A batch's rows after a number, in order."""
    query = sa.select(batch_row).where(batch_row.c.batch_id == batch_id, batch_row.c.row > after)
    if state is not None:
        states = _UNDER_WAY if state == "under_way" else (state,)
        query = query.where(batch_row.c.state.in_(states))
    if outcome is not None:
        query = query.where(batch_row.c.outcome == outcome)
    return (await connection.execute(query.order_by(batch_row.c.row).limit(limit))).mappings().all()


async def attempts_of(connection: AsyncConnection, batch_id: str, row: int) -> Sequence[RowMapping]:
    """Every attempt of one row, in order."""
    query = sa.select(batch_attempt).where(batch_attempt.c.batch_id == batch_id, batch_attempt.c.row == row)
    return (await connection.execute(query.order_by(batch_attempt.c.attempt))).mappings().all()


# What the conductor does


async def under_way(connection: AsyncConnection, batch_id: str) -> int:
    """How many calls of a batch are going on, or about to."""
    query = sa.select(sa.func.count()).where(
        batch_row.c.batch_id == batch_id, batch_row.c.state.in_(_UNDER_WAY)
    )
    return int((await connection.execute(query)).scalar_one())


async def due(connection: AsyncConnection, batch_id: str, now: datetime, limit: int) -> Sequence[RowMapping]:
    """Rows whose turn it is, in the order in which they became due."""
    query = (
        sa.select(batch_row)
        .where(batch_row.c.batch_id == batch_id, batch_row.c.state == "waiting", batch_row.c.due_at <= now)
        .order_by(batch_row.c.due_at, batch_row.c.row)
        .limit(limit)
    )
    return (await connection.execute(query)).mappings().all()


async def next_due(connection: AsyncConnection, batch_id: str) -> datetime | None:
    """When the next row of a batch is due; None where none waits."""
    query = sa.select(sa.func.min(batch_row.c.due_at)).where(
        batch_row.c.batch_id == batch_id, batch_row.c.state == "waiting"
    )
    found: datetime | None = (await connection.execute(query)).scalar_one()
    return found


async def rung(connection: AsyncConnection, numbers: Collection[str], since: datetime) -> dict[str, int]:
    """How many attempts of any batch may have rung each number since an instant."""
    query = (
        sa.select(batch_attempt.c.number, sa.func.count().label("attempts"))
        .where(
            batch_attempt.c.number.in_(numbers),
            batch_attempt.c.started_at >= since,
            batch_attempt.c.rang.is_(True),
        )
        .group_by(batch_attempt.c.number)
    )
    return {row.number: row.attempts for row in await connection.execute(query)}


async def on_the_phone(connection: AsyncConnection, numbers: Collection[str]) -> set[str]:
    """Which numbers some batch is calling."""
    query = sa.select(batch_row.c.number).where(
        batch_row.c.number.in_(numbers), batch_row.c.state.in_(_UNDER_WAY)
    )
    return {row.number for row in await connection.execute(query)}


async def claim(connection: AsyncConnection, row: RowMapping, now: datetime, lease_until: datetime) -> int:
    """Begin the next attempt of a row that waits; returns its number. It counts from here on."""
    number: int = row["attempt"] + 1
    await connection.execute(
        sa.update(batch_row)
        .where(_row(row["batch_id"], row["row"]))
        .values(
            state="claimed",
            attempt=number,
            rang=row["rang"] + 1,
            claimed_at=now,
            lease_until=lease_until,
            call_id=None,
        )
    )
    await connection.execute(
        sa.insert(batch_attempt).values(
            batch_id=row["batch_id"],
            row=row["row"],
            attempt=number,
            number=row["number"],
            started_at=now,
            rang=True,
        )
    )
    return number


async def left_claims(connection: AsyncConnection, now: datetime) -> Sequence[RowMapping]:
    """Rows that were claimed and of which nobody has said what became, with their batch's key and options."""
    query = (
        sa.select(batch_row, batch.c.key_id, batch.c.options)
        .join(batch, batch.c.batch_id == batch_row.c.batch_id)
        .where(batch.c.finished_at.is_(None), batch_row.c.state == "claimed", batch_row.c.lease_until <= now)
        .order_by(batch_row.c.lease_until)
        .limit(_PER_STATEMENT)
    )
    return (await connection.execute(query)).mappings().all()


async def renew(connection: AsyncConnection, batch_id: str, row: int, lease_until: datetime) -> None:
    """Take a left claim up again."""
    await connection.execute(sa.update(batch_row).where(_row(batch_id, row)).values(lease_until=lease_until))


async def placed(connection: AsyncConnection, batch_id: str, row: int, attempt: int, call_id: str) -> bool:
    """The attempt has become a call; False where somebody has said so before."""
    changed = await connection.execute(
        sa.update(batch_row)
        .where(_row(batch_id, row), batch_row.c.attempt == attempt, batch_row.c.state == "claimed")
        .values(state="calling", call_id=call_id, lease_until=None)
        .returning(batch_row.c.row)
    )
    if changed.one_or_none() is None:
        return False
    await connection.execute(
        sa.update(batch_attempt).where(_attempt(batch_id, row, attempt)).values(call_id=call_id)
    )
    return True


async def ended_calls(connection: AsyncConnection, limit: int = _PER_STATEMENT) -> Sequence[RowMapping]:
    """Rows that are calling and whose call has ended, or was erased since, with what became of it."""
    query = (
        sa.select(
            batch_row,
            call.c.outcome.label("call_outcome"),
            call.c.answered_by.label("call_answered_by"),
            call.c.sip_status.label("call_sip_status"),
            call.c.record.label("call_record"),
        )
        .outerjoin(call, call.c.call_id == batch_row.c.call_id)
        .outerjoin(erased_call, erased_call.c.call_id == batch_row.c.call_id)
        .where(
            batch_row.c.state == "calling",
            sa.or_(call.c.ended_at.is_not(None), erased_call.c.call_id.is_not(None)),
        )
        .order_by(batch_row.c.batch_id, call.c.ended_at, batch_row.c.row)
        .limit(limit)
    )
    return (await connection.execute(query)).mappings().all()


async def end_attempt(
    connection: AsyncConnection,
    row: RowMapping,
    *,
    outcome: str | None,
    reason: str | None,
    rang: bool,
    now: datetime,
) -> None:
    """What became of the attempt that a row is at; one that was not allowed has rung nobody."""
    await connection.execute(
        sa.update(batch_attempt)
        .where(_attempt(row["batch_id"], row["row"], row["attempt"]))
        .values(outcome=outcome, reason=_cut(reason), rang=rang, ended_at=now)
    )


async def set_row(connection: AsyncConnection, batch_id: str, row: int, **values: Any) -> None:
    """Set columns of a row."""
    if "reason" in values:
        values["reason"] = _cut(values["reason"])
    await connection.execute(sa.update(batch_row).where(_row(batch_id, row)).values(**values))


async def row_at(connection: AsyncConnection, batch_id: str, row: int, attempt: int) -> RowMapping | None:
    """A row while it is claimed for this attempt; None where somebody has gone on with it."""
    query = sa.select(batch_row).where(
        _row(batch_id, row), batch_row.c.attempt == attempt, batch_row.c.state == "claimed"
    )
    return (await connection.execute(query)).mappings().one_or_none()


async def drop_waiting(
    connection: AsyncConnection, batch_id: str, outcome: str, reason: str, now: datetime
) -> None:
    """End every row that waits; who was called before keeps the outcome of that call."""
    await connection.execute(
        sa.update(batch_row)
        .where(batch_row.c.batch_id == batch_id, batch_row.c.state == "waiting")
        .values(
            state="done",
            outcome=sa.func.coalesce(batch_row.c.outcome, outcome),
            reason=_cut(reason),
            finished_at=now,
        )
    )


async def is_done(connection: AsyncConnection, batch_id: str) -> bool:
    """Whether no row of a batch has anything left to do or to hear of."""
    query = sa.select(batch_row.c.row).where(batch_row.c.batch_id == batch_id, batch_row.c.state != "done")
    return (await connection.execute(query.limit(1))).one_or_none() is None


async def purge(connection: AsyncConnection, now: datetime, keep_days: float) -> None:
    """Delete batches that ended so long ago, with their numbers; attempts as long as a cap may look back."""
    before = now - timedelta(days=keep_days)
    old = sa.select(batch.c.batch_id).where(batch.c.finished_at < before)
    await connection.execute(sa.delete(batch_row).where(batch_row.c.batch_id.in_(old)))
    await connection.execute(sa.delete(batch).where(batch.c.finished_at < before))
    uncounted = min(before, now - CAPS_LOOK_BACK)
    await connection.execute(sa.delete(batch_attempt).where(batch_attempt.c.started_at < uncounted))


def _row(batch_id: str, row: int) -> sa.ColumnElement[bool]:
    return sa.and_(batch_row.c.batch_id == batch_id, batch_row.c.row == row)


def _attempt(batch_id: str, row: int, attempt: int) -> sa.ColumnElement[bool]:
    return sa.and_(
        batch_attempt.c.batch_id == batch_id, batch_attempt.c.row == row, batch_attempt.c.attempt == attempt
    )


def _cut(text: str | None) -> str | None:
    return text[:300] if text else None
