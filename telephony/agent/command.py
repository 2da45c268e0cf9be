"""The worker as a command: its logs, its signals, its ready file, its exit code.

A first SIGTERM or SIGINT lets live calls finish and takes no new ones, a second one ends at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING

from telephony import logs
from telephony.agent.noise import NoiseFilter
from telephony.agent.privacy import PrivacyFilter
from telephony.errors import LiveKitError, PortTakenError, TrunklineError
from telephony.logs import get_logger

if TYPE_CHECKING:
    from livekit.agents import AgentServer

    from telephony.agent.settings import AgentSettings

log = get_logger(__name__)


def main() -> int:
    """Run the worker that the environment describes, until a signal; returns the exit code."""
    try:
        # Importing the worker reads the environment and the operator's file, which may be wrong.
        from telephony.agent import worker
        from telephony.speech.check import check_providers
        from telephony.speech.keys import check_keys

        worker.settings.require_credentials()
        check_keys(worker.settings.line.speech)
        noise = configure_logs(worker.settings.line.logging.level)
        asyncio.run(check_providers(worker.settings.line.speech))
        asyncio.run(serve(worker.server, worker.settings, noise))
    except TrunklineError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def configure_logs(level: str) -> NoiseFilter:
    """Print this process's log lines and its jobs', without noise and without what was said."""
    logs.configure(level)
    noise = NoiseFilter()
    for handler in logging.getLogger().handlers:
        handler.addFilter(noise)
        handler.addFilter(PrivacyFilter())
    return noise


async def serve(server: AgentServer, settings: AgentSettings, noise: NoiseFilter) -> None:
    """Run a worker until a signal asks for its end.

    Raises:
        PortTakenError: the health port is in use.
        LiveKitError: livekit-server was not reached in all attempts.
    """
    from telephony.agent.clips import make_missing
    from telephony.agent.journal import sweep
    from telephony.agent.watchdog import Watchdog

    asked = _end_asked()
    watchdog = Watchdog(
        server,
        url=settings.url,
        api_key=settings.api_key,
        api_secret=settings.api_secret,
        notes=settings.journals,
    )
    server.on("worker_registered", lambda worker_id, _: _registered(server, settings, worker_id))
    sweep(settings.journals)
    clips = asyncio.create_task(make_missing(settings), name="spoken_clips")
    running = asyncio.create_task(_run(server, settings), name="worker")
    asking = asyncio.create_task(asked.wait(), name="worker_end_asked")
    try:
        await asyncio.wait({running, asking}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            await running
            return
        log.info("worker_draining", calls=len(server.active_jobs))
        with contextlib.suppress(TimeoutError):
            await server.drain()
    finally:
        asking.cancel()
        await server.aclose()
        await watchdog.aclose()
        running.cancel()
        clips.cancel()
        await asyncio.gather(running, asking, clips, return_exceptions=True)
        log.info("worker_stopped", load_warnings=noise.of_kind("load"), noise=noise.of_kind("noise"))


async def _run(server: AgentServer, settings: AgentSettings) -> None:
    try:
        await server.run(devmode=False)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise PortTakenError(
            f"port {settings.health_port} is in use by another program.",
            field="TRUNKLINE_WORKER_PORT",
            fix="Choose another, or 0 for any.",
        ) from error
    except RuntimeError as error:
        raise LiveKitError(
            f"cannot work for livekit-server at {settings.url}: {error}",
            field="LIVEKIT_URL",
            fix="Start the server, or correct the URL and the key.",
            retryable=True,
        ) from error


def _end_asked() -> asyncio.Event:
    asked = asyncio.Event()

    def on_signal() -> None:
        if asked.is_set():
            log.warning("worker_killed", reason="asked a second time")
            os._exit(1)
        asked.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    return asked


def _registered(server: AgentServer, settings: AgentSettings, worker_id: str) -> None:
    port = server.worker_info.http_port
    log.info("worker_ready", worker_id=worker_id, health_port=port, max_calls=settings.max_calls)
    if settings.ready_file is None:
        return
    ready = {
        "pid": os.getpid(),
        "health_port": port,
        "worker_id": worker_id,
        "agent_name": settings.line.agent.name,
        "max_calls": settings.max_calls,
    }
    new = settings.ready_file.with_suffix(".new")
    new.parent.mkdir(parents=True, exist_ok=True)
    new.write_text(json.dumps(ready))
    os.replace(new, settings.ready_file)
