"""Take the rows of a batch whose turn it is, inside one transaction that nobody else decides in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from telephony.calls.outcomes import Outcome
from telephony.dialer.batches.breaker import Breaker
from telephony.dialer.batches.options import BatchOptions
from telephony.dialer.batches.pace import grant
from telephony.dialer.batches.placing import attempt_key, request_of
from telephony.dialer.batches.starting import Candidate, Hours, Later, Standing, Start, decide, places
from telephony.store import batches, do_not_call

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import RowMapping
    from sqlalchemy.ext.asyncio import AsyncConnection

    from telephony.dialer.batches.starting import Over
    from telephony.dialer.request import DialRequest

LEASE_S = 30.0
"""How long whoever claimed a row may take to ask for its call before another asks in its place."""

LOOKED_AT_ONCE = 200
"""Rows of one batch in one transaction."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One attempt that is to be asked for."""

    batch_id: str
    row: int
    attempt: int
    key_id: str
    request: DialRequest

    @property
    def key(self) -> str:
        """Its idempotency key."""
        return attempt_key(self.batch_id, self.row, self.attempt)


@dataclass(frozen=True, slots=True)
class Begun:
    """What one look at a batch gave.

    ``next_at``: when its pace lets the next call begin, if it is that which rows wait for. ``more``: whether
    rows were put off or ended, so that others may have their turn at once.
    """

    claims: tuple[Claim, ...] = ()
    next_at: datetime | None = None
    more: bool = False


def standing(batch: RowMapping, active: int) -> Standing:
    """How a batch stands, by its row."""
    return Standing(
        running=batch["state"] == "running",
        by_breaker=batch["state"] == "paused" and batch["paused_by"] == "breaker",
        breaker=Breaker.from_json(batch["breaker"]),
        active=active,
    )


async def begin(connection: AsyncConnection, batch: RowMapping, hours: Hours, now: datetime) -> Begun:
    """Claim what may begin now, put off what may not yet, end what never will."""
    batch_id = batch["batch_id"]
    options = BatchOptions.model_validate(batch["options"])
    stands = standing(batch, await batches.under_way(connection, batch_id))
    free = places(stands, options, now)
    granted = grant(batch["next_start_at"], now, options.pace_per_s, free)
    if not granted.count:
        return Begun(next_at=granted.next_at if free else None)
    rows = await batches.due(connection, batch_id, now, LOOKED_AT_ONCE)
    taken: list[Claim] = []
    looked_at = 0
    known = await _candidates(connection, rows, options, now)
    begun = set[str]()
    for row, candidate in zip(rows, known, strict=True):
        if len(taken) == granted.count:
            break
        looked_at += 1
        decision = decide(candidate, options, hours, now)
        if isinstance(decision, Start) and row["number"] not in begun:
            begun.add(row["number"])
            taken.append(await _claim(connection, batch, row, options, now))
        elif not isinstance(decision, Start):
            await _let_wait(connection, row, decision, now)
    values: dict[str, object] = {}
    if taken:
        used = grant(batch["next_start_at"], now, options.pace_per_s, len(taken))
        values["next_start_at"] = used.next_at
        if not stands.running:
            values["breaker"] = stands.breaker.at(now).probing(taken[0].row).to_json()
    if values:
        await batches.change(connection, batch_id, now, **values)
    more = looked_at > len(taken) and looked_at == LOOKED_AT_ONCE
    waits = len(taken) == granted.count and len(rows) > looked_at
    next_at = values.get("next_start_at") if waits else None
    return Begun(tuple(taken), next_at if isinstance(next_at, datetime) else None, more)


async def _candidates(
    connection: AsyncConnection, rows: Sequence[RowMapping], options: BatchOptions, now: datetime
) -> list[Candidate]:
    numbers = [row["number"] for row in rows]
    forbidden = await do_not_call.listed(connection, numbers)
    talking = await batches.on_the_phone(connection, numbers)
    since = now - timedelta(seconds=options.cap.within_s)
    rung = await batches.rung(connection, numbers, since)
    return [
        Candidate(
            number=row["number"],
            forbidden=row["number"] in forbidden,
            on_the_phone=row["number"] in talking,
            rung=rung.get(row["number"], 0),
            outcome=Outcome(row["outcome"]) if row["outcome"] else None,
        )
        for row in rows
    ]


async def _claim(
    connection: AsyncConnection, batch: RowMapping, row: RowMapping, options: BatchOptions, now: datetime
) -> Claim:
    attempt = await batches.claim(connection, row, now, now + timedelta(seconds=LEASE_S))
    request = request_of({**row, "claimed_at": now}, options)
    return Claim(row["batch_id"], row["row"], attempt, batch["key_id"], request)


async def _let_wait(
    connection: AsyncConnection, row: RowMapping, decision: Later | Over, now: datetime
) -> None:
    place = (row["batch_id"], row["row"])
    if isinstance(decision, Later):
        await batches.set_row(connection, *place, due_at=decision.until, reason=decision.reason)
        return
    await batches.set_row(
        connection,
        *place,
        state="done",
        outcome=decision.outcome,
        reason=decision.reason,
        finished_at=now,
    )
