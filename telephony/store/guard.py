"""The guard's memory: one decision at a time, and what each allowed call has reserved until it ends.

Guarantee: however many requests come at once, in however many processes, the caps hold: a decision and the
reservation that follows from it are made in one transaction, and no other decision is made until that one
is over. PostgreSQL: an advisory lock that the transaction holds; SQLite: every writing transaction is
BEGIN IMMEDIATE. Every decision is in the audit in the same transaction, with numbers masked, so whoever
decides must commit a refusal as well.

A call reserves the longest it may last; the end of the call in the record puts the real figures in their
place. A reservation whose call is never ended holds its line until the longest call would be over, and its
minutes and money for a day.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

import sqlalchemy as sa

from telephony.api.keys import Scope, allows
from telephony.calls.cost import billed_seconds
from telephony.dialer.guard.decide import decide
from telephony.dialer.guard.number import bare_digits, read_number
from telephony.dialer.guard.rules import DAY_S, Limits
from telephony.dialer.guard.usage import Tally, Usage
from telephony.dialer.guard.verdict import KeyFacts, Wanted
from telephony.numbers import mask, mask_all
from telephony.store import audit, keys
from telephony.store.guard_tables import dial_reservation as reservation
from telephony.store.instants import Instant
from telephony.store.tables import call

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from typing import Any

    from sqlalchemy import RowMapping
    from sqlalchemy.ext.asyncio import AsyncConnection

    from telephony.dialer.guard.rules import GuardRules
    from telephony.dialer.guard.verdict import Verdict
    from telephony.dialer.request import DialRequest
    from telephony.store.database import Database

_LOCK = 0x6775617264
"""PostgreSQL's advisory lock under which decisions are made."""

_DAY = timedelta(seconds=DAY_S)
_SLACK = timedelta(seconds=60)
"""What a call takes beside ringing and talking: setting up, and being reported ended."""

KEPT = _DAY + timedelta(hours=1)
"""How long a reservation is kept: caps look back a day."""


class Listed(Protocol):
    """Looks numbers up on the do-not-call list; returns those that are on it."""

    async def __call__(self, connection: AsyncConnection, numbers: list[str], /) -> set[str]: ...


@dataclass(frozen=True, slots=True)
class DialGuard:
    """The guard of one line.

    Attributes:
        rules: what the file allows.
        listed: the do-not-call list; None: there is none.
    """

    rules: GuardRules
    listed: Listed | None = None

    async def guard_and_reserve(
        self,
        database: Database,
        connection: AsyncConnection,
        request: DialRequest,
        key_id: str,
        now: datetime,
        *,
        call_id: str,
        may_wait: bool = False,
        remote: str = "",
    ) -> Verdict:
        """Decide about a request and, where it is allowed, reserve what it takes until it ends.

        Call it inside the writing transaction that writes the permit, last of what locks rows, and commit
        whatever the verdict is: the audit has it then.

        Args:
            call_id: the id that the call will have.
            may_wait: the call has no line yet and waits for one until ``request.deadline``; ``begin`` gives
                it one. Without it the call has its line from here on.
            remote: the address that the request came from, for the audit.
        """
        await _one_at_a_time(database, connection)
        wanted = Wanted(
            request.to,
            request.from_,
            request.trunk,
            await _key(connection, key_id, now),
            request.ringing_timeout_s,
            request.max_call_duration_s,
            request.transfer_to,
        )
        usage = await self.read_usage(connection, wanted, now)
        verdict = decide(wanted, self.rules, usage, now, may_wait=may_wait)
        if verdict.allowed:
            await connection.execute(
                sa.insert(reservation).values(
                    self._row(call_id, key_id, request, verdict, now, waits=may_wait)
                )
            )
        about = {"call_id": call_id, "batch_id": request.batch_id, "from": request.from_}
        await _note(connection, verdict, about, key_id, remote, now)
        return verdict

    async def begin(
        self,
        database: Database,
        connection: AsyncConnection,
        call_id: str,
        now: datetime,
        *,
        remote: str = "",
    ) -> Verdict | None:
        """Give a call that waits its line: decided about anew, by the counts of this moment.

        Returns:
            Allowed: it has a line from here on. Transient: try again, at ``retry_at`` where that is known.
            Else it must not be dialled any more, for what refuses it lasts. None: it has no reservation.
        """
        await _one_at_a_time(database, connection)
        query = sa.select(reservation).where(
            reservation.c.call_id == call_id, reservation.c.settled_at.is_(None)
        )
        row = (await connection.execute(query)).mappings().one_or_none()
        if row is None:
            return None
        key = await _key(connection, row["key_id"], now)
        wanted = Wanted(
            row["number"], row["caller_id"], row["trunk"], key, max_call_duration_s=row["longest_s"]
        )
        usage = await self.read_usage(connection, wanted, now, without=call_id)
        verdict = decide(wanted, self.rules, usage, now)
        if verdict.allowed:
            # Whatever the wait was, the call may ring and last as long as it was permitted to.
            expires_at = now + timedelta(seconds=self.rules.ringing_timeout_s + row["longest_s"]) + _SLACK
            await connection.execute(
                sa.update(reservation)
                .where(reservation.c.call_id == call_id)
                .values(begun_at=now, expires_at=expires_at)
            )
        elif not verdict.transient:
            about = {"call_id": call_id, "from": row["caller_id"]}
            await _note(connection, verdict, about, row["key_id"], remote, now)
        return verdict

    async def explain(
        self, connection: AsyncConnection, wanted: Wanted, now: datetime, *, key_id: str | None = None
    ) -> Verdict:
        """What would be decided now; nothing is reserved, and nothing is noted."""
        if key_id is not None:
            wanted = Wanted(wanted.to, wanted.from_, wanted.trunk, await _key(connection, key_id, now))
        return decide(wanted, self.rules, await self.read_usage(connection, wanted, now), now)

    async def read_usage(
        self, connection: AsyncConnection, wanted: Wanted, now: datetime, *, without: str = ""
    ) -> Usage:
        """The counts that a decision about one call needs.

        Args:
            without: a call that is not counted.
        """
        destination = read_number(wanted.to, self.rules.default_region)
        number = destination.e164 or destination.bare
        key_id = wanted.key.key_id if wanted.key else ""
        others = reservation.c.call_id != without
        under_way = await _under_way(connection, others, now)
        inbound = await _inbound(connection)
        listed = await self.listed(connection, [number]) if self.listed is not None else set()
        return Usage(
            line=await _tally(connection, others, now, sum(under_way.values())),
            key=await _tally(
                connection,
                sa.and_(others, reservation.c.key_id == key_id),
                now,
                sum(count for (_, key), count in under_way.items() if key == key_id),
            ),
            number=await _tally(connection, sa.and_(others, reservation.c.number == number), now, 0),
            active_by_trunk=_by_trunk(under_way),
            recent_by_trunk=await _recent(
                connection, others, now - timedelta(seconds=self.rules.longest_burst_s)
            ),
            inbound=sum(inbound.values()),
            inbound_by_number=inbound,
            do_not_call=number in listed,
        )

    def _row(
        self, call_id: str, key_id: str, request: DialRequest, verdict: Verdict, now: datetime, *, waits: bool
    ) -> dict[str, Any]:
        longest_s = verdict.max_call_duration_s
        latest = max(now, request.deadline) if waits and request.deadline else now
        return {
            "call_id": call_id,
            "key_id": key_id,
            "number": verdict.number,
            "caller_id": request.from_,
            "trunk": verdict.trunk or "",
            "reserved_at": now,
            "begun_at": None if waits else now,
            "expires_at": latest + timedelta(seconds=verdict.ringing_timeout_s + longest_s) + _SLACK,
            "longest_s": longest_s,
            "held_s": longest_s,
            "held_micros": _micros(verdict.price_micros, longest_s, verdict.increment_s),
            "price_micros": verdict.price_micros,
            "increment_s": verdict.increment_s,
        }


async def release(connection: AsyncConnection, call_ids: Sequence[str]) -> int:
    """Give everything back that calls reserved, as if they had never been asked for; returns of how many.

    Only for calls that surely were not dialled; one that was counts as a call to its number, whatever
    became of it.
    """
    if not call_ids:
        return 0
    done = await connection.execute(sa.delete(reservation).where(reservation.c.call_id.in_(call_ids)))
    return done.rowcount


async def settle(connection: AsyncConnection, talked_s: Mapping[str, float], now: datetime) -> None:
    """Put the real figures of calls that have ended in the place of the longest possible ones.

    Args:
        talked_s: call ids, and how long each was answered. Those that reserved nothing are passed over;
            one that was settled before is corrected.
    """
    if not talked_s:
        return
    query = sa.select(reservation.c.call_id, reservation.c.price_micros, reservation.c.increment_s).where(
        reservation.c.call_id.in_(talked_s)
    )
    rows = (await connection.execute(query)).all()
    for call_id, price_micros, increment_s in rows:
        talk_s = talked_s[call_id]
        await connection.execute(
            sa.update(reservation)
            .where(reservation.c.call_id == call_id)
            .values(
                settled_at=sa.func.coalesce(reservation.c.settled_at, sa.literal(now, Instant)),
                held_s=talk_s,
                held_micros=_micros(price_micros, talk_s, increment_s),
            )
        )


async def purge(connection: AsyncConnection, now: datetime) -> int:
    """Remove reservations that no cap looks at any more; returns how many."""
    done = await connection.execute(
        sa.delete(reservation).where(
            reservation.c.reserved_at < now - KEPT,
            sa.or_(reservation.c.settled_at.is_not(None), reservation.c.expires_at < now),
        )
    )
    return done.rowcount


async def _one_at_a_time(database: Database, connection: AsyncConnection) -> None:
    if not database.is_sqlite:
        await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))


async def _key(connection: AsyncConnection, key_id: str, now: datetime) -> KeyFacts:
    row = await keys.get(connection, key_id)
    if row is None:
        return KeyFacts(key_id)
    expired = row["expires_at"] is not None and row["expires_at"] <= now
    return KeyFacts(
        key_id,
        in_force=row["revoked_at"] is None and not expired,
        may_dial=allows(frozenset(row["scopes"]), Scope.CALLS_DIAL),
        limits=_limits(row),
    )


def _limits(row: RowMapping) -> Limits | None:
    stated = row["dial_limits"]
    if not stated:
        return None
    spend = stated.get("max_spend_per_day")
    return Limits(
        stated.get("max_concurrent_calls"),
        stated.get("max_calls_per_day"),
        stated.get("max_minutes_per_day"),
        None if spend is None else round(spend * 1e6),
    )


async def _tally(
    connection: AsyncConnection, which: sa.ColumnElement[bool], now: datetime, active: int
) -> Tally:
    query = sa.select(
        sa.func.count(),
        sa.func.coalesce(sa.func.sum(reservation.c.held_s), 0.0),
        sa.func.coalesce(sa.func.sum(reservation.c.held_micros), 0),
        sa.func.min(reservation.c.reserved_at),
    ).where(reservation.c.reserved_at > now - _DAY, which)
    calls, seconds, micros, oldest = (await connection.execute(query)).one()
    return Tally(calls, float(seconds), int(micros), active, oldest)


async def _under_way(
    connection: AsyncConnection, others: sa.ColumnElement[bool], now: datetime
) -> dict[tuple[str, str], int]:
    """Calls out that have a line, by trunk and key."""
    query = (
        sa.select(reservation.c.trunk, reservation.c.key_id, sa.func.count())
        .where(
            others,
            reservation.c.settled_at.is_(None),
            reservation.c.begun_at.is_not(None),
            reservation.c.expires_at > now,
        )
        .group_by(reservation.c.trunk, reservation.c.key_id)
    )
    return {(trunk, key): count for trunk, key, count in await connection.execute(query)}


def _by_trunk(under_way: Mapping[tuple[str, str], int]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for (trunk, _), count in under_way.items():
        found[trunk] += count
    return dict(found)


async def _recent(
    connection: AsyncConnection, others: sa.ColumnElement[bool], since: datetime
) -> dict[str, tuple[datetime, ...]]:
    query = (
        sa.select(reservation.c.trunk, reservation.c.begun_at)
        .where(others, reservation.c.begun_at > since)
        .order_by(reservation.c.begun_at.desc())
    )
    found: dict[str, tuple[datetime, ...]] = {}
    for trunk, begun_at in await connection.execute(query):
        found[trunk] = (*found.get(trunk, ()), begun_at)
    return found


async def _inbound(connection: AsyncConnection) -> dict[str, int]:
    """Calls in that are under way, by the digits of the number that was called."""
    query = (
        sa.select(call.c.to_number, sa.func.count())
        .where(call.c.direction == "inbound", call.c.ended_at.is_(None))
        .group_by(call.c.to_number)
    )
    found: Counter[str] = Counter()
    for number, count in await connection.execute(query):
        found[bare_digits(number or "")] += count
    return dict(found)


def _micros(price_micros: int | None, talk_s: float, increment_s: int) -> int:
    if price_micros is None:
        return 0
    return -(-price_micros * billed_seconds(talk_s, increment_s) // 60)


async def _note(
    connection: AsyncConnection,
    verdict: Verdict,
    about: Mapping[str, str | None],
    key_id: str,
    remote: str,
    now: datetime,
) -> None:
    refusal = verdict.refusal
    detail: dict[str, Any] = {
        "call_id": about.get("call_id"),
        "batch_id": about.get("batch_id"),
        "from": _masked(about.get("from")),
        "trunk": verdict.trunk,
    }
    if refusal is not None:
        detail |= {
            "refused_by": _names(check.name for check in verdict.checks if not check.passed),
            "setting": refusal.setting,
            "sentence": mask_all(refusal.sentence),
        }
    await audit.write(
        connection,
        key_id=key_id,
        action="dial.allowed" if verdict.allowed else "dial.refused",
        target=mask(verdict.number) or "not a number",
        detail={name: value for name, value in detail.items() if value is not None},
        remote=remote,
        now=now,
    )


def _masked(number: str | None) -> str | None:
    return None if number is None else mask(number[:64])


def _names(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
