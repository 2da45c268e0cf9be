"""What checks look at: the file, the server, the bus, and the line that runs on this machine, if any."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from provisioning.sip_service import SipService
from telephony.errors import ConfigError

if TYPE_CHECKING:
    import aiohttp

    from provisioning.config import LineConfig, LoadedConfig
    from provisioning.objects import Live
    from provisioning.running_line import RunningLine


@dataclass(slots=True)
class Patient:
    """One examination's subject; what several checks need is read once.

    Attributes:
        loaded: the operator's file.
        line: the line that runs on this machine, where its folder was named.
        http: for every HTTP request.
    """

    loaded: LoadedConfig
    line: RunningLine | None
    http: aiohttp.ClientSession
    _lives: asyncio.Task[list[Live]] | None = field(default=None)

    @property
    def config(self) -> LineConfig:
        """The file's meaning."""
        return self.loaded.config

    def credentials(self) -> tuple[str, str]:
        """LiveKit key and secret.

        Raises:
            ConfigError: one is missing.
        """
        server = self.config.livekit
        if server.api_key is None or server.api_secret is None:
            raise ConfigError("the key to livekit-server is missing.", field="livekit.api_key")
        return server.api_key, server.api_secret.get_secret_value()

    def service(self) -> SipService:
        """A client of the server's SIP service."""
        key, secret = self.credentials()
        return SipService(self.config.livekit.url, key, secret, timeout_s=5.0, read_attempts=1)

    async def lives(self) -> list[Live]:
        """Every trunk and rule, read once for all checks.

        Raises:
            LiveKitError, ConfigError: as the service raises them, to each check that asks.
        """
        if self._lives is None:
            self._lives = asyncio.create_task(self._read())
        return await asyncio.shield(self._lives)

    async def _read(self) -> list[Live]:
        async with self.service() as service:
            return await service.list_all()

    async def close(self) -> None:
        """Let go of what was begun."""
        if self._lives is not None:
            self._lives.cancel()
            await asyncio.gather(self._lives, return_exceptions=True)

    @property
    def sip_port(self) -> int:
        """The port at which SIP should be answered; 0 when nothing says it."""
        if self.line is not None and self.line.bridge.get("sip_port"):
            return int(self.line.bridge["sip_port"])
        return self.config.bridge.sip_port

    @property
    def health_ports(self) -> list[int]:
        """Those of all bridges that share the line's calls on this machine."""
        others = self.line.other_bridges if self.line is not None else ()
        ports = [self.health_port, *(int(said.get("health_port") or 0) for said in others)]
        return [port for port in ports if port]

    @property
    def health_port(self) -> int:
        """The bridge's health port; 0 when nothing says it."""
        if self.line is not None and self.line.bridge.get("health_port"):
            return int(self.line.bridge["health_port"])
        return self.config.bridge.health_port
