"""The thread that audio lives on: an event loop of its own, and the tick of all calls.

Whatever else the process does, answer ten INVITEs, read a room's events, write logs, a packet is read and
sent by a loop that does nothing else. Guarantees of the border: what is posted runs on the thread in the
order in which it was posted; what the thread tells its owner runs on the owner's loop, in order; after
``stop`` nothing runs on it any more, and what is posted then is dropped.

Objects of the thread (sessions, a call's end of the direct line, the tick) are changed on it alone. Reading
single counters of theirs from elsewhere is safe: the interpreter changes them in one step.
"""

from __future__ import annotations

import asyncio
import functools
import os
import threading
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from telephony.logs import get_logger
from telephony.rtp.clock import MediaClock

if TYPE_CHECKING:
    from collections.abc import Callable

log = get_logger(__name__)

SWITCH_INTERVAL_S = 0.0005
"""For ``sys.setswitchinterval`` of a process with this thread: how long another one may go on running Python
after a packet has come. The interpreter's own 5 ms are a quarter of a packet."""

_REALTIME = 1
"""The lowest of the system's real-time priorities: before all that has none."""

_START_S = 10.0
_STOP_S = 2.0

P = ParamSpec("P")
R = TypeVar("R")


class MediaThread:
    """One thread; ``start`` it from the loop that owns it.

    Args:
        realtime: ask the system to run it before all else as soon as it has something to do.

    Attributes:
        clock: the tick; add to it and remove from it on the thread.
    """

    def __init__(self, *, realtime: bool = False) -> None:
        self.clock = MediaClock()
        self._realtime = realtime
        self._loop: asyncio.AbstractEventLoop | None = None
        self._owner: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._running = threading.Event()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The thread's loop; only once started."""
        assert self._loop is not None, "start() comes first"
        return self._loop

    def start(self) -> None:
        """Run from now on; bounded."""
        self._owner = asyncio.get_running_loop()
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(_log_failure)
        self._thread = threading.Thread(target=self._run, args=(self._loop,), name="media", daemon=True)
        self._thread.start()
        self._running.wait(_START_S)

    async def stop(self) -> None:
        """Run no more; bounded, harmless when repeated or never started."""
        loop, thread = self._loop, self._thread
        self._thread = None
        if loop is None or thread is None:
            return
        await self.run(self.clock.stop)
        loop.call_soon_threadsafe(loop.stop)
        await asyncio.to_thread(thread.join, _STOP_S)
        if thread.is_alive():
            log.error("media_thread_did_not_end")

    def post(self, work: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        """Let the thread do something; returns at once."""
        assert self._loop is not None, "start() comes first"
        try:
            self._loop.call_soon_threadsafe(functools.partial(work, *args, **kwargs))
        except RuntimeError:
            log.debug("media_work_dropped", work=getattr(work, "__qualname__", repr(work)))

    async def run(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Let the thread do something after all that was posted before, and wait for what comes of it."""
        done: asyncio.Future[R] = asyncio.get_running_loop().create_future()

        def do() -> None:
            try:
                result = work(*args, **kwargs)
            except Exception as error:
                self._tell(done.get_loop(), _fail, done, error)
            else:
                self._tell(done.get_loop(), _resolve, done, result)

        self.post(do)
        async with asyncio.timeout(_STOP_S):
            return await done

    def to_owner(self, callback: Callable[P, object]) -> Callable[P, None]:
        """A function for the thread to call, which calls ``callback`` on the owner's loop."""
        owner = self._owner
        assert owner is not None, "start() comes first"

        def tell(*args: P.args, **kwargs: P.kwargs) -> None:
            self._tell(owner, functools.partial(callback, *args, **kwargs))

        return tell

    def _tell(self, loop: asyncio.AbstractEventLoop, callback: Callable[..., object], *args: Any) -> None:
        try:
            loop.call_soon_threadsafe(callback, *args)
        except RuntimeError:
            # The owner has ended meanwhile: nobody is left to be told.
            log.debug("media_news_dropped")

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        loop.call_soon(self._begin)
        try:
            loop.run_forever()
        finally:
            loop.close()

    def _begin(self) -> None:
        if self._realtime:
            _ask_for_realtime()
        self.clock.start()
        self._running.set()


def _ask_for_realtime() -> None:
    """Schedule this thread before the others, in turns with its like; no child inherits it."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(_REALTIME))
    except (OSError, AttributeError) as error:
        log.info("realtime_not_granted", reason=str(error))


def _resolve(done: asyncio.Future[R], result: R) -> None:
    if not done.done():
        done.set_result(result)


def _fail(done: asyncio.Future[Any], error: Exception) -> None:
    if not done.done():
        done.set_exception(error)


def _log_failure(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    log.error("media_thread_failed", reason=str(context.get("message")), exc_info=error)
