"""The HTTP server around the app: ready when it says so, gone when it is told to.

SIGTERM and SIGINT first end the streams, then let requests under way finish, then close the service.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
from typing import TYPE_CHECKING

import uvicorn

from telephony.api.app import create_app
from telephony.api.service import Service
from telephony.logs import get_logger

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from pathlib import Path
    from types import FrameType

    from telephony.api.settings import ApiSettings

log = get_logger(__name__)

_GRACE_S = 8


class _Server(uvicorn.Server):
    """uvicorn's server, which tells the service before it waits for requests to end."""

    def __init__(self, config: uvicorn.Config, service: Service, ready: Path | None) -> None:
        super().__init__(config)
        self._service = service
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, then say so."""
        await super().startup(sockets)
        host, port = (sockets or self.servers[0].sockets)[0].getsockname()[:2]
        log.info("api_ready", host=host, port=port)
        if self._ready is not None:
            write_ready(self._ready, {"host": host, "port": port, "pid": os.getpid()})

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take SIGTERM and SIGINT as requests to stop, not as the end: uvicorn would raise them again."""
        before = {each: signal.signal(each, self.handle_exit) for each in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Streams have no end of their own, so they are ended first."""
        self._service.stopping.set()
        super().handle_exit(sig, frame)


async def serve(settings: ApiSettings, listener: socket.socket) -> None:
    """Serve until a signal says to stop.

    Raises:
        TrunklineError: the service could not start.
    """
    service = Service(settings)
    async with service:
        config = uvicorn.Config(
            create_app(service),
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=_GRACE_S,
            timeout_keep_alive=30,
        )
        await _Server(config, service, settings.ready_file).serve(sockets=[listener])
    log.info("api_stopped")


def write_ready(path: Path, content: dict[str, object]) -> None:
    """Write a file that appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(content))
    fresh.replace(path)
