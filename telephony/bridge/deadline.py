"""Waiting with an end, on an injected clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import asyncio

    from telephony.clock import Clock

T = TypeVar("T")


async def within(future: asyncio.Future[T], seconds: float, clock: Clock) -> T:
    """Wait for a future of ours, at most ``seconds`` by ``clock``.

    Raises:
        TimeoutError: it was not resolved in time; the future then holds this error.
    """

    def expire() -> None:
        if not future.done():
            future.set_exception(TimeoutError())

    timer = clock.call_later(seconds, expire)
    try:
        return await future
    finally:
        timer.cancel()
