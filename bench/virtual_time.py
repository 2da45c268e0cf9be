"""An event loop whose time passes as fast as its work is done.

Timers run in their order at exactly the time they are due, and nothing is waited for: a conversation of a
minute takes as long as its detector and its session compute, and comes out alike on a busy machine. All
that runs must be on the loop's thread (``telephony.speech.at_once`` in place of a thread pool) and ask the
time of the loop or of ``time.time``, ``time.monotonic`` and ``time.perf_counter``, which tell the loop's
while it runs.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from unittest import mock

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

_Result = TypeVar("_Result")

_EPOCH_S = 1_700_000_000.0
_FROM_ELSEWHERE_S = 5.0
"""Longest real wait for somebody outside the loop, where no timer is left."""


class _Selector(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.passed_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            return super().select(_FROM_ELSEWHERE_S)
        self.passed_s += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Begins at 1000 s."""

    def __init__(self) -> None:
        self._waits = _Selector()
        super().__init__(self._waits)

    def time(self) -> float:
        """Seconds that have passed on this loop."""
        return 1000.0 + self._waits.passed_s


def run_virtually(work: Coroutine[Any, Any, _Result]) -> _Result:
    """As ``asyncio.run``, on a loop of its own."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner, _told_by(runner.get_loop()):
        return runner.run(work)


@contextmanager
def _told_by(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    def wall_time() -> float:
        return _EPOCH_S + loop.time()

    with (
        mock.patch.object(time, "time", wall_time),
        mock.patch.object(time, "monotonic", loop.time),
        mock.patch.object(time, "perf_counter", loop.time),
    ):
        yield
