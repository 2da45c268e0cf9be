"""Write down what became of an attempt, and what follows from it for its row and its batch.

Inside one transaction that nobody else decides in.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from telephony.calls.outcomes import Outcome
from telephony.dialer.batches.breaker import Breaker, Position, line_failed
from telephony.dialer.batches.options import BatchOptions
from telephony.dialer.batches.retries import NEVER_RANG, Again, after_end, after_refusal
from telephony.dialer.batches.telling import tell
from telephony.store import batches

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import RowMapping
    from sqlalchemy.ext.asyncio import AsyncConnection

    from telephony.dialer.batches.retries import Refusal
    from telephony.dialer.batches.starting import Over
    from telephony.dialer.batches.telling import Change
    from telephony.store.database import Database
    from telephony.store.stored import StoredEvent

TRUSTED = timedelta(hours=24)
"""A claim older than this is not asked for again: its idempotency key may have been forgotten."""

LOST = "Nobody knows whether the call was asked for, so it is not called again."


@dataclass(frozen=True, slots=True)
class End:
    """What became of a call."""

    outcome: Outcome
    reason: str | None = None
    code: str | None = None
    answered_by: str | None = None
    sip_status: int | None = None


def end_of(row: RowMapping) -> End:
    """The end of a row's call, from the record; an erased call's is not known any more."""
    if row["call_outcome"] is None:
        return End(Outcome.UNKNOWN, "The call was erased from the record.")
    ended = (row["call_record"] or {}).get("ended") or {}
    return End(
        Outcome(row["call_outcome"]),
        ended.get("cause"),
        ended.get("code"),
        row["call_answered_by"],
        row["call_sip_status"],
    )


class Conclusions:
    """What one transaction concludes.

    Attributes:
        told: events to publish after the commit.
    """

    def __init__(self, database: Database, connection: AsyncConnection, now: datetime) -> None:
        self._database = database
        self._connection = connection
        self._now = now
        self.told: list[StoredEvent] = []

    async def ended(self, row: RowMapping, end: End) -> None:
        """A row's call is over."""
        batch = await self._batch(row["batch_id"])
        options = BatchOptions.model_validate(batch["options"])
        rang = end.code not in NEVER_RANG
        await batches.end_attempt(
            self._connection, row, outcome=end.outcome, reason=end.reason, rang=rang, now=self._now
        )
        await self._note(batch, options, row["row"], line_failed(end.outcome, end.code))
        step = after_end(end.outcome, end.reason or "", row["retries"], options, self._now, code=end.code)
        of_call: dict[str, Any] = {
            "answered_by": end.answered_by,
            "sip_status": end.sip_status,
            "outcome": end.outcome,
            "rang": row["rang"] if rang else row["rang"] - 1,
        }
        await self._go_on(batch, row, step, of_call)

    async def refused(self, row: RowMapping, refusal: Refusal, call_id: str | None) -> None:
        """A row's call was not allowed: nobody was rung."""
        batch = await self._batch(row["batch_id"])
        options = BatchOptions.model_validate(batch["options"])
        await batches.end_attempt(
            self._connection, row, outcome=Outcome.BLOCKED, reason=refusal.reason, rang=False, now=self._now
        )
        await self._note(batch, options, row["row"], None)
        before = Outcome(row["outcome"]) if row["outcome"] else None
        step = after_refusal(refusal, before, row["retries"], options, self._now)
        await self._go_on(batch, row, step, {"rang": row["rang"] - 1, "call_id": call_id})

    async def lost(self, row: RowMapping) -> None:
        """A claim is too old to be asked for again."""
        await self.ended(row, End(Outcome.UNKNOWN, LOST, "dial_unknown"))

    async def finish(self, batch_id: str) -> None:
        """End a batch none of whose rows has anything left to do."""
        batch = await self._batch(batch_id)
        if batch["finished_at"] is not None or not await batches.is_done(self._connection, batch_id):
            return
        if batch["state"] == "cancelled":
            await batches.change(self._connection, batch_id, self._now, finished_at=self._now)
            return
        await batches.change(
            self._connection,
            batch_id,
            self._now,
            state="finished",
            paused_by=None,
            reason=None,
            finished_at=self._now,
        )
        self.told.append(
            await tell(self._database, self._connection, batch_id, "finished", "line", self._now)
        )

    async def _batch(self, batch_id: str) -> RowMapping:
        row = await batches.get(self._connection, batch_id)
        assert row is not None, "a batch is never deleted"
        return row

    async def _go_on(
        self, batch: RowMapping, row: RowMapping, step: Again | Over, values: dict[str, Any]
    ) -> None:
        place = (row["batch_id"], row["row"])
        if isinstance(step, Again) and batch["state"] != "cancelled":
            values |= {"state": "waiting", "due_at": step.due_at, "retries": dict(step.retries)}
        else:
            outcome = values.get("outcome") or (row["outcome"] if isinstance(step, Again) else step.outcome)
            values |= {"state": "done", "outcome": outcome or Outcome.CANCELLED, "finished_at": self._now}
        values |= {"reason": step.reason, "lease_until": None}
        await batches.set_row(self._connection, *place, **values)

    async def _note(self, batch: RowMapping, options: BatchOptions, row: int, failed: bool | None) -> None:
        before = Breaker.from_json(batch["breaker"])
        after = before.at(self._now).after(failed, row, options.breaker, self._now)
        if after == before or batch["state"] not in ("running", "paused"):
            return
        values: dict[str, Any] = {"breaker": after.to_json()}
        change: Change | None = None
        by_breaker = batch["state"] == "paused" and batch["paused_by"] == "breaker"
        if after.position is Position.OPEN and (batch["state"] == "running" or by_breaker):
            values |= {"state": "paused", "paused_by": "breaker", "reason": after.sentence()}
            change = "paused" if before.position is not Position.OPEN else None
        elif after.position is Position.CLOSED and by_breaker:
            values |= {"state": "running", "paused_by": None, "reason": None}
            change = "resumed"
        await batches.change(self._connection, batch["batch_id"], self._now, **values)
        if change is not None:
            told = await tell(
                self._database, self._connection, batch["batch_id"], change, "breaker", self._now
            )
            self.told.append(told)
