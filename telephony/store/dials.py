"""Calls out in the database: each with a permit that is consumed once, by a compare-and-set of its own.

Guarantee: however many processes look at one row, and whatever of them dies when, ``consume`` says yes to
one of them at most once in the row's life; and a call whose permit was not consumed was never dialled.
``cancel`` and ``expire`` compete for the permit by the same rule, so a call that was called off before it
was dialled stays so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from telephony.dialer.dial import DialState
from telephony.dialer.request import DialRequest
from telephony.store.tables import call, dial

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import RowMapping
    from sqlalchemy.ext.asyncio import AsyncConnection

    from telephony.store.database import Database

_CLAIM_LOCK = 0x6469616C
"""PostgreSQL's advisory lock under which lines are given out: two replicas never both take the last one."""


@dataclass(frozen=True, slots=True)
class Dial:
    """One row: a call out that somebody asked for and the guard allowed."""

    call_id: str
    permit_id: str
    key_id: str
    state: DialState
    request: DialRequest
    number: str
    trunk: str
    room: str
    created_at: datetime
    deadline: datetime
    consumed_at: datetime | None
    cancelled_at: datetime | None
    outcome: str | None

    @classmethod
    def from_row(cls, row: RowMapping) -> Dial:
        """Read a row of the table."""
        values = {name: row[name] for name in cls.__slots__ if name not in ("state", "request")}
        return cls(state=DialState(row["state"]), request=DialRequest.from_json(row["request"]), **values)


async def insert(connection: AsyncConnection, new: Dial) -> None:
    """Write a permitted call down, due at once."""
    await connection.execute(
        sa.insert(dial).values(
            call_id=new.call_id,
            permit_id=new.permit_id,
            key_id=new.key_id,
            batch_id=new.request.batch_id,
            state=new.state,
            request=new.request.to_json(),
            number=new.number,
            trunk=new.trunk,
            room=new.room,
            created_at=new.created_at,
            deadline=new.deadline,
            due_at=new.created_at,
        )
    )


async def get(connection: AsyncConnection, call_id: str) -> Dial | None:
    """One call out."""
    row = (
        (await connection.execute(sa.select(dial).where(dial.c.call_id == call_id))).mappings().one_or_none()
    )
    return None if row is None else Dial.from_row(row)


async def any_due(connection: AsyncConnection, now: datetime) -> bool:
    """Whether ``claim`` may find something."""
    query = sa.select(dial.c.call_id).where(_due(now)).limit(1)
    return (await connection.execute(query)).one_or_none() is not None


def _due(now: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(dial.c.due_at <= now, sa.or_(dial.c.lease_until.is_(None), dial.c.lease_until < now))


async def claim(
    database: Database,
    connection: AsyncConnection,
    *,
    owner: str,
    now: datetime,
    lease_s: float,
    most: int,
    lines: Mapping[str, int],
) -> list[Dial]:
    """Take what is due and nobody else has, oldest first.

    Args:
        most: how many at most.
        lines: how many calls at once each trunk carries; a call whose trunk has none left stays where it is
            until its deadline. A trunk that is not named has no limit.
    """
    if not database.is_sqlite:
        await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_CLAIM_LOCK)))
    query = (
        sa.select(dial).where(_due(now)).order_by(dial.c.due_at, dial.c.created_at).limit(max(200, 4 * most))
    )
    due = [Dial.from_row(row) for row in (await connection.execute(query)).mappings()]
    busy = await _busy(connection) if lines else {}
    taken: list[Dial] = []
    for each in due:
        if len(taken) == most:
            break
        needs_line = each.state is DialState.PERMITTED and each.deadline > now
        if needs_line:
            if busy.get(each.trunk, 0) >= lines.get(each.trunk, 1 << 30):
                continue
            busy[each.trunk] = busy.get(each.trunk, 0) + 1
        taken.append(each)
    if taken:
        await connection.execute(
            sa.update(dial)
            .where(dial.c.call_id.in_([each.call_id for each in taken]))
            .values(lease_owner=owner, lease_until=now + timedelta(seconds=lease_s))
        )
    return taken


async def _busy(connection: AsyncConnection) -> dict[str, int]:
    """How many lines of each trunk calls out have now: being set up, dialled, or up."""
    query = (
        sa.select(dial.c.trunk, sa.func.count())
        .join(call, call.c.call_id == dial.c.call_id)
        .where(
            call.c.ended_at.is_(None),
            sa.or_(dial.c.state != DialState.PERMITTED, dial.c.lease_owner.is_not(None)),
        )
        .group_by(dial.c.trunk)
    )
    return {row[0]: row[1] for row in await connection.execute(query)}


async def renew(
    connection: AsyncConnection, call_id: str, *, owner: str, now: datetime, lease_s: float
) -> bool:
    """Keep a row for longer; False when somebody else has it by now."""
    mine = sa.and_(dial.c.call_id == call_id, dial.c.lease_owner == owner, dial.c.state != DialState.OVER)
    done = await connection.execute(
        sa.update(dial).where(mine).values(lease_until=now + timedelta(seconds=lease_s))
    )
    return bool(done.rowcount)


async def postpone(connection: AsyncConnection, call_id: str, *, owner: str, due_at: datetime) -> None:
    """Give a row back, to be looked at again later; only what was not dialled."""
    await connection.execute(
        sa.update(dial)
        .where(dial.c.call_id == call_id, dial.c.lease_owner == owner, dial.c.state == DialState.PERMITTED)
        .values(due_at=due_at, lease_owner=None, lease_until=None)
    )


async def consume(connection: AsyncConnection, call_id: str, *, owner: str, now: datetime) -> bool:
    """Use the permit up: True once in the row's life, and only for who has the row, in time, not called off.

    From the commit on the INVITE may leave, and the call is never dialled again.
    """
    free = sa.and_(
        dial.c.call_id == call_id,
        dial.c.state == DialState.PERMITTED,
        dial.c.lease_owner == owner,
        dial.c.cancelled_at.is_(None),
        dial.c.deadline > now,
    )
    done = await connection.execute(
        sa.update(dial).where(free).values(state=DialState.DIALLING, consumed_at=now)
    )
    return bool(done.rowcount)


async def cancel(connection: AsyncConnection, call_id: str, *, now: datetime) -> Dial | None:
    """Call a call off; the row as it was before, or None where there is none or it is over.

    What was not dialled is over by that; what was, its dialler ends.
    """
    query = sa.select(dial).where(dial.c.call_id == call_id, dial.c.state != DialState.OVER)
    row = (await connection.execute(query.with_for_update())).mappings().one_or_none()
    if row is None:
        return None
    values: dict[str, Any] = {"cancelled_at": row["cancelled_at"] or now}
    if row["state"] == DialState.PERMITTED:
        values |= {"state": DialState.OVER, "outcome": "cancelled", "over_at": now, "due_at": None}
    await connection.execute(sa.update(dial).where(dial.c.call_id == call_id).values(**values))
    return Dial.from_row(row)


async def finish(
    connection: AsyncConnection, call_id: str, *, outcome: str, now: datetime, before: DialState
) -> bool:
    """End a dial that is in the state ``before``; False when it is not, so somebody else has ended it."""
    done = await connection.execute(
        sa.update(dial)
        .where(dial.c.call_id == call_id, dial.c.state == before)
        .values(
            state=DialState.OVER,
            outcome=outcome,
            over_at=now,
            due_at=None,
            lease_owner=None,
            lease_until=None,
        )
    )
    return bool(done.rowcount)


async def release(connection: AsyncConnection) -> None:
    """Free every lease: for a database that nobody else can have."""
    await connection.execute(
        sa.update(dial).where(dial.c.lease_owner.is_not(None)).values(lease_owner=None, lease_until=None)
    )


async def release_of(connection: AsyncConnection, owner: str) -> None:
    """Free the leases of a process that stops."""
    await connection.execute(
        sa.update(dial).where(dial.c.lease_owner == owner).values(lease_owner=None, lease_until=None)
    )


async def held(connection: AsyncConnection, call_ids: Sequence[str]) -> set[str]:
    """Which of these calls a dialler still has: nobody else may take them for gone."""
    query = sa.select(dial.c.call_id).where(dial.c.call_id.in_(call_ids), dial.c.state != DialState.OVER)
    return {row.call_id for row in await connection.execute(query)}
