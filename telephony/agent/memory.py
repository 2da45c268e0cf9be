"""What a job process takes of the machine's memory, told once, at its end.

livekit-agents would walk the page tables of every process, idle ones among them, each five seconds: a
twentieth of what the calls themselves cost.
"""

from __future__ import annotations

import psutil

from telephony.logs import get_logger

log = get_logger(__name__)

WARN_MB = 400
"""A job process above this is warned about, in MB of its own and its share of common memory."""


def own_mb() -> float:
    """This process's memory in MB: its own, and its share of what it has in common (PSS, proc(5)).

    0 where the kernel does not say.
    """
    try:
        return psutil.Process().memory_full_info().pss / 2**20
    except (psutil.Error, OSError, AttributeError):
        return 0.0


def tell() -> None:
    """Warn where this process has grown beyond what a call needs."""
    mb = own_mb()
    if mb > WARN_MB:
        log.warning("job_memory_high", mb=round(mb), expected_mb=WARN_MB)
