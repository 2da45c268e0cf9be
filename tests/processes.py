"""Processes seen through /proc: who lives, and who descends from whom."""

from __future__ import annotations

import time
from pathlib import Path


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return []


def alive(pid: int) -> bool:
    """Whether a process exists and is not a corpse that nobody collected yet."""
    stat = _stat(pid)
    return bool(stat) and stat[0] not in {"Z", "X"}


def family(pids: list[int]) -> list[int]:
    """The processes and all their descendants."""
    parents = {
        int(entry.name): _stat(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit()
    }
    found = set(pids)
    while True:
        children = {pid for pid, stat in parents.items() if stat and int(stat[1]) in found} - found
        if not children:
            return sorted(found)
        found |= children


def all_gone(pids: list[int], within_s: float = 15) -> bool:
    """Wait until none of the processes lives; False when some still do."""
    deadline = time.monotonic() + within_s
    while any(alive(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
