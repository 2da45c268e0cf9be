"""The api as a process of its own, as an operator runs it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, Self

import httpx2

from tests.waiting import limit

if TYPE_CHECKING:
    from pathlib import Path

_START_S = 40.0


class ApiProcess:
    """``python -m telephony.api`` over a data folder; started, killed and started again at will."""

    def __init__(self, folder: Path, url: str, **env: str) -> None:
        self.folder = folder
        self.url = url
        self.env = env
        self.log = folder / "api.log"
        self.base = ""
        self._port = "0"
        self.process: subprocess.Popen[bytes] | None = None

    def environment(self) -> dict[str, str]:
        """What the process gets beside the machine's own environment."""
        return {
            **os.environ,
            "TRUNKLINE_DATA": str(self.folder),
            "TRUNKLINE_DATABASE_URL": self.url,
            "TRUNKLINE_API_PORT": self._port,
            "TRUNKLINE_API_READY_FILE": str(self.folder / "ready.json"),
            "TRUNKLINE_WEBHOOK_NETWORKS": "127.0.0.0/8",
            "TRUNKLINE_REQUESTS_PER_MINUTE": "1000000",
            **self.env,
        }

    def start(self) -> Self:
        """Start it and wait until it is ready."""
        ready = self.folder / "ready.json"
        ready.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "telephony.api"],
                env=self.environment(),
                stderr=log,
                stdout=log,
            )
        deadline = time.monotonic() + _START_S
        while not ready.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the api did not start: {self.log.read_text()[-3000:]}")
            time.sleep(0.05)
        told = json.loads(ready.read_text())
        # Where it was found once it is found again.
        self._port = str(told["port"])
        self.base = f"http://127.0.0.1:{self._port}"
        return self

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def stop(self, timeout_s: float = 25) -> int:
        """SIGTERM; returns the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout_s)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    def key(self, name: str = "admin") -> str:
        """One of the first keys."""
        return (self.folder / "keys" / f"{name}.key").read_text().strip()

    def client(self) -> httpx2.AsyncClient:
        """A client with the admin's key."""
        return httpx2.AsyncClient(
            base_url=self.base, headers={"Authorization": f"Bearer {self.key()}"}, timeout=20
        )


async def eventually(question: Any, timeout_s: float = 30.0) -> Any:
    """Ask until the answer is truthy; errors of a connection count as not yet."""
    async with limit(timeout_s):
        while True:
            with contextlib.suppress(httpx2.HTTPError, KeyError):
                if answer := await question():
                    return answer
            await asyncio.sleep(0.1)
