"""CPU time and memory of a line's processes while calls are up."""

from __future__ import annotations

import asyncio
import time

import psutil

_LOOK_S = 0.5


class Load:
    """CPU time and memory of the line's parts from now on.

    Jobs end with their calls and take their counters along, so everybody is looked at twice a second.

    Args:
        pids: process ids of the parts by name; their children count with them.
    """

    def __init__(self, pids: dict[str, int]) -> None:
        self._pids = pids
        self._first: dict[tuple[str, int], float] = {}
        self._last: dict[tuple[str, int], float] = {}
        self._began = time.monotonic()
        self._look(new_ones_count_from_zero=False)
        self._looking = asyncio.create_task(self._keep_looking())

    async def per_call_minute(self, calls: int) -> dict[str, float]:
        """Stop looking, and give the CPU seconds per minute of one call, by part."""
        self._looking.cancel()
        await asyncio.gather(self._looking, return_exceptions=True)
        self._look()
        minutes = (time.monotonic() - self._began) / 60 * calls
        used: dict[str, float] = {}
        for (name, pid), last in self._last.items():
            used[name] = used.get(name, 0.0) + (last - self._first[name, pid]) / minutes
        return used

    def memory_mb(self) -> dict[str, float]:
        """Private memory (USS) of each part, of the largest job, and of the smallest, which is idle."""
        found = {name: _private_mb(psutil.Process(pid)) for name, pid in self._pids.items()}
        jobs = [size for child in _children(self._pids["worker"]) if (size := _private_mb(child))]
        return {**found, "largest job": max(jobs, default=0.0), "smallest job": min(jobs, default=0.0)}

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            self._look()

    def _look(self, *, new_ones_count_from_zero: bool = True) -> None:
        for name, pid in self._pids.items():
            for process in (psutil.Process(pid), *_children(pid)):
                seconds = _cpu_s(process)
                key = (name, process.pid)
                self._first.setdefault(key, 0.0 if new_ones_count_from_zero else seconds)
                self._last[key] = max(seconds, self._last.get(key, 0.0))


def _private_mb(process: psutil.Process) -> float:
    try:
        return float(process.memory_full_info().uss) / 1e6
    except psutil.NoSuchProcess:
        return 0.0


def _children(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def _cpu_s(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)
