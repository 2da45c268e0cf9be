"""Leads every batch: asks for the calls whose turn it is, and goes on by what became of them.

Guarantee: an attempt is written down before it is asked for, and asked for under its own idempotency key, as
often as it takes to hear an answer; so whatever dies when, no attempt dials twice and no row is forgotten.
Several api processes may each have a conductor over one database.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from typing import TYPE_CHECKING

from telephony.dialer.batches.beginning import LEASE_S, Claim, begin, standing
from telephony.dialer.batches.concluding import TRUSTED, Conclusions, end_of
from telephony.dialer.batches.options import BatchOptions, Window
from telephony.dialer.batches.placing import request_of
from telephony.dialer.batches.starting import places
from telephony.errors import StoreError
from telephony.logs import get_logger
from telephony.store import batches
from telephony.store.instants import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from datetime import datetime
    from typing import Any

    from sqlalchemy import RowMapping
    from sqlalchemy.ext.asyncio import AsyncConnection

    from telephony.dialer.batches.placing import Placed, Placer
    from telephony.dialer.batches.starting import Hours
    from telephony.store.database import Database
    from telephony.store.stored import StoredEvent

log = get_logger(__name__)

LOOK_S = 1.0
"""A batch is looked at so often, and besides whenever something happens to a call."""

SOONEST_S = 0.02
_ASK_S = 25.0


class Conductor:
    """One api process's.

    Args:
        place: asks for one call.
        hours_for: the hours of a batch's window; of the line alone for None.
        publish: told of what was stored, after the commit.
        now: the instant; for tests.
    """

    def __init__(
        self,
        database: Database,
        place: Placer,
        hours_for: Callable[[Window | None], Hours],
        publish: Callable[[Sequence[StoredEvent]], None],
        *,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._database = database
        self._place = place
        self._hours_for = hours_for
        self._publish = publish
        self._now = now
        self._asking: set[asyncio.Task[None]] = set()
        self._keys: set[str] = set()
        self.news = asyncio.Event()
        """Set when a batch may have something to do."""

    async def round(self) -> float:
        """Look at every batch once; returns after how many seconds to look again."""
        async with self._database.read() as connection:
            open_batches = await batches.unfinished(connection)
        if not open_batches:
            return LOOK_S
        await self._conclude()
        await self._take_up()
        wait_s = LOOK_S
        for batch in open_batches:
            if batch["state"] in ("running", "paused"):
                wait_s = min(wait_s, await self._begin(batch["batch_id"]))
        await self._finish([batch["batch_id"] for batch in open_batches])
        return max(SOONEST_S, wait_s)

    async def settled(self) -> None:
        """Wait until every call that was begun has been asked for."""
        while self._asking:
            await asyncio.wait(self._asking)

    async def close(self) -> None:
        """Stop asking; what is under way is taken up by the next conductor."""
        for task in self._asking:
            task.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)

    # One look

    async def _conclude(self) -> None:
        async with self._database.read() as connection:
            if not await batches.ended_calls(connection, 1):
                return
        async with self._database.write() as connection:
            await batches.alone(self._database, connection)
            conclusions = Conclusions(self._database, connection, self._now())
            for row in await batches.ended_calls(connection):
                await conclusions.ended(row, end_of(row))
        self._publish(conclusions.told)

    async def _take_up(self) -> None:
        """Ask again for what was claimed by somebody who is gone."""
        now = self._now()
        async with self._database.read() as connection:
            if not await batches.left_claims(connection, now):
                return
        async with self._database.write() as connection:
            await batches.alone(self._database, connection)
            conclusions = Conclusions(self._database, connection, now)
            left: list[Claim] = []
            for row in await batches.left_claims(connection, now):
                if now - row["claimed_at"] > TRUSTED:
                    await conclusions.lost(row)
                    continue
                until = now + timedelta(seconds=LEASE_S)
                await batches.renew(connection, row["batch_id"], row["row"], until)
                left.append(_claim_of(row))
        self._publish(conclusions.told)
        for claim in left:
            self._ask(claim)

    async def _begin(self, batch_id: str) -> float:
        now = self._now()
        async with self._database.read() as connection:
            wait_s = await self._until_due(connection, batch_id, now)
        if wait_s > 0:
            return wait_s
        async with self._database.write() as connection:
            await batches.alone(self._database, connection)
            batch = await batches.get(connection, batch_id)
            if batch is None:
                return LOOK_S
            options = BatchOptions.model_validate(batch["options"])
            begun = await begin(connection, batch, self._hours_for(options.window), now)
        for claim in begun.claims:
            self._ask(claim)
        if begun.more:
            return 0.0
        return LOOK_S if begun.next_at is None else (begun.next_at - now).total_seconds()

    async def _until_due(self, connection: AsyncConnection, batch_id: str, now: datetime) -> float:
        """Seconds until a call of a batch may begin, as far as can be told; 0 where it is worth a look."""
        batch = await batches.get(connection, batch_id)
        due_at = await batches.next_due(connection, batch_id)
        if batch is None or due_at is None:
            return LOOK_S
        options = BatchOptions.model_validate(batch["options"])
        if not places(standing(batch, await batches.under_way(connection, batch_id)), options, now):
            return LOOK_S
        start_at: datetime = max(due_at, batch["next_start_at"])
        return max(0.0, (start_at - now).total_seconds())

    async def _finish(self, batch_ids: Sequence[str]) -> None:
        async with self._database.read() as connection:
            done = [each for each in batch_ids if await batches.is_done(connection, each)]
        if not done:
            return
        async with self._database.write() as connection:
            await batches.alone(self._database, connection)
            conclusions = Conclusions(self._database, connection, self._now())
            for batch_id in done:
                await conclusions.finish(batch_id)
        self._publish(conclusions.told)

    # Asking for one call

    def _ask(self, claim: Claim) -> None:
        if claim.key in self._keys:
            return
        self._keys.add(claim.key)
        self._own(self._ask_for(claim), claim.key)

    def _own(self, work: Coroutine[Any, Any, None], key: str) -> None:
        task = asyncio.create_task(work, name="batch-call")
        self._asking.add(task)

        def done(ended: asyncio.Task[None]) -> None:
            self._asking.discard(ended)
            self._keys.discard(key)
            self.news.set()

        task.add_done_callback(done)

    async def _ask_for(self, claim: Claim) -> None:
        try:
            async with asyncio.timeout(_ASK_S):
                placed = await self._place(claim.request, claim.key_id, claim.key)
            await self._note(claim, placed)
        except (StoreError, TimeoutError) as error:
            # Its lease runs out, and it is asked for again under the same key.
            log.warning("batch_call_not_asked", batch_id=claim.batch_id, row=claim.row, reason=str(error))
        except Exception:
            # A fault of ours in one call must not end the others; the row is asked for again.
            log.exception("batch_call_failed", batch_id=claim.batch_id, row=claim.row)

    async def _note(self, claim: Claim, placed: Placed) -> None:
        told: Sequence[StoredEvent] = ()
        async with self._database.write() as connection:
            await batches.alone(self._database, connection)
            place = (claim.batch_id, claim.row, claim.attempt)
            if placed.refusal is None:
                assert placed.call_id is not None, "a call that is allowed has an id"
                await batches.placed(connection, *place, placed.call_id)
            elif (row := await batches.row_at(connection, *place)) is not None:
                conclusions = Conclusions(self._database, connection, self._now())
                await conclusions.refused(row, placed.refusal, placed.call_id)
                told = conclusions.told
        self._publish(told)


def _claim_of(row: RowMapping) -> Claim:
    request = request_of(row, BatchOptions.model_validate(row["options"]))
    return Claim(row["batch_id"], row["row"], row["attempt"], row["key_id"], request)


async def lead(conductor: Conductor, changed: asyncio.Event, stopping: asyncio.Event) -> None:
    """Lead until stopped.

    Args:
        changed: set by whoever stores events or changes a batch.
    """
    try:
        while not stopping.is_set():
            changed.clear()
            conductor.news.clear()
            try:
                wait_s = await conductor.round()
            except StoreError as error:
                log.warning("batches_postponed", reason=error.message)
                wait_s = LOOK_S
            await asyncio.sleep(min(SOONEST_S, wait_s))
            await _first_of([changed, conductor.news, stopping], wait_s)
    finally:
        await conductor.close()


async def _first_of(events: Sequence[asyncio.Event], at_most_s: float) -> None:
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=at_most_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*waits, return_exceptions=True)
