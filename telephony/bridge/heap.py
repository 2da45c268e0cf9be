"""Keeps the memory of a process that lives for months flat.

glibc gives each thread that allocates a heap of its own, up to eight times the number of processors
(mallopt(3), ``M_ARENA_MAX``). The threads of LiveKit's SDK make and drop a room per call, each in whichever
heap is at hand; what stays between holds pages of all of them, so a bridge grew by half a megabyte with each
call. Few heaps are filled again instead.
"""

from __future__ import annotations

import ctypes

HEAPS = 2
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
