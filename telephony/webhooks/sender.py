"""Deliver what the outbox holds: at least once, in order per call and endpoint, each endpoint by itself.

Guarantee: an endpoint that is slow, dead or hostile takes only its own places; every other endpoint's
deliveries go on as if it were not there. What was delivered is written down before the next event of
the same call goes out.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from telephony.errors import StoreError
from telephony.logs import get_logger
from telephony.store import deliveries, endpoints, line, outbox
from telephony.store.instants import utc_now
from telephony.store.outbox import Step, Tried
from telephony.webhooks.desk import Claimed, Desk
from telephony.webhooks.pace import Pace
from telephony.webhooks.schedule import Schedule

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence
    from datetime import datetime

    from sqlalchemy import RowMapping

    from telephony.store.database import Database
    from telephony.store.outbox import Due, Lease
    from telephony.store.stored import StoredEvent
    from telephony.webhooks.attempt import Poster, Result

log = get_logger(__name__)

_POLL_S = 1.0
_RETRY_S = 1.0
_STOP_S = 5.0
_MARGIN_S = 5.0


@dataclass(frozen=True, slots=True)
class SenderOptions:
    """How deliveries are made.

    ``concurrency``: attempts under way to one endpoint. ``disable_after_s``: an endpoint that has failed
    for so long without one success is switched off. ``lease_s`` outlasts the longest attempt.
    """

    schedule: Schedule = field(default_factory=Schedule)
    concurrency: int = 16
    disable_after_s: float = 5 * 86_400.0
    lease_s: float = 45.0


class Observer(Protocol):
    """Whoever wants to know, such as the metrics."""

    def attempted(self, endpoint_id: str, result: Result, waited_s: float) -> None:
        """An attempt was made; ``waited_s`` is the age of its delivery then."""

    def told(self, events: Sequence[StoredEvent]) -> None:
        """Events of the line were stored."""


class Sender:
    """Runs until it is cancelled or ``stop`` is called.

    Args:
        owner: this process among all senders, such as a random id.
        wake: set by whoever stores events; the sender looks by itself every second as well.
    """

    def __init__(
        self,
        database: Database,
        poster: Poster,
        options: SenderOptions,
        *,
        owner: str,
        wake: asyncio.Event,
        observer: Observer,
    ) -> None:
        self._database = database
        self._poster = poster
        self._options = options
        self._owner = owner
        self._wake = wake
        self._observer = observer
        self._paces: dict[str, Pace] = {}
        self._gates: dict[str, asyncio.Semaphore] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._lanes: set[tuple[str, str]] = set()
        self._stopping = False
        self._retry_at: datetime | None = None

    def stop(self) -> None:
        """Claim nothing more; ``run`` returns when what is under way is done, or after five seconds."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Deliver until stopped."""
        async with Desk(self._database, self._owner, lease_s=self._options.lease_s) as desk:
            self._desk = desk
            try:
                while not self._stopping:
                    await self._round()
            finally:
                await self._finish_tasks()

    async def _round(self) -> None:
        self._wake.clear()
        if self._retry_at is not None and self._retry_at <= utc_now():
            self._retry_at = None
        try:
            async with self._database.read() as connection:
                due = await outbox.endpoints_due(connection, utc_now())
        except StoreError as error:
            log.warning("outbox_unreadable", reason=error.message)
            await asyncio.sleep(_RETRY_S)
            return
        for endpoint_id in due:
            pace = self._paces.setdefault(endpoint_id, Pace(self._options.concurrency))
            free = pace.worthwhile(utc_now())
            if free:
                pace.in_flight += free
                self._own(self._serve(endpoint_id, pace, free))
        await self._sleep()

    async def _sleep(self) -> None:
        now = utc_now()
        instants = [pace.not_before for pace in self._paces.values() if pace.not_before]
        if self._retry_at is not None:
            instants.append(self._retry_at)
        ahead = [(instant - now).total_seconds() for instant in instants if instant > now]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min([_POLL_S, *ahead])):
                await self._wake.wait()

    def _own(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="webhook-delivery")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _finish_tasks(self) -> None:
        end = asyncio.get_running_loop().time() + _STOP_S
        while self._tasks and (left_s := end - asyncio.get_running_loop().time()) > 0:
            # One may have begun another meanwhile.
            await asyncio.wait(self._tasks, timeout=left_s)
        unfinished = list(self._tasks)
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)

    async def _serve(self, endpoint_id: str, pace: Pace, places: int) -> None:
        """Claim up to ``places`` lanes of an endpoint, which were counted already, and work through them."""
        claimed = Claimed(None, [])
        try:
            claimed = await self._desk.claim(endpoint_id, places)
        except StoreError:
            await asyncio.sleep(_RETRY_S)
        # A lane whose lease ran out while we are still at it comes back to us: it is not begun twice.
        # One that comes while we stop is not begun at all: the desk gives it back.
        begin = () if self._stopping else claimed.lanes
        lanes = [lane for lane in begin if (lane.endpoint_id, lane.call_id) not in self._lanes]
        pace.in_flight -= places - len(lanes)
        if claimed.endpoint is None:
            return
        # What the record says holds: an operator may have switched it on again, another sender been answered.
        pace.failing_since = claimed.endpoint["failing_since"]
        for lane in lanes:
            self._lanes.add((lane.endpoint_id, lane.call_id))
            self._own(self._work(lane, claimed.endpoint, pace))

    async def _work(self, lane: Lease, endpoint: RowMapping, pace: Pace) -> None:
        try:
            await self._send_in_order(lane, endpoint, pace)
        except StoreError as error:
            log.warning("delivery_not_recorded", reason=error.message)
        except Exception:
            log.exception("delivery_failed", endpoint_id=lane.endpoint_id, call_id=lane.call_id)
        finally:
            self._lanes.discard((lane.endpoint_id, lane.call_id))
            pace.in_flight -= 1
            if pace.worthwhile(utc_now()):
                self._wake.set()

    async def _send_in_order(self, lane: Lease, endpoint: RowMapping, pace: Pace) -> None:
        if not lane.deliveries:
            await self._desk.finish(Step(lane.endpoint_id, lane.call_id, None, utc_now()))
            return
        signing = endpoints.valid_secrets(endpoint["secrets"], utc_now())
        gate = self._gates.setdefault(lane.endpoint_id, asyncio.Semaphore(self._options.concurrency))
        until = lane.until
        for place, due in enumerate(lane.deliveries, start=1):
            async with gate:
                if utc_now() >= until:
                    # Held up for longer than the lease, as by a database that was away: another may have it.
                    log.warning("lease_ran_out", endpoint_id=lane.endpoint_id, call_id=lane.call_id)
                    return
                result = await self._poster.post(endpoint["url"], due.event.payload(), signing)
            now = utc_now()
            self._observer.attempted(lane.endpoint_id, result, (now - due.created_at).total_seconds())
            news = _learn(pace, result, now)
            last = place == len(lane.deliveries) or not result.delivered or self._stopping
            step = self._step(lane, due, result, now, last=last, until=until)
            if not await self._write_down(step, pace):
                return
            if step.renew:
                until = now + timedelta(seconds=self._options.lease_s)
            if step.due_at is not None and step.due_at > now:
                self._retry_at = min(self._retry_at or step.due_at, step.due_at)
            await self._tell(endpoint["endpoint_id"], pace, result, news, now)
            if last:
                return

    async def _write_down(self, step: Step, pace: Pace) -> bool:
        """Record a step; others may take its place meanwhile."""
        pace.unwritten += 1
        if pace.worthwhile(utc_now()):
            self._wake.set()
        try:
            return await self._desk.finish(step)
        finally:
            pace.unwritten -= 1

    def _step(
        self, lane: Lease, due: Due, result: Result, now: datetime, *, last: bool, until: datetime
    ) -> Step:
        status, due_at = "delivered", now if last else None
        if not result.delivered:
            again = self._options.schedule.next_attempt(
                due.attempts + 1, now, retry_after_s=result.retry_after_s, chance=random.random()
            )
            # A delivery that is given up makes way for the next event of its call.
            status, due_at = ("dead", now) if again is None else ("pending", again)
            log.info(
                "delivery_attempt_failed",
                endpoint_id=lane.endpoint_id,
                call_id=lane.call_id,
                attempt=due.attempts + 1,
                http_status=result.http_status,
                reason=result.error,
                given_up=again is None,
            )
        tried = Tried(
            due.delivery_id,
            status,
            now,
            result.duration_ms,
            result.http_status,
            result.error,
            result.response,
        )
        # Renewed when the next attempt might outlast it, not at every step: each renewal is a row written.
        left_s = (until - now).total_seconds()
        renew = left_s < max(self._options.lease_s / 2, self._poster.timeout_s + _MARGIN_S)
        return Step(lane.endpoint_id, lane.call_id, tried, due_at, renew)

    async def _tell(self, endpoint_id: str, pace: Pace, result: Result, news: _News, now: datetime) -> None:
        """Write down that an endpoint began to fail or recovered, and switch it off when it must be."""
        since = pace.failing_since or now
        if result.delivered:
            if news.turned:
                async with self._database.write() as connection:
                    await endpoints.change(
                        connection, endpoint_id, now, failing_since=None, last_success_at=now
                    )
                    if news.hasten:
                        await deliveries.hasten(connection, endpoint_id, now)
        elif result.gone:
            await self._disable(endpoint_id, "It answered 410 Gone.", now)
        elif now - since >= timedelta(seconds=self._options.disable_after_s):
            await self._disable(endpoint_id, f"It has failed since {since:%Y-%m-%d %H:%M} UTC.", now)
        elif news.turned:
            async with self._database.write() as connection:
                await endpoints.change(
                    connection, endpoint_id, now, failing_since=since, last_failure=result.error
                )

    async def _disable(self, endpoint_id: str, reason: str, now: datetime) -> None:
        async with self._database.write() as connection:
            if not await endpoints.disable(connection, endpoint_id, reason, now):
                return
            data = {"endpoint_id": endpoint_id, "reason": reason}
            alarm = await line.tell(self._database, connection, "endpoint.disabled", data, now)
        log.error("endpoint_disabled", endpoint_id=endpoint_id, reason=reason)
        self._paces.pop(endpoint_id, None)
        self._observer.told([alarm])


@dataclass(frozen=True, slots=True)
class _News:
    """``turned``: the endpoint began to fail, or recovered; ``hasten``: all that waits for it is due."""

    turned: bool
    hasten: bool = False


def _learn(pace: Pace, result: Result, now: datetime) -> _News:
    """Note an attempt's result before it is written, so that nobody begins what it speaks against."""
    failing = pace.failing_since is not None
    if result.delivered:
        return _News(failing, pace.succeeded(now))
    pace.failed(now, result.retry_after_s)
    return _News(not failing)
