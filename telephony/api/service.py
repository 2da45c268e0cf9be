"""Everything that an api process does besides answering: started in order, watched, stopped in order.

Guarantee: a background duty that fails is logged and tried again; none of them can take the api down,
and none is left running after ``close``.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from pathlib import Path
from typing import TYPE_CHECKING, Self

from uuid_utils import uuid7

from telephony.api.access import Doorkeeper
from telephony.api.batch_desk import BatchDesk
from telephony.api.file_endpoints import bring_in
from telephony.api.first_keys import make_first_keys
from telephony.api.hub import Hub
from telephony.api.keeper import RecordingKeeper
from telephony.api.reconciler import Reconciler
from telephony.api.taking import OwnSpool
from telephony.dialer.attempt import Surroundings
from telephony.dialer.dialler import Dialler
from telephony.dialer.guard.of_config import rules_of
from telephony.dialer.guard.rules import GuardRules
from telephony.dialer.options import DialerOptions, options_of
from telephony.dialer.requests import DialService
from telephony.dialer.stage import Stage
from telephony.errors import StartError, StoreError
from telephony.livekit_client import LiveKit
from telephony.logs import get_logger
from telephony.monitor.metrics import Metrics
from telephony.spool_forwarder import SpoolForwarder
from telephony.store import batches, deliveries, dials, erasure, outbox, schema
from telephony.store.database import Database
from telephony.store.do_not_call import listed
from telephony.store.files import RecordingFiles
from telephony.store.guard import DialGuard
from telephony.store.instants import utc_now
from telephony.store.intake import Intake
from telephony.store.ledger import Policy
from telephony.webhooks.attempt import Poster
from telephony.webhooks.sender import Sender

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from telephony.api.settings import ApiSettings
    from telephony.store.stored import StoredEvent
    from telephony.webhooks.attempt import Result

log = get_logger(__name__)

_SETTLE_S = 0.5
_FILES_S = 5.0
_HOUSEKEEPING_S = 60.0
_GAUGES_S = 5.0
_STOP_S = 10.0


class _Observer:
    """What the sender does, counted and told."""

    def __init__(self, hub: Hub, metrics: Metrics) -> None:
        self._hub, self._metrics = hub, metrics

    def attempted(self, endpoint_id: str, result: Result, waited_s: float) -> None:
        self._metrics.attempted(endpoint_id, result, waited_s)

    def told(self, events: Sequence[StoredEvent]) -> None:
        self._hub.publish(events)


class Service:
    """One api process. Use as an asynchronous context."""

    def __init__(self, settings: ApiSettings) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.hub = Hub(self.metrics)
        self.policy = Policy(prices=settings.prices, keep_calls_days=settings.keep_calls_days)
        self.database = Database(settings.database_url)
        self.doorkeeper = Doorkeeper(self.database, settings.requests_per_minute)
        self.intake = Intake(self.database, self.policy, self.hub.publish)
        self.files = RecordingFiles(settings.recordings.url, settings.recordings.store)
        self.keeper = RecordingKeeper(
            self.database, self.files, settings.recordings, self.policy, self.hub, self.metrics
        )
        self.livekit: LiveKit | None = None
        self.dialer_options = options_of(settings.config) if settings.config else DialerOptions()
        rules = rules_of(settings.config, settings.prices) if settings.config else GuardRules()
        self.dialing = DialService(
            self.database,
            self.policy,
            DialGuard(rules, listed),
            self.dialer_options.lines,
            self.hub.publish,
            asyncio.Event(),
        )
        self.batches = BatchDesk(self.dialing, self.hub)
        self.poster = Poster(settings.guard, timeout_s=settings.attempt_timeout_s)
        self.stopping = asyncio.Event()
        self.last_reconciled: float | None = None
        self._owner = f"api-{uuid7().hex[:20]}"
        self._duties: list[asyncio.Task[None]] = []
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _start(self) -> None:
        self._stack.push_async_callback(self.database.close)
        self._stack.callback(self.files.close)
        if self.database.is_sqlite:
            self._stack.callback(_hold_alone(Path(self.database.url.database or "")))
        await schema.require_current(self.database)
        await self.database.open_readers()
        await make_first_keys(self.database, self.settings.data)
        await bring_in(self.database, self.settings.endpoints, self.settings.guard)
        if self.database.is_sqlite:
            # Nobody else can be alive who holds a lease: what a killed predecessor was sending is free again.
            async with self.database.write() as connection:
                await outbox.release(connection)
                await dials.release(connection)
        await self._stack.enter_async_context(self.intake)
        await self._stack.enter_async_context(self.poster)
        if self.settings.livekit_url and self.settings.livekit_api_key:
            self.livekit = LiveKit(
                self.settings.livekit_url,
                self.settings.livekit_api_key,
                self.settings.livekit_api_secret,
                counts=self.metrics,
            )
            await self._stack.enter_async_context(self.livekit)
        self._start_duties()

    def _start_duties(self) -> None:
        sender = Sender(
            self.database,
            self.poster,
            self.settings.sender,
            owner=self._owner,
            wake=self.hub.work,
            observer=_Observer(self.hub, self.metrics),
        )
        self._sender = sender
        self._duty("webhooks", sender.run)
        self._every("settle", _SETTLE_S, self.intake.settle)
        self._every("recordings", _FILES_S, self.keeper.work, wake=self.hub.files)
        self._every("housekeeping", _HOUSEKEEPING_S, self._housekeep)
        self._every("gauges", _GAUGES_S, self._gauge)
        if self.settings.spool is not None:
            forwarder = SpoolForwarder(self.settings.spool, OwnSpool(self.intake))
            self._duty("spool", lambda: forwarder.run(self.stopping))
        if self.livekit is not None:
            reconciler = Reconciler(self.database, self.intake, self.livekit, self.metrics)
            self._every("reconcile", self.settings.reconcile_s, reconciler.round)
            dialler = self._dialler(self.livekit)
            self._duty("dialler", lambda: dialler.run(self.stopping))
            self._duty("batches", lambda: self.batches.run(self.stopping))

    def _dialler(self, livekit: LiveKit) -> Dialler:
        around = Surroundings(
            self.database,
            self.policy,
            self.hub.publish,
            livekit,
            Stage(livekit, self.dialer_options.line),
            self.dialing.gate,
            self.dialer_options,
            self._owner,
        )
        return Dialler(around, self.dialing.wake)

    def _duty(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        async def forever() -> None:
            while not self.stopping.is_set():
                try:
                    await run()
                except Exception:
                    log.exception("duty_failed", duty=name)
                    await self._pause(1.0)

        self._duties.append(asyncio.create_task(forever(), name=name))

    def _every(
        self,
        name: str,
        seconds: float,
        work: Callable[[], Awaitable[object]],
        *,
        wake: asyncio.Event | None = None,
    ) -> None:
        async def round_and_pause() -> None:
            if wake is not None:
                wake.clear()
            try:
                await work()
            except StoreError as error:
                log.warning("duty_postponed", duty=name, reason=error.message)
            await self._pause(seconds, wake)

        self._duty(name, round_and_pause)

    async def _pause(self, seconds: float, wake: asyncio.Event | None = None) -> None:
        waits = [asyncio.ensure_future(self.stopping.wait())]
        if wake is not None:
            waits.append(asyncio.ensure_future(wake.wait()))
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _housekeep(self) -> None:
        now = utc_now()
        async with self.database.write() as connection:
            await erasure.purge(connection, now)
            if self.policy.keep_calls_days is not None:
                await batches.purge(connection, now, self.policy.keep_calls_days)
        async with self.database.read() as connection:
            expired = await erasure.expired_calls(connection, now)
        for call_id in expired:
            await self.keeper.erase_call(call_id, "retention")
        await self.doorkeeper.note_use()

    async def _gauge(self) -> None:
        async with self.database.read() as connection:
            self.metrics.waiting(await deliveries.backlog(connection), utc_now())

    async def close(self) -> None:
        """Stop everything, at the latest after ten seconds; what was taken in is on disk."""
        self.stopping.set()
        self.hub.work.set()
        if self._duties:
            self._sender.stop()
            _, late = await asyncio.wait(self._duties, timeout=_STOP_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*self._duties, return_exceptions=True)
            self._duties.clear()
            with contextlib.suppress(StoreError):
                await self.doorkeeper.note_use()
        await self._stack.aclose()


def _hold_alone(path: Path) -> Callable[[], None]:
    """Make sure that no other api process has the same SQLite file; returns what lets it go."""
    file = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(file)
        raise StartError(
            f"Another api process has the database {path}.",
            field="TRUNKLINE_DATABASE_URL",
            fix="Stop it, or use PostgreSQL for several.",
        ) from error
    return lambda: os.close(file)
