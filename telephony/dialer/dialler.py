"""The dialler: takes what is due from the database and carries each call in a task of its own.

One in every api process; several on one PostgreSQL share the work by leases. Guarantee: no call is carried
by two at a time while its lease is kept, and one whose dialler died is found within ``LEASE_S`` and is then
dialled if its permit is there, else looked for.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from telephony.dialer.attempt import LEASE_S, Attempt
from telephony.errors import StoreError
from telephony.logs import get_logger
from telephony.store import dials
from telephony.store.instants import utc_now

if TYPE_CHECKING:
    from telephony.dialer.attempt import Surroundings
    from telephony.store.dials import Dial

log = get_logger(__name__)

AT_ONCE = 50
"""How many calls one process sets up or lets ring at once."""

_LOOK_S = 0.5
_STOP_S = 5.0


class Dialler:
    """One process's."""

    def __init__(self, around: Surroundings, wake: asyncio.Event) -> None:
        self._around = around
        self._wake = wake
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @property
    def under_way(self) -> int:
        """How many calls are being carried."""
        return len(self._tasks)

    async def round(self) -> None:
        """Take what is due now."""
        free = AT_ONCE - len(self._tasks)
        if free <= 0:
            return
        around = self._around
        async with around.database.read() as connection:
            if not await dials.any_due(connection, utc_now()):
                return
        limits = {
            name: line.max_calls for name, line in around.options.lines.items() if line.max_calls is not None
        }
        async with around.database.write() as connection:
            taken = await dials.claim(
                around.database,
                connection,
                owner=around.owner,
                now=utc_now(),
                lease_s=LEASE_S,
                most=free,
                lines=limits,
            )
        for each in taken:
            if each.call_id not in self._tasks:
                self._tasks[each.call_id] = asyncio.create_task(
                    self._carry(each), name=f"dial {each.call_id}"
                )

    async def _carry(self, dial: Dial) -> None:
        try:
            await Attempt(self._around, dial).run()
        except StoreError as error:
            log.warning("dial_left", call_id=dial.call_id, reason=error.message)
        except Exception:
            # Whoever takes it after the lease reads in the row what may still be done.
            log.exception("dial_broke", call_id=dial.call_id)
        finally:
            self._tasks.pop(dial.call_id, None)
            self._wake.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Look whenever there may be something, until told to stop; then let go of what is held."""
        try:
            while not stopping.is_set():
                self._wake.clear()
                try:
                    await self.round()
                except StoreError as error:
                    log.warning("dialling_postponed", reason=error.message)
                await self._pause(stopping)
        finally:
            await self._let_go()

    async def _pause(self, stopping: asyncio.Event) -> None:
        waits = [asyncio.ensure_future(self._wake.wait()), asyncio.ensure_future(stopping.wait())]
        try:
            await asyncio.wait(waits, timeout=_LOOK_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _let_go(self) -> None:
        """Leave calls that ring to whoever comes next: the row says how far they are."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_STOP_S)
        try:
            async with self._around.database.write() as connection:
                await dials.release_of(connection, self._around.owner)
        except StoreError as error:
            log.warning("leases_not_released", reason=error.message)
