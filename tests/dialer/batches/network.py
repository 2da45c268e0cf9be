"""A dialer and the telephones behind it, as a batch sees them: over the record alone."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from telephony.calls.events import Event
from telephony.calls.ids import mint_call_id
from telephony.calls.outcomes import Outcome
from telephony.dialer.batches.conductor import Conductor
from telephony.dialer.batches.options import BatchOptions
from telephony.dialer.batches.placing import Placed
from telephony.dialer.batches.starting import AnyHour
from telephony.errors import StoreError
from telephony.store import batches
from telephony.store.append import append, settle_due
from telephony.store.batches import NewRow
from telephony.store.ledger import Policy
from telephony.store.stored import Incoming

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import RowMapping

    from telephony.dialer.batches.retries import Refusal
    from telephony.dialer.batches.starting import Hours
    from telephony.dialer.request import DialRequest
    from telephony.store.database import Database
    from telephony.store.stored import StoredEvent

START = datetime(2026, 11, 23, 10, tzinfo=UTC)


@dataclass
class Network:
    """Keeps the promises of the dialer: one call for one key and request; rings only for a new one.

    Attributes:
        answers: outcomes of a number's calls, in order, the last one for ever; answered where there is none.
        refusals: what the guard says to a number, in order; then it allows.
        lost: keys whose answer is lost on the way back, once each.
    """

    database: Database
    answers: dict[str, list[str]] = field(default_factory=dict)
    refusals: dict[str, list[Refusal]] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    hours: Hours = field(default_factory=AnyHour)
    now: datetime = START
    rung: list[tuple[datetime, str]] = field(default_factory=list)
    open: dict[str, str] = field(default_factory=dict)
    most_at_once: int = 0
    told: list[StoredEvent] = field(default_factory=list)
    _door: asyncio.Lock = field(default_factory=asyncio.Lock)
    _known: dict[str, tuple[Any, Placed]] = field(default_factory=dict)

    def conductor(self) -> Conductor:
        """A conductor of this network's calls, on its clock."""
        return Conductor(
            self.database, self.place, lambda _window: self.hours, self.told.extend, now=lambda: self.now
        )

    async def place(self, request: DialRequest, key_id: str, idempotency_key: str) -> Placed:
        """Ask for a call; who asks may die meanwhile, the dialer goes on."""
        return await asyncio.shield(asyncio.ensure_future(self._one_by_one(request, key_id, idempotency_key)))

    async def _one_by_one(self, request: DialRequest, key_id: str, idempotency_key: str) -> Placed:
        async with self._door:
            return await self._place(request, key_id, idempotency_key)

    async def _place(self, request: DialRequest, key_id: str, idempotency_key: str) -> Placed:
        assert key_id == "somebody"
        shape = request.to_json()
        if idempotency_key in self._known:
            asked, placed = self._known[idempotency_key]
            assert asked == shape, "the same key came with another request"
            return placed
        if self.refusals.get(request.to):
            return Placed(None, self.refusals[request.to].pop(0))
        assert request.deadline is not None
        call_id = mint_call_id()
        self.rung.append((self.now, request.to))
        self.open[call_id] = request.to
        self.most_at_once = max(self.most_at_once, len(self.open))
        data = {"direction": "outbound", "to": request.to, "batch_id": request.batch_id}
        await self._happened(call_id, "call.requested", data)
        self._known[idempotency_key] = (shape, Placed(call_id))
        if idempotency_key in self.lost:
            self.lost.discard(idempotency_key)
            raise StoreError("The answer was lost.", retryable=True)
        return Placed(call_id)

    async def hang_up(self, *numbers: str) -> None:
        """End the calls that are going on, or those to some numbers."""
        if not self.open:
            return
        for call_id, number in list(self.open.items()):
            if not numbers or number in numbers:
                del self.open[call_id]
                left = self.answers.get(number, ["answered"])
                outcome = left.pop(0) if len(left) > 1 else left[0]
                await self._happened(
                    call_id, "call.ended", {"outcome": outcome, "cause": f"It was {outcome}."}
                )
        async with self.database.write() as connection:
            await settle_due(self.database, connection, Policy(), self.now + timedelta(minutes=1))

    async def _happened(self, call_id: str, event_type: Any, data: dict[str, Any]) -> None:
        event = Event(call_id, "dialer", 0, event_type, self.now, data)
        async with self.database.write() as connection:
            await append(self.database, connection, [Incoming(event, event_type)], Policy(), self.now)

    def calls_to(self, number: str) -> int:
        """How many times a number rang."""
        return sum(each == number for _, each in self.rung)

    def changes(self) -> list[str]:
        """What was told of batches, in order."""
        return [event.type for event in self.told]


async def make(
    database: Database, numbers: Sequence[str], *, paused: bool = False, now: datetime = START, **options: Any
) -> str:
    """A batch of some numbers."""
    chosen = BatchOptions.model_validate({"pace_per_s": 50, **options})
    async with database.write() as connection:
        return await batches.create(
            connection,
            key_id="somebody",
            name="test",
            options=chosen.model_dump(mode="json", by_alias=True),
            rows=[NewRow(number, {"n": at}, {}) for at, number in enumerate(numbers)],
            paused=paused,
            now=now,
        )


async def lead(conductor: Conductor, network: Network, seconds: float, *, step_s: float = 1.0) -> None:
    """Let time go by: at each step calls end and the conductor looks at its batches."""
    for _ in range(round(seconds / step_s)):
        await conductor.round()
        await conductor.settled()
        network.now += timedelta(seconds=step_s)
        await network.hang_up()
    await conductor.round()


async def rows_of(database: Database, batch_id: str) -> Sequence[RowMapping]:
    """The rows of a batch."""
    async with database.read() as connection:
        return await batches.rows_after(connection, batch_id, 0, 1000)


async def state_of(database: Database, batch_id: str) -> Mapping[str, Any]:
    """A batch with its counts."""
    async with database.read() as connection:
        row = await batches.get(connection, batch_id)
        assert row is not None
        counted = await batches.counts(connection, [batch_id])
    return {**row, **counted[batch_id]}


def numbers(count: int) -> list[str]:
    """Some numbers that nobody has."""
    return [f"+1555010{at:04d}" for at in range(count)]


ANSWERED = Outcome.ANSWERED
