"""A result that is set once and awaited with a deadline on an injected clock."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from telephony.clock import Clock

T = TypeVar("T")


class Outcome(Generic[T]):
    """Like a future, but any number may wait, each with its own deadline, and the clock is an argument.

    A failure is a value too: nothing is raised into a log when nobody waits.
    """

    def __init__(self) -> None:
        self._value: tuple[T] | None = None
        self._waiters: set[asyncio.Future[bool]] = set()

    @property
    def done(self) -> bool:
        """Whether the result is there."""
        return self._value is not None

    @property
    def value(self) -> T | None:
        """The result, or None before it is there."""
        return self._value[0] if self._value is not None else None

    def set(self, value: T) -> None:
        """Give the result; later calls do nothing."""
        if self._value is not None:
            return
        self._value = (value,)
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(True)

    async def wait(self, clock: Clock, timeout_s: float) -> T:
        """The result.

        Raises:
            TimeoutError: ``timeout_s`` seconds of the clock went by without it.
        """
        if self._value is None:
            waiter: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

            def expire() -> None:
                if not waiter.done():
                    waiter.set_result(False)

            timer = clock.call_later(timeout_s, expire)
            self._waiters.add(waiter)
            try:
                await waiter
            finally:
                timer.cancel()
                self._waiters.discard(waiter)
        if self._value is None:
            raise TimeoutError
        return self._value[0]
