"""A running sender over a database, and calls whose events it has to deliver."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import sqlalchemy as sa

from telephony.calls.events import Event
from telephony.store import endpoints
from telephony.store.append import append
from telephony.store.instants import utc_now
from telephony.store.ledger import Policy
from telephony.store.stored import Incoming, StoredEvent
from telephony.store.tables import delivery, endpoint
from telephony.webhooks.attempt import Poster, Result
from telephony.webhooks.guard import AddressGuard, networks
from telephony.webhooks.schedule import Schedule
from telephony.webhooks.sender import Sender, SenderOptions
from telephony.webhooks.signing import new_secret
from tests.waiting import limit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from sqlalchemy import RowMapping

    from telephony.store.database import Database

FAST = SenderOptions(schedule=Schedule(delays_s=(0.05, 0.05, 0.1), jitter=0.1))


@dataclass(slots=True)
class Watched:
    """What the sender told."""

    attempts: list[tuple[str, Result]] = field(default_factory=list)
    events: list[StoredEvent] = field(default_factory=list)

    def attempted(self, endpoint_id: str, result: Result, waited_s: float) -> None:
        assert waited_s > -1
        self.attempts.append((endpoint_id, result))

    def told(self, events: Sequence[StoredEvent]) -> None:
        self.events.extend(events)


@contextlib.asynccontextmanager
async def sending(
    database: Database, options: SenderOptions = FAST, *, owner: str = "test", timeout_s: float = 1.0
) -> AsyncIterator[tuple[Watched, asyncio.Event]]:
    """A sender at work; yields what it tells, and the event that wakes it."""
    watched, wake = Watched(), asyncio.Event()
    async with Poster(AddressGuard(networks(["127.0.0.0/8"])), timeout_s=timeout_s) as poster:
        sender = Sender(database, poster, options, owner=owner, wake=wake, observer=watched)
        task = asyncio.create_task(sender.run())
        try:
            yield watched, wake
        finally:
            sender.stop()
            await task


async def add_endpoint(database: Database, url: str, *, secret: str | None = None) -> str:
    """A new endpoint for everything."""
    async with database.write() as connection:
        row = await endpoints.create(
            connection,
            url=url,
            types=["*"],
            description="",
            secret=secret or new_secret(),
            now=utc_now(),
        )
    return str(row["endpoint_id"])


async def happen(
    database: Database, call_id: str, seqs: Sequence[int], wake: asyncio.Event | None = None
) -> None:
    """Events of one call, numbered by their source."""
    said = [Incoming(Event(call_id, "job", seq, "dtmf.received", utc_now(), {"digit": "1"})) for seq in seqs]
    async with database.write() as connection:
        await append(database, connection, said, Policy(), utc_now())
    if wake:
        wake.set()


async def statuses(database: Database, endpoint_id: str) -> list[str]:
    """The status of each delivery of an endpoint, in order."""
    query = (
        sa.select(delivery.c.status)
        .where(delivery.c.endpoint_id == endpoint_id)
        .order_by(delivery.c.delivery_id)
    )
    async with database.read() as connection:
        return [row.status for row in await connection.execute(query)]


async def until_settled(database: Database, endpoint_id: str, timeout_s: float = 15) -> list[str]:
    """Wait until nothing of an endpoint is pending."""
    async with limit(timeout_s):
        while "pending" in (found := await statuses(database, endpoint_id)):
            await asyncio.sleep(0.02)
    return found


async def endpoint_row(database: Database, endpoint_id: str) -> RowMapping:
    """An endpoint's row."""
    async with database.read() as connection:
        query = sa.select(endpoint).where(endpoint.c.endpoint_id == endpoint_id)
        return (await connection.execute(query)).mappings().one()
