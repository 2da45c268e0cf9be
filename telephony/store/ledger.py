"""The calls of one transaction: locked and loaded once, told events in memory, written once.

Guarantee: the public ``seq`` of a call has no gaps and no repetition, because it is handed out from
the call's own locked row in the transaction that stores the event, its call and its deliveries: they
are all there or none is.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from telephony.calls.cost import PriceTable
from telephony.calls.ending import settle_delay
from telephony.calls.outcomes import Outcome
from telephony.calls.record import CallRecord, amend, settle
from telephony.calls.states import State
from telephony.calls.summary import amendments, parties, started_at, summarise
from telephony.store import guard
from telephony.store.outbox import enqueue
from telephony.store.stored import StoredEvent
from telephony.store.tables import call, erased_call, event

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import RowMapping
    from sqlalchemy.ext.asyncio import AsyncConnection

    from telephony.store.database import Database

_PER_STATEMENT = 500
_DIALLED = ("dialling_at", "invite_at", "ringing_at", "answered_at", "refused_at")
"""Any of these says that a call out has left; the first is stored in the commit after which it may."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator decides about records.

    ``keep_calls_days``: after that many days from its end a call is erased; None keeps it for ever.
    """

    prices: PriceTable = field(default_factory=PriceTable)
    keep_calls_days: float | None = None


@dataclass(slots=True)
class Sheet:
    """One call of the transaction."""

    record: CallRecord
    created_at: datetime
    last_seq: int
    settle_at: datetime | None
    recorded: bool
    told: list[dict[str, Any]] = field(default_factory=list)


class Ledger:
    """The calls that one writing transaction touches.

    Use: ``open`` the calls, ``tell`` events, ``conclude`` what is due, and ``close`` before the commit.
    """

    def __init__(
        self, database: Database, connection: AsyncConnection, policy: Policy, now: datetime
    ) -> None:
        self._database = database
        self._connection = connection
        self._policy = policy
        self._now = now
        self.sheets: dict[str, Sheet] = {}
        self.erased: set[str] = set()

    async def open(self, call_ids: Iterable[str], *, create: bool) -> None:
        """Lock and load calls, in one order for everybody; ``create`` those that are new.

        Calls that were erased are not opened again; they are in ``erased``.
        """
        wanted = sorted(set(call_ids))
        for start in range(0, len(wanted), _PER_STATEMENT):
            await self._open(wanted[start : start + _PER_STATEMENT], create)

    async def _open(self, wanted: list[str], create: bool) -> None:
        await self._load(wanted)
        new = [call_id for call_id in wanted if call_id not in self.sheets]
        if not new or not create:
            return
        erased = await self._connection.execute(
            sa.select(erased_call.c.call_id).where(erased_call.c.call_id.in_(new))
        )
        self.erased |= {row.call_id for row in erased}
        new = [call_id for call_id in new if call_id not in self.erased]
        if new:
            insert = self._database.insert(call).on_conflict_do_nothing(index_elements=[call.c.call_id])
            await self._connection.execute(insert, [_new_row(call_id, self._now) for call_id in new])
            await self._load(new)

    async def _load(self, wanted: list[str]) -> None:
        query = (
            sa.select(
                call.c.call_id,
                call.c.created_at,
                call.c.last_seq,
                call.c.settle_at,
                call.c.recorded,
                call.c.record,
            )
            .where(call.c.call_id.in_(wanted))
            .order_by(call.c.call_id)
            .with_for_update()
        )
        for row in (await self._connection.execute(query)).mappings():
            self.sheets[row["call_id"]] = _sheet(row)

    def tell(
        self,
        call_id: str,
        event_type: str,
        data: dict[str, Any],
        *,
        source: str = "record",
        source_seq: int = 0,
        time: datetime | None = None,
        digest: bytes | None = None,
    ) -> None:
        """Give an event its public number; what is told after the end is marked late."""
        sheet = self.sheets[call_id]
        late = sheet.record.ended is not None and event_type != "call.ended"
        sheet.last_seq += 1
        own = hashlib.sha256(f"{call_id} {sheet.last_seq} {event_type}".encode()).digest()[:16]
        sheet.told.append(
            {
                "call_id": call_id,
                "seq": sheet.last_seq,
                "digest": own if digest is None else digest,
                "type": event_type,
                "source": source,
                "source_seq": source_seq,
                "time": time or self._now,
                "received_at": self._now,
                "late": late,
                "data": data,
            }
        )

    def conclude(self, call_id: str, *, due: bool = False) -> None:
        """End the call if everybody has reported, or the wait is over; or correct an end told before."""
        sheet = self.sheets[call_id]
        if sheet.record.ended is not None:
            self._amend(call_id, sheet)
            return
        delay = settle_delay(sheet.record)
        if delay is None:
            sheet.settle_at = None
        elif delay == 0 or due:
            summary = self._summary(sheet)
            sheet.record = settle(sheet.record, summary)
            sheet.settle_at = None
            self.tell(call_id, "call.ended", summary, time=datetime.fromisoformat(summary["ended_at"]))
        else:
            waited_for = self._now + timedelta(seconds=delay)
            sheet.settle_at = min(sheet.settle_at or waited_for, waited_for)

    def _amend(self, call_id: str, sheet: Sheet) -> None:
        assert sheet.record.ended is not None
        changes = amendments(sheet.record.ended, self._summary(sheet))
        if changes:
            sheet.record = amend(sheet.record, changes)
            self.tell(call_id, "call.amended", {"changes": changes})

    def _summary(self, sheet: Sheet) -> dict[str, Any]:
        # A call of which nobody knows the end instant keeps the one it was first told with.
        ended = sheet.record.ended
        now = datetime.fromisoformat(ended["ended_at"]) if ended else self._now
        return summarise(sheet.record, self._policy.prices, first_seen=sheet.created_at, now=now)

    async def close(self) -> list[StoredEvent]:
        """Write the calls, their new events and the deliveries; returns the events, in order per call."""
        rows = [row for sheet in self.sheets.values() for row in sheet.told]
        if rows:
            await self._connection.execute(sa.insert(event), rows)
        changed = [self._row(sheet) for sheet in self.sheets.values()]
        if changed:
            update = sa.update(call).where(call.c.call_id == sa.bindparam("the_call"))
            names = [name for name in changed[0] if name != "the_call"]
            await self._connection.execute(
                update.values({name: sa.bindparam(name) for name in names}), changed
            )
        talked, undialled = self._calls_out_that_ended()
        await guard.settle(self._connection, talked, self._now)
        await guard.release(self._connection, undialled)
        stored = [
            StoredEvent(**{name: value for name, value in row.items() if name != "digest"}) for row in rows
        ]
        await enqueue(self._database, self._connection, stored, self._now)
        return stored

    def _calls_out_that_ended(self) -> tuple[dict[str, float], list[str]]:
        """How long those that were dialled were answered, and which surely were not dialled.

        Calls of which nobody knows are neither: what they reserved stays so until it expires.
        """
        talked: dict[str, float] = {}
        undialled: list[str] = []
        for call_id, sheet in self.sheets.items():
            record, end = sheet.record, sheet.record.ended
            if not (sheet.told and end and record.direction == "outbound"):
                continue
            if not any(record.value(name) for name in _DIALLED):
                undialled.append(call_id)
            elif end["outcome"] != Outcome.UNKNOWN and end.get("talk_s") is not None:
                talked[call_id] = float(end["talk_s"])
        return talked, undialled

    def _row(self, sheet: Sheet) -> dict[str, Any]:
        record = sheet.record
        ended = record.ended or {}
        ends = parties(record)
        ended_at = _instant(ended.get("ended_at"))
        keep = self._policy.keep_calls_days
        return {
            "the_call": record.call_id,
            "updated_at": self._now,
            "direction": record.direction,
            "state": record.state if record.state is State.ENDED else record.shown_state,
            "outcome": ended.get("outcome"),
            "answered_by": ended.get("answered_by"),
            "ended_by": ended.get("ended_by"),
            "sip_status": ended.get("sip_status"),
            "from_number": _number(ends["from"]),
            "to_number": _number(ends["to"]),
            "trunk_id": _cut(record.value("trunk_id"), 128),
            "assistant": _cut(record.value("assistant"), 128),
            "room": _cut(record.value("room"), 256),
            "started_at": started_at(record, sheet.created_at),
            "answered_at": _instant(record.value("answered_at")),
            "ended_at": ended_at,
            "duration_ms": round(ended["duration_s"] * 1000) if ended else None,
            "recorded": sheet.recorded,
            "last_seq": sheet.last_seq,
            "settle_at": sheet.settle_at,
            "expires_at": ended_at + timedelta(days=keep) if ended_at and keep is not None else None,
            "record": record.to_json(),
        }


def _sheet(row: RowMapping) -> Sheet:
    return Sheet(
        record=CallRecord.from_json(row["call_id"], row["record"]),
        created_at=row["created_at"],
        last_seq=row["last_seq"],
        settle_at=row["settle_at"],
        recorded=row["recorded"],
    )


def _new_row(call_id: str, now: datetime) -> dict[str, Any]:
    return {
        "call_id": call_id,
        "created_at": now,
        "updated_at": now,
        "direction": "inbound",
        "state": State.RINGING,
        "recorded": False,
        "last_seq": 0,
        "record": CallRecord(call_id).to_json(),
    }


def _number(party: dict[str, Any] | None) -> str | None:
    return None if party is None else str(party["e164"] or party["as_sent"])


def _cut(value: Any, length: int) -> str | None:
    return None if value is None else str(value)[:length]


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
