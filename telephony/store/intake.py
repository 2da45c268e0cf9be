"""Many senders, few transactions: whatever is waiting when the last commit is done goes into the next.

Guarantee: ``append`` returns once its accounts are on disk, or raises and then they may be sent again.
One that cannot be stored for a reason of its own fails alone.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from telephony.errors import StoreError
from telephony.logs import get_logger
from telephony.store.append import Appended, append, settle_due
from telephony.store.instants import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from telephony.store.database import Database
    from telephony.store.ledger import Policy
    from telephony.store.stored import Incoming, StoredEvent

log = get_logger(__name__)

_PER_TRANSACTION = 500
_LONGEST_QUEUE = 10_000


@dataclass(slots=True)
class _Submission:
    incoming: Sequence[Incoming]
    done: asyncio.Future[Appended]


class Intake:
    """Stores accounts in groups and tells ``publish`` what was stored, after the commit.

    Use as an asynchronous context; leaving it stores what was submitted before.
    """

    def __init__(
        self, database: Database, policy: Policy, publish: Callable[[Sequence[StoredEvent]], None]
    ) -> None:
        self._database = database
        self._policy = policy
        self._publish = publish
        self._waiting: list[_Submission] = []
        self._wake = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Intake:
        self._task = asyncio.create_task(self._run(), name="intake")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await self._task

    async def append(self, incoming: Sequence[Incoming]) -> Appended:
        """Store accounts; see ``telephony.store.append``.

        Raises:
            StoreError: the database did not take them, or too much is waiting for it; send them again.
        """
        if self._closing or sum(len(each.incoming) for each in self._waiting) > _LONGEST_QUEUE:
            raise StoreError("The record takes no more events at the moment.", retryable=True)
        submission = _Submission(incoming, asyncio.get_running_loop().create_future())
        self._waiting.append(submission)
        self._wake.set()
        return await submission.done

    async def settle(self) -> int:
        """End the calls whose witnesses were waited for long enough; returns how many events that made."""
        async with self._database.write() as connection:
            stored = await settle_due(self._database, connection, self._policy, utc_now())
        self._publish(stored)
        return len(stored)

    async def _run(self) -> None:
        while not (self._closing and not self._waiting):
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._store(self._take())

    def _take(self) -> list[_Submission]:
        taken = [self._waiting.pop(0)]
        size = len(taken[0].incoming)
        while self._waiting and size + len(self._waiting[0].incoming) <= _PER_TRANSACTION:
            size += len(self._waiting[0].incoming)
            taken.append(self._waiting.pop(0))
        return taken

    async def _store(self, group: list[_Submission]) -> None:
        together = [each for submission in group for each in submission.incoming]
        try:
            appended = await self._append(together)
        except StoreError as error:
            for submission in group:
                _settle(submission, error)
        except Exception as error:
            log.exception("append_failed", events=len(together), submissions=len(group))
            if len(group) == 1:
                _settle(group[0], error)
            else:
                for submission in group:
                    await self._store([submission])
        else:
            _share_out(group, appended)
            self._publish(appended.stored)

    async def _append(self, incoming: Sequence[Incoming]) -> Appended:
        async with self._database.write() as connection:
            return await append(self._database, connection, incoming, self._policy, utc_now())


def _share_out(group: list[_Submission], appended: Appended) -> None:
    start = 0
    for submission in group:
        end = start + len(submission.incoming)
        calls = {each.event.call_id for each in submission.incoming}
        own = Appended(
            stored=[stored for stored in appended.stored if stored.call_id in calls],
            outcomes=appended.outcomes[start:end],
            ended=appended.ended & calls,
        )
        _settle(submission, own)
        start = end


def _settle(submission: _Submission, result: Appended | Exception) -> None:
    # The sender may have gone meanwhile; its accounts are stored all the same.
    with contextlib.suppress(asyncio.InvalidStateError):
        if isinstance(result, Exception):
            submission.done.set_exception(result)
        else:
            submission.done.set_result(result)
