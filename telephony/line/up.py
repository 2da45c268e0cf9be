"""The line in the foreground: `trunkline up`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from typing import TYPE_CHECKING

from telephony.line.line import Line, LineOptions

if TYPE_CHECKING:
    from telephony.line.screen import Screen


async def run_line(options: LineOptions, screen: Screen, *, as_json: bool) -> None:
    """Start the line, say where it is, and keep it up until SIGINT or SIGTERM.

    Raises:
        ConfigError, StartError: it did not start, or a part keeps dying; nothing is left running.
    """
    stop = stop_requested()
    line = Line(options, on_step=screen.step)
    starting = asyncio.create_task(line.start())
    if not await finished_before(starting, stop):
        return
    info = starting.result()
    if as_json:
        sys.stdout.write(json.dumps(info.to_json()) + "\n")
        sys.stdout.flush()
    screen.line_is_up(info)
    watching = asyncio.create_task(line.watch(screen.restarted))
    try:
        if await finished_before(watching, stop):
            watching.result()
        screen.say("Stopping…")
    finally:
        await line.stop()


def stop_requested() -> asyncio.Event:
    """An event that SIGINT and SIGTERM set, instead of killing the process."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop


async def finished_before(task: asyncio.Task[object], stop: asyncio.Event) -> bool:
    """Wait for the task or the wish to stop; a task that lost is cancelled and has ended."""
    waiting = asyncio.create_task(stop.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if task.done():
        return True
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return False
