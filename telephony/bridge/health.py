"""HTTP on loopback: how the bridge is, and its metrics.

Every path but ``/metrics`` answers 200 while calls are taken, 429 at the limit of calls, 503 while
stopping or without Redis. livekit-sip v1.11.0 listens on every address; this does not.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from aiohttp import web

from telephony.errors import PortTakenError

if TYPE_CHECKING:
    from collections.abc import Callable

_HOST = "127.0.0.1"
_CLOSE_TIMEOUT_S = 1.0


class HealthServer:
    """The HTTP listener.

    Args:
        health: gives status and text.
        metrics: gives the Prometheus text.
    """

    def __init__(self, health: Callable[[], tuple[int, str]], metrics: Callable[[], bytes]) -> None:
        self._health = health
        self._metrics = metrics
        app = web.Application()
        app.router.add_get("/metrics", self._serve_metrics)
        app.router.add_get("/{path:.*}", self._serve_health)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_CLOSE_TIMEOUT_S)
        self.port = 0

    async def start(self, port: int) -> None:
        """Listen; 0 = any free port.

        Raises:
            PortTakenError: the port is in use.
        """
        await self._runner.setup()
        site = web.TCPSite(self._runner, _HOST, port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            if error.errno != errno.EADDRINUSE:
                raise
            raise PortTakenError(
                f"TCP port {port} on {_HOST} is in use.",
                field="health_port",
                fix="Choose another port (0 = any free one).",
            ) from error
        address = self._runner.addresses[0]
        self.port = int(address[1])

    async def close(self) -> None:
        """Stop listening; bounded."""
        await self._runner.cleanup()

    async def _serve_health(self, _: web.Request) -> web.Response:
        status, text = self._health()
        return web.Response(status=status, text=text + "\n")

    async def _serve_metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=self._metrics(), headers={"Content-Type": "text/plain; version=0.0.4"})
