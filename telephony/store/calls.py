"""Read calls and their events.

Lists are keyset pages: a page costs the same wherever it is, and rows that arrive meanwhile neither
repeat nor hide others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from telephony.calls.states import State
from telephony.store.stored import StoredEvent
from telephony.store.tables import call, dial, erased_call, event

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from sqlalchemy import RowMapping
    from sqlalchemy.ext.asyncio import AsyncConnection

OVERVIEW = tuple(
    column for column in call.columns if column.name not in ("record", "settle_at", "expires_at")
)
"""The columns that a list shows."""

_FEW = 2_000


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls; every given condition must hold. Instants compare with when a call was first seen."""

    direction: str | None = None
    state: str | None = None
    outcome: str | None = None
    ended_by: str | None = None
    from_number: str | None = None
    to_number: str | None = None
    trunk_id: str | None = None
    assistant: str | None = None
    sip_status: int | None = None
    recorded: bool | None = None
    since: datetime | None = None
    until: datetime | None = None
    min_duration_ms: int | None = None
    open: bool | None = None

    def conditions(self, source: sa.FromClause = call) -> list[sa.ColumnElement[bool]]:
        """As SQL over rows with the call's columns."""
        names = (
            "direction",
            "state",
            "outcome",
            "ended_by",
            "from_number",
            "to_number",
            "trunk_id",
            "assistant",
            "sip_status",
            "recorded",
        )
        columns = source.c
        found: list[sa.ColumnElement[bool]] = [
            columns[name] == getattr(self, name) for name in names if getattr(self, name) is not None
        ]
        if self.since is not None:
            found.append(columns.created_at >= self.since)
        if self.until is not None:
            found.append(columns.created_at < self.until)
        if self.min_duration_ms is not None:
            found.append(columns.duration_ms >= self.min_duration_ms)
        if self.open is not None:
            found.append(_is_open(columns, open_=self.open))
        if self.state is not None:
            # Says what the state says already, in words that the index of open calls understands.
            found.append(_is_open(columns, open_=self.state != State.ENDED))
        return found


def _is_open(columns: Any, *, open_: bool) -> sa.ColumnElement[bool]:
    condition: sa.ColumnElement[bool] = columns.ended_at.is_(None) if open_ else columns.ended_at.is_not(None)
    return condition


async def page(
    connection: AsyncConnection,
    wanted: CallFilter,
    *,
    before: tuple[datetime, str] | None = None,
    limit: int,
) -> Sequence[RowMapping]:
    """Calls, newest first, that come after ``before`` in that order."""
    source = await _source(connection, wanted)
    created, named = source.c.created_at, source.c.call_id
    query = sa.select(*(source.c[column.name] for column in OVERVIEW)).where(*wanted.conditions(source))
    if before is not None:
        # The bounds twice: the row comparison is exact, the plain one lets every planner use the index.
        created_at, call_id = before
        query = query.where(created <= created_at, sa.or_(created < created_at, named < call_id))
    query = query.order_by(created.desc(), named.desc()).limit(limit)
    return (await connection.execute(query)).mappings().all()


async def _source(connection: AsyncConnection, wanted: CallFilter) -> sa.FromClause:
    """Where to look: every call, or, when few last as long as is asked, those few alone.

    No index gives calls by time whose duration is above a bound. While many are, the newest are found
    quickly by time; when few are, that would walk through the whole record.
    """
    if wanted.min_duration_ms is None:
        return call
    lasting = call.c.duration_ms >= wanted.min_duration_ms
    probe = sa.select(call.c.call_id).where(lasting).limit(_FEW + 1).subquery()
    found = (await connection.execute(sa.select(sa.func.count()).select_from(probe))).scalar_one()
    if found > _FEW:
        return call
    return sa.select(*OVERVIEW).where(lasting).cte("lasting").prefix_with("MATERIALIZED")


async def get(connection: AsyncConnection, call_id: str) -> RowMapping | None:
    """One call's whole row."""
    query = sa.select(call).where(call.c.call_id == call_id)
    return (await connection.execute(query)).mappings().one_or_none()


async def events_after(
    connection: AsyncConnection, call_id: str, seq: int = 0, limit: int = 1000
) -> list[StoredEvent]:
    """The events of a call, or of the line, whose number is above ``seq``, in order."""
    query = (
        sa.select(*_EVENT)
        .where(event.c.call_id == call_id, event.c.seq > seq)
        .order_by(event.c.seq)
        .limit(limit)
    )
    return [StoredEvent.from_row(row) for row in (await connection.execute(query)).mappings()]


async def events_since(connection: AsyncConnection, since: datetime, limit: int) -> list[StoredEvent]:
    """Events of all calls that were stored from an instant on, oldest first."""
    query = (
        sa.select(*_EVENT)
        .where(event.c.received_at >= since)
        .order_by(event.c.received_at, event.c.call_id, event.c.seq)
        .limit(limit)
    )
    return [StoredEvent.from_row(row) for row in (await connection.execute(query)).mappings()]


async def events_of_type(
    connection: AsyncConnection, call_id: str, event_types: Iterable[str]
) -> list[StoredEvent]:
    """The events of a call that are of certain types, in order."""
    query = (
        sa.select(*_EVENT)
        .where(event.c.call_id == call_id, event.c.type.in_(tuple(event_types)))
        .order_by(event.c.seq)
    )
    return [StoredEvent.from_row(row) for row in (await connection.execute(query)).mappings()]


async def of_room(connection: AsyncConnection, room: str) -> str | None:
    """The call that was last seen in a room."""
    query = sa.select(call.c.call_id).where(call.c.room == room).order_by(call.c.created_at.desc()).limit(1)
    return (await connection.execute(query)).scalar_one_or_none()


@dataclass(frozen=True, slots=True)
class OpenCall:
    """A call that has not ended, as far as the reconciler needs it.

    ``held``: a dialler still has it, and says itself what became of it.
    """

    call_id: str
    room: str | None
    state: str
    held: bool = False


async def open_calls(connection: AsyncConnection, limit: int = 5000) -> list[OpenCall]:
    """Calls that have not ended, oldest first."""
    held = sa.exists().where(dial.c.call_id == call.c.call_id, dial.c.state != sa.literal_column("'over'"))
    query = (
        sa.select(call.c.call_id, call.c.room, call.c.state, held.label("held"))
        .where(call.c.ended_at.is_(None))
        .order_by(call.c.created_at)
        .limit(limit)
    )
    rows = await connection.execute(query)
    return [OpenCall(row.call_id, row.room, row.state, bool(row.held)) for row in rows]


async def known(connection: AsyncConnection, call_ids: Sequence[str]) -> list[str]:
    """Which of these calls the record has, or had until they were erased."""
    query = sa.union(
        sa.select(call.c.call_id).where(call.c.call_id.in_(call_ids)),
        sa.select(erased_call.c.call_id).where(erased_call.c.call_id.in_(call_ids)),
    )
    return [row.call_id for row in await connection.execute(query)]


async def rooms_of_ended_calls(connection: AsyncConnection, rooms: Sequence[str]) -> set[str]:
    """Which of these rooms had calls of ours that have all ended."""
    query = (
        sa.select(call.c.room)
        .where(call.c.room.in_(rooms))
        .group_by(call.c.room)
        .having(sa.func.count() == sa.func.count(call.c.ended_at))
    )
    return {row.room for row in await connection.execute(query)}


_EVENT: tuple[sa.Column[Any], ...] = tuple(column for column in event.columns if column.name != "digest")
