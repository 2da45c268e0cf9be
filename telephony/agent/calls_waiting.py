"""Whether calls wait for a process, told by the worker to the processes that it prepares.

One byte of memory that both see: the worker writes it without a system call, a process that is being
prepared reads it. It has no name on any disk and is gone with the worker.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path

VARIABLE = "TRUNKLINE_CALLS_WAITING"
"""Where a prepared process finds it; set by the worker before the first is forked."""


class CallsWaiting:
    """The worker's end. Where the system has no such memory (memfd_create, Linux) nothing is told."""

    def __init__(self) -> None:
        self._memory: mmap.mmap | None = None
        self.place = ""
        """What ``VARIABLE`` is to be."""
        if hasattr(os, "memfd_create"):
            descriptor = os.memfd_create("calls-waiting", os.MFD_CLOEXEC)
            os.ftruncate(descriptor, 1)
            self._memory = mmap.mmap(descriptor, 1)
            self.place = f"/proc/{os.getpid()}/fd/{descriptor}"

    def tell(self, calls: int) -> None:
        """So many calls were taken and have no process yet."""
        if self._memory is not None:
            self._memory[0] = calls > 0


def calls_wait() -> bool:
    """Whether the worker of this process has calls waiting for one; False where it does not say."""
    try:
        return Path(os.environ[VARIABLE]).read_bytes() not in (b"", b"\0")
    except (KeyError, OSError):
        return False
