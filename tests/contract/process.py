"""A bridge as a process beside livekit-server: ours, or a livekit-sip, from one set of settings."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import yaml

from telephony.line.files import livekit_sip
from tests.bridge.servers import API_KEY, API_SECRET, free_port, http_answers

if TYPE_CHECKING:
    from pathlib import Path

START_S = 90.0
MEDIA_TIMEOUT_S = 3.0
AGENT_WAIT_S = 4.5


class BridgeProcess:
    """One bridge on loopback.

    Args:
        folder: for its file and its log.
        url: livekit-server's.
        livekit_sip_path: the executable; None = the bridge of this repository.
        settings: of the bridge alone; a livekit-sip is not given them.

    Attributes:
        port: for SIP.
        health_port: HTTP on 127.0.0.1.
    """

    def __init__(
        self, folder: Path, url: str, redis_port: int, livekit_sip_path: str | None, **settings: Any
    ) -> None:
        self._livekit_sip = livekit_sip_path
        self.folder = folder
        self._log = folder / "bridge.log"
        self._file = folder / "bridge.yaml"
        self.port = free_port(socket.SOCK_DGRAM)
        self.health_port = free_port()
        first_port = random.randrange(10_000, 14_000, 2)
        shared: dict[str, Any] = {
            "api_key": API_KEY,
            "api_secret": API_SECRET,
            "ws_url": url,
            "redis": {"address": f"127.0.0.1:{redis_port}"},
            "listen_ip": "127.0.0.1",
            "nat_1_to_1_ip": "127.0.0.1",
            "sip_port": self.port,
            "health_port": self.health_port,
            "rtp_port": f"{first_port}-{first_port + 800}",
            "symmetric_rtp": True,
            "media_timeout": f"{MEDIA_TIMEOUT_S}s",
            "media_timeout_initial": f"{MEDIA_TIMEOUT_S}s",
        }
        if livekit_sip_path is None:
            ours = {**shared, "agent_wait_timeout": f"{AGENT_WAIT_S}s", **settings}
            self._argv = [sys.executable, "-m", "telephony.bridge", "--config", str(self._file)]
            self._file.write_text(yaml.safe_dump(ours))
        else:
            self._argv = [livekit_sip_path, "--config", str(self._file)]
            self._file.write_text(livekit_sip(shared))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_ours(self) -> bool:
        return self._livekit_sip is None

    @property
    def name(self) -> str:
        return "bridge" if self.is_ours else "livekit-sip"

    def says(self, ours: int, *, livekit_sip: int) -> int:
        """A SIP status in which the two differ on purpose."""
        return ours if self.is_ours else livekit_sip

    def start(self) -> None:
        """Start it; ``wait_ready`` comes after."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._argv, stdout=log, stderr=log, start_new_session=True, env=os.environ | {"NO_COLOR": "1"}
            )

    async def wait_ready(self) -> None:
        """Wait until it answers; other calls of the test go on meanwhile.

        Raises:
            RuntimeError: it did not; it is stopped.
        """
        deadline = time.monotonic() + START_S
        while not await asyncio.to_thread(http_answers, self.health_port):
            if self.exit_code is not None or time.monotonic() > deadline:
                await self.stop()
                raise RuntimeError(f"{self.name} did not start: {self._log.read_text()[-2000:]}")
            await asyncio.sleep(0.02)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self._process is not None, "it was started"
        self._process.send_signal(number)

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return None if self._process is None else self._process.poll()

    async def stop(self) -> int:
        """End all calls and the process; returns its exit code."""
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(signal.SIGINT)
        try:
            return await asyncio.to_thread(process.wait, 20)
        except subprocess.TimeoutExpired:
            process.kill()
            return await asyncio.to_thread(process.wait, 5)

    def alarms(self) -> list[str]:
        """What our log says of faults of its own."""
        if not self.is_ours:
            return []
        lines = [json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{")]
        # The SDK, under the name ``livekit``, calls an error what is none: a room left while it is joined.
        wrong = [line for line in lines if line["level"] in ("error", "critical")]
        return [str(line) for line in wrong if line["logger"].startswith("telephony")]
