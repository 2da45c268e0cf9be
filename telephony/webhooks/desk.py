"""The sender's only way to the outbox: claims and results of many lanes go into one transaction together.

A result is written down before its lane goes on, so that a crash repeats at most what was under way.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from telephony.errors import StoreError
from telephony.logs import get_logger
from telephony.store import endpoints, outbox
from telephony.store.instants import utc_now

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import RowMapping
    from sqlalchemy.ext.asyncio import AsyncConnection

    from telephony.store.database import Database
    from telephony.store.outbox import Lease, Step

log = get_logger(__name__)

_T = TypeVar("_T")

_RETRY_S = (0.05, 0.2, 0.5, 1.0, 2.0)


@dataclass(frozen=True, slots=True)
class Claimed:
    """Lanes that are ours, and the endpoint they lead to; None and no lanes when it takes nothing now."""

    endpoint: RowMapping | None
    lanes: list[Lease]


@dataclass(slots=True)
class _Claim:
    endpoint_id: str
    limit: int
    done: asyncio.Future[Claimed]


@dataclass(slots=True)
class _Finish:
    step: Step
    done: asyncio.Future[bool]


class Desk:
    """Use as an asynchronous context; leaving it writes what was handed in before."""

    def __init__(self, database: Database, owner: str, *, lease_s: float) -> None:
        self._database = database
        self._owner = owner
        self._lease_s = lease_s
        self._claims: list[_Claim] = []
        self._finishes: list[_Finish] = []
        self._wake = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Desk:
        self._task = asyncio.create_task(self._run(), name="outbox-desk")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await self._task
        with contextlib.suppress(StoreError):
            async with self._database.write() as connection:
                await outbox.release(connection, self._owner)

    async def claim(self, endpoint_id: str, limit: int) -> Claimed:
        """Lease lanes of an endpoint.

        Raises:
            StoreError: the database did not answer.
        """
        request = _Claim(endpoint_id, limit, asyncio.get_running_loop().create_future())
        self._claims.append(request)
        self._wake.set()
        return await request.done

    async def finish(self, step: Step) -> bool:
        """Write an attempt's result down; False when the lane was ours no longer, or the desk is closing.

        While the database is away the result is kept and tried again, since an attempt that was made
        must not be made again if that can be helped.
        """
        request = _Finish(step, asyncio.get_running_loop().create_future())
        self._finishes.append(request)
        self._wake.set()
        return await request.done

    async def _run(self) -> None:
        failures = 0
        while not (self._closing and not self._finishes and not self._claims):
            await self._wake.wait()
            self._wake.clear()
            while self._finishes or self._claims:
                claims, self._claims = self._claims, []
                finishes, self._finishes = self._finishes, []
                try:
                    await self._write(claims, finishes)
                    failures = 0
                except StoreError as error:
                    log.warning("outbox_write_failed", results=len(finishes), reason=error.message)
                    _refuse(claims, finishes if self._closing else [], error)
                    self._finishes = [] if self._closing else finishes + self._finishes
                    await asyncio.sleep(_RETRY_S[min(failures, len(_RETRY_S) - 1)])
                    failures += 1
                except Exception as error:
                    # Nobody may wait for ever for a fault of ours: the leases run out and others try.
                    log.exception("outbox_write_broke", results=len(finishes))
                    _refuse(claims, finishes, StoreError(f"The outbox cannot be written: {error!r}."))
                    await asyncio.sleep(_RETRY_S[-1])

    async def _write(self, claims: list[_Claim], finishes: list[_Finish]) -> None:
        now = utc_now()
        steps = [finish.step for finish in finishes]
        lost: set[tuple[str, str]] = set()
        async with self._database.write() as connection:
            if steps:
                lost = await outbox.record_steps(
                    connection, self._owner, steps, now=now, lease_s=self._lease_s
                )
            claimed = [await self._claim(connection, claim, now) for claim in claims]
        for finish in finishes:
            _answer(finish.done, (finish.step.endpoint_id, finish.step.call_id) not in lost)
        for claim, taken in zip(claims, claimed, strict=True):
            _answer(claim.done, taken)

    async def _claim(self, connection: AsyncConnection, claim: _Claim, now: datetime) -> Claimed:
        row = await endpoints.get(connection, claim.endpoint_id)
        if row is None or not row["enabled"]:
            return Claimed(None, [])
        lanes = await outbox.claim(
            connection,
            claim.endpoint_id,
            self._owner,
            limit=claim.limit,
            now=now,
            lease_s=self._lease_s,
        )
        return Claimed(row, lanes)


def _refuse(claims: list[_Claim], finishes: list[_Finish], error: StoreError) -> None:
    for claim in claims:
        _answer(claim.done, error)
    for finish in finishes:
        _answer(finish.done, False)


def _answer(future: asyncio.Future[_T], result: _T | Exception) -> None:
    with contextlib.suppress(asyncio.InvalidStateError):
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)
