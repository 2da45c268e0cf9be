"""Keeps the memory of a process that lives for months flat, and its garbage collector brief.

Two things make a process grow. glibc gives each thread that allocates a heap of its own (mallopt(3),
``M_ARENA_MAX``): the threads of LiveKit's SDK make and drop a room per call, those of the api read the
database, each in whichever heap is at hand. And the parts of a call know each other, so only Python's
collector frees them: it waits until what is new is a quarter of all there is, which with the imports of a
bridge takes some 200 calls, and then stops every thread, that of audio among them, while it looks through
everything.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc

HEAPS = 2
SETTLED_S = 1.0
"""After its end a call's tasks go one by one; calls that end together are swept up together."""
_M_ARENA_MAX = -8


def share_heaps(heaps: int = HEAPS) -> bool:
    """Have all threads share so many heaps; to be called before there are threads.

    Returns:
        False where the C library knows no such limit (anything but glibc); nothing has changed then.
    """
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(set_option(_M_ARENA_MAX, heaps))


def set_aside_what_stays() -> None:
    """Have the collector look no more at what exists now: modules, classes, what the process has set up."""
    gc.collect()
    gc.freeze()


class CallSweep:
    """Has what ended calls have left freed within moments, a little at a time."""

    def __init__(self) -> None:
        self._due = False

    def call_over(self) -> None:
        """A call has ended; called on the loop."""
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_later(SETTLED_S, self._sweep)

    def _sweep(self) -> None:
        self._due = False
        gc.collect()
