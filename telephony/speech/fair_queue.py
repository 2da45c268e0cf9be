"""Give one model to many callers in turn: each owner's work in order, owners one after the other.

The model runs in one thread of its own, so the event loop stays free, and what nobody waits for any
more is never begun. An owner that asks for much cannot hold up one that asks for little.
"""

from __future__ import annotations

import asyncio
import collections
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from telephony.errors import SpeechError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

T = TypeVar("T")


class RoundRobin(Generic[T]):
    """A queue that serves its owners in turn. Pure."""

    def __init__(self) -> None:
        self._lines: collections.OrderedDict[Hashable, collections.deque[T]] = collections.OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def put(self, owner: Hashable, item: T) -> None:
        """Add an item at the end of its owner's line."""
        self._lines.setdefault(owner, collections.deque()).append(item)
        self._size += 1

    def get(self) -> T:
        """Take the next owner's first item; that owner goes to the back.

        Raises:
            IndexError: the queue is empty.
        """
        if not self._lines:
            raise IndexError("the queue is empty")
        owner, line = self._lines.popitem(last=False)
        item = line.popleft()
        self._size -= 1
        if line:
            self._lines[owner] = line
        return item


@dataclass(frozen=True, slots=True)
class _Job:
    work: Callable[[], Any]
    result: asyncio.Future[Any]


class ModelThread:
    """Runs one model's work, a piece at a time, in a thread of its own.

    Args:
        name: the thread's name.
        max_waiting: how many pieces may wait for their turn.
    """

    def __init__(self, name: str, *, max_waiting: int = 128) -> None:
        self._name = name
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._max_waiting = max_waiting
        self._queue: RoundRobin[_Job] = RoundRobin()
        self._arrived = asyncio.Event()
        self._closing = False
        self._task = asyncio.create_task(self._serve(), name=f"{name}-queue")

    @property
    def waiting(self) -> int:
        """How many pieces wait for their turn; what was given up counts until its turn comes."""
        return len(self._queue)

    async def run(self, owner: Hashable, work: Callable[[], T]) -> T:
        """Run ``work`` when its owner's turn comes, and return what it returns.

        Cancelled while it waits, it is never begun; cancelled while it runs, its result is dropped.

        Raises:
            SpeechError: too much waits already, or the thread is being closed; try again later.
        """
        if self._closing:
            raise SpeechError("The speech engine is stopping.", retryable=True)
        if len(self._queue) >= self._max_waiting:
            raise SpeechError(
                f"{len(self._queue)} pieces of work wait for the {self._name} already.", retryable=True
            )
        job = _Job(work, asyncio.get_running_loop().create_future())
        self._queue.put(owner, job)
        self._arrived.set()
        result: T = await job.result
        return result

    async def close(self, grace_s: float = 3.0) -> None:
        """Refuse what waits, let the running piece finish within ``grace_s``, and end the thread."""
        self._closing = True
        self._arrived.set()
        while self._queue:
            _fail(self._queue.get(), SpeechError("The speech engine is stopping.", retryable=True))
        await asyncio.wait([self._task], timeout=grace_s)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._closing:
            if not self._queue:
                self._arrived.clear()
                await self._arrived.wait()
                continue
            job = self._queue.get()
            if job.result.cancelled():
                continue
            try:
                result = await loop.run_in_executor(self._executor, job.work)
            except asyncio.CancelledError:
                _fail(job, SpeechError("The speech engine is stopping.", retryable=True))
                raise
            except Exception as error:  # whoever waits must hear of it, whatever it is
                _fail(job, error)
            else:
                if not job.result.done():
                    job.result.set_result(result)


def _fail(job: _Job, error: Exception) -> None:
    if not job.result.done():
        job.result.set_exception(error)
