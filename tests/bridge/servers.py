"""redis-server and livekit-server as processes of the tests, on free loopback ports."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from telephony.supervision.ports import free_port as free_port

if TYPE_CHECKING:
    from collections.abc import Callable

API_KEY = "bridge-tests"
API_SECRET = "bridge-tests-secret-of-more-than-32-characters"
START_TIMEOUT_S = 20.0


def livekit_binary() -> Path | None:
    """livekit-server, by variable, in the cache, or on the path."""
    if given := os.environ.get("LIVEKIT_SERVER"):
        return Path(given)
    cached = sorted((Path.home() / ".cache" / "trunkline").glob("livekit-server-*/livekit-server"))
    found = shutil.which("livekit-server")
    return cached[-1] if cached else Path(found) if found else None


@dataclass
class Server:
    """One process that can be stopped and started again on the same port."""

    argv: list[str]
    port: int
    log: Path
    answers: Callable[[int], bool]
    _process: subprocess.Popen[bytes] | None = field(default=None)

    def start(self) -> None:
        """Start it and wait until it answers."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self.argv, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.answers(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.argv[0]} did not start: {self.log.read_text()[-2000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Kill it."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(timeout=10)

    @property
    def running(self) -> bool:
        return self._process is not None


def redis_server(folder: Path) -> Server:
    """An empty Redis that keeps nothing on disk."""
    port = free_port()
    argv = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    return Server([*argv, "--dir", str(folder)], port, folder / "redis.log", _redis_answers)


def livekit_server(folder: Path, redis_port: int, **sections: Any) -> Server:
    """A livekit-server whose media stays on loopback; ``sections`` of its file in place of the usual ones."""
    binary = livekit_binary()
    if binary is None:
        raise RuntimeError("livekit-server is missing: run ./scripts/setup, or set LIVEKIT_SERVER.")
    port = free_port()
    config = {
        "port": port,
        "bind_addresses": ["127.0.0.1"],
        "rtc": {
            "node_ip": "127.0.0.1",
            # Else every participant asks public STUN servers by name, which takes time and threads.
            "stun_servers": ["127.0.0.1:9"],
            "use_external_ip": False,
            "enable_loopback_candidate": True,
            "interfaces": {"includes": ["lo"]},
            "tcp_port": free_port(),
            "udp_port": free_port(socket.SOCK_DGRAM),
        },
        "redis": {"address": f"127.0.0.1:{redis_port}"},
        "room": {"empty_timeout": 5, "departure_timeout": 1},
        "keys": {API_KEY: API_SECRET},
        "logging": {"level": "info", "json": True},
        **sections,
    }
    file = folder / f"livekit-{port}.yaml"
    file.write_text(yaml.safe_dump(config))
    return Server([str(binary), "--config", str(file)], port, folder / "livekit.log", http_answers)


def started(make: Callable[[], Server], tries: int = 3) -> Server:
    """A server that runs; another one where its port was taken in the meantime."""
    for left in reversed(range(tries)):
        server = make()
        try:
            server.start()
        except RuntimeError:
            server.stop()
            if not left:
                raise
        else:
            return server
    raise AssertionError("unreachable")


def _redis_answers(port: int) -> bool:
    with (
        contextlib.suppress(OSError),
        socket.create_connection(("127.0.0.1", port), timeout=0.5) as connection,
    ):
        connection.sendall(b"PING\r\n")
        return connection.recv(16).startswith(b"+PONG")
    return False


def http_answers(port: int) -> bool:
    """Whether something there says 200 to a GET."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=0.5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def bridge_settings(url: str, redis_address: str, **more: Any) -> dict[str, Any]:
    """The configuration of a bridge beside these servers, on free ports of this machine."""
    return {
        "api_key": API_KEY,
        "api_secret": API_SECRET,
        "ws_url": url,
        "redis": {"address": redis_address},
        "listen_ip": "127.0.0.1",
        "sip_port": 0,
        "rtp_port": "0",
        "health_port": 0,
        **more,
    }
