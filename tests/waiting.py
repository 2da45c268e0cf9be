"""Waiting for what other parts, processes and machines do in their own time."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 3.0 if "PYTEST_XDIST_WORKER" in os.environ else 1.0
"""By how much longer things may take beside other tests than alone. How long they do take is for bench/."""


def limit(seconds: float) -> asyncio.Timeout:
    """A time-out for what takes less than so many seconds on a machine of its own."""
    return asyncio.timeout(PATIENCE * seconds)


async def until(condition: Callable[[], Any], timeout_s: float = 10.0) -> None:
    """Wait for a condition, plain or awaitable, looking every 5 ms.

    Args:
        condition: is asked first at once.
        timeout_s: what it takes at most on a machine of its own, in seconds.

    Raises:
        TimeoutError: it never held.
    """
    async with limit(timeout_s):
        while True:
            result = condition()
            if asyncio.iscoroutine(result):
                result = await result
            if result:
                return
            await asyncio.sleep(0.005)
