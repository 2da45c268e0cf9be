"""The numbers that must not be called: one list for the whole line, whoever asks for a call.

Guarantee: a number is on the list once, with the first reason it was put there for; putting it there
again changes nothing. Numbers are E.164.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import sqlalchemy as sa

from telephony.store.batch_tables import do_not_call

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    from sqlalchemy import RowMapping
    from sqlalchemy.ext.asyncio import AsyncConnection

    from telephony.store.database import Database

Source = Literal["api", "import", "call"]
"""Who put a number there: a request, a list that was read in, or the called person."""

_PER_STATEMENT = 500


async def listed(connection: AsyncConnection, numbers: Iterable[str]) -> set[str]:
    """Which of some numbers must not be called."""
    wanted, found = sorted(set(numbers)), set[str]()
    for start in range(0, len(wanted), _PER_STATEMENT):
        query = sa.select(do_not_call.c.number).where(
            do_not_call.c.number.in_(wanted[start : start + _PER_STATEMENT])
        )
        found |= {row.number for row in await connection.execute(query)}
    return found


async def add(
    database: Database,
    connection: AsyncConnection,
    numbers: Collection[str],
    *,
    source: Source,
    now: datetime,
    reason: str | None = None,
    call_id: str | None = None,
    key_id: str | None = None,
) -> set[str]:
    """Put numbers on the list; returns those that were not there."""
    new = set(numbers) - await listed(connection, numbers)
    if not new:
        return set()
    row = {
        "added_at": now,
        "source": source,
        "reason": reason[:200] if reason else None,
        "call_id": call_id,
        "key_id": key_id,
    }
    insert = database.insert(do_not_call).on_conflict_do_nothing(index_elements=[do_not_call.c.number])
    await connection.execute(insert, [{"number": number, **row} for number in sorted(new)])
    return new


async def remove(connection: AsyncConnection, number: str) -> bool:
    """Take a number off the list; whether it was there."""
    gone = await connection.execute(
        sa.delete(do_not_call).where(do_not_call.c.number == number).returning(do_not_call.c.number)
    )
    return gone.one_or_none() is not None


async def get(connection: AsyncConnection, number: str) -> RowMapping | None:
    """A number's entry; None when it may be called."""
    query = sa.select(do_not_call).where(do_not_call.c.number == number)
    return (await connection.execute(query)).mappings().one_or_none()


async def page(connection: AsyncConnection, *, after: str | None = None, limit: int) -> Sequence[RowMapping]:
    """Entries in the order of their numbers, from the one that follows ``after``."""
    query = sa.select(do_not_call)
    if after is not None:
        query = query.where(do_not_call.c.number > after)
    return (await connection.execute(query.order_by(do_not_call.c.number).limit(limit))).mappings().all()
