"""``python -m telephony.bridge --config FILE``: the bridge as a process of its own.

SIGTERM drains: new calls are refused, live ones finish, then it exits 0; a second SIGTERM, or SIGINT,
ends all calls now and exits 0. What keeps it from starting is one sentence on standard error, exit code 1.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from telephony import logs
from telephony.bridge.config import load_config
from telephony.bridge.left_calls import LeftCalls
from telephony.bridge.noise import quieten
from telephony.bridge.service import BridgeService
from telephony.errors import TrunklineError
from telephony.heap import CallSweep, set_aside_what_stays, share_heaps
from telephony.logs import get_logger
from telephony.rtp.thread import SWITCH_INTERVAL_S

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from telephony.bridge.config import BridgeConfig

log = get_logger(__name__)

_NICE = -10


async def _first(*waits: Coroutine[Any, Any, object]) -> None:
    """Wait for whichever is over first; the others are cancelled."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _run(config: BridgeConfig) -> None:
    loop = asyncio.get_running_loop()
    drain, cut = asyncio.Event(), asyncio.Event()

    def on_term() -> None:
        # Whoever asks twice does not want to wait for the callers.
        (cut if drain.is_set() else drain).set()

    loop.add_signal_handler(signal.SIGTERM, on_term)
    loop.add_signal_handler(signal.SIGINT, cut.set)
    service = BridgeService(config, call_over=CallSweep().call_over)
    await service.start()
    set_aside_what_stays()
    sweeping: asyncio.Task[None] | None = None
    if config.events_dir is not None:
        # A bridge that was killed could not say how its calls ended.
        sweeping = asyncio.create_task(LeftCalls(config.events_dir).run())
    try:
        await _first(drain.wait(), cut.wait())
        if not cut.is_set():
            await _first(service.drain(), cut.wait())
    finally:
        if sweeping is not None:
            sweeping.cancel()
            await asyncio.gather(sweeping, return_exceptions=True)
        await service.stop()


def _ask_for_priority() -> None:
    """Run before jobs, which are started by the dozen on the same processors, where the system lets us."""
    try:
        os.setpriority(os.PRIO_PROCESS, 0, _NICE)
    except OSError as error:
        log.info("priority_not_raised", reason=error.strerror)


def main(arguments: list[str] | None = None) -> int:
    """Run until a signal; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m telephony.bridge", description="The embedded SIP bridge."
    )
    parser.add_argument("--config", type=Path, required=True, help="the bridge's YAML file")
    try:
        config = load_config(parser.parse_args(arguments).config)
        logs.configure("warning" if config.logging.level == "warn" else config.logging.level)
        quieten()
        share_heaps()
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        _ask_for_priority()
        asyncio.run(_run(config))
    except TrunklineError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the one sentence of a failed start
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
