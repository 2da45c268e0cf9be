"""How many heaps the threads of a process share."""

from __future__ import annotations

import asyncio
import gc
import platform
import subprocess
import sys
import weakref

import pytest

from telephony.heap import CallSweep

pytestmark = pytest.mark.component

THREADS_THAT_ALLOCATE = """
import ctypes, sys, tempfile, threading
from telephony.heap import share_heaps
if len(sys.argv) > 1:
    assert share_heaps(int(sys.argv[1]))
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
together = threading.Barrier(8)
def allocate():
    together.wait()
    for _ in range(1000):
        libc.malloc(300)
    together.wait()
threads = [threading.Thread(target=allocate) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc.fopen.restype = ctypes.c_void_p
with tempfile.NamedTemporaryFile() as file:
    stream = ctypes.c_void_p(libc.fopen(file.name.encode(), b"w"))
    libc.malloc_info(0, stream)
    libc.fclose(stream)
    print(file.read().count(b"<heap nr="))
"""


def heaps(*limit: str) -> int:
    """How many there are after eight threads have allocated side by side, in a process of their own."""
    command = [sys.executable, "-c", THREADS_THAT_ALLOCATE, *limit]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have one heap")
def test_threads_share_as_many_heaps_as_are_allowed() -> None:
    """With a limit of two there are two; without, there are more."""
    assert heaps("2") == 2
    assert heaps() > 2


async def test_what_a_call_has_left_is_freed_soon_after_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts that know only each other are gone without the collector's own turn; the next call's as well."""
    monkeypatch.setattr("telephony.heap.SETTLED_S", 0.0)
    sweep = CallSweep()
    gc.disable()
    try:
        for _ in range(2):
            parts = [_left_over() for _ in range(3)]
            assert all(part() is not None for part in parts)
            sweep.call_over()
            sweep.call_over()
            await asyncio.sleep(0.05)
            assert all(part() is None for part in parts)
    finally:
        gc.enable()


class _Part:
    other: _Part


def _left_over() -> weakref.ref[_Part]:
    """What stays of a call: two parts that know each other, and nobody else knows."""
    one, two = _Part(), _Part()
    one.other, two.other = two, one
    return weakref.ref(one)
