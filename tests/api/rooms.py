"""A real livekit-server that sends its webhooks to an api, and people in its rooms."""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml
from livekit import rtc
from livekit.api import AccessToken, VideoGrants

from tests.api.asking import LIVEKIT_KEY, LIVEKIT_SECRET
from tests.bridge.servers import (
    Server,
    free_port,
    http_answers,
    livekit_binary,
    redis_server,
    started,
)
from tests.waiting import limit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path


@dataclass(slots=True)
class LiveKitServer:
    """A running server and where it sends its webhooks."""

    server: Server
    hook_port: int

    @property
    def url(self) -> str:
        """Where it is."""
        return f"ws://127.0.0.1:{self.server.port}"


@contextlib.contextmanager
def livekit_with_webhooks(folder: Path) -> Iterator[LiveKitServer]:
    """Redis and livekit-server on free ports; the api is expected on ``hook_port``."""
    redis = started(lambda: redis_server(folder))
    hook_port = free_port()
    server = started(lambda: _server(folder, redis.port, hook_port))
    try:
        yield LiveKitServer(server, hook_port)
    finally:
        server.stop()
        redis.stop()


def _server(folder: Path, redis_port: int, hook_port: int) -> Server:
    port = free_port()
    config = {
        "port": port,
        "bind_addresses": ["127.0.0.1"],
        "rtc": {
            "node_ip": "127.0.0.1",
            "use_external_ip": False,
            "enable_loopback_candidate": True,
            "interfaces": {"includes": ["lo"]},
            "tcp_port": free_port(),
            "udp_port": free_port(socket.SOCK_DGRAM),
        },
        "redis": {"address": f"127.0.0.1:{redis_port}"},
        # Rooms stay until somebody ends them, so that the tests see who does.
        "room": {"empty_timeout": 300, "departure_timeout": 300},
        "keys": {LIVEKIT_KEY: LIVEKIT_SECRET},
        "webhook": {"api_key": LIVEKIT_KEY, "urls": [f"http://127.0.0.1:{hook_port}/livekit/webhook"]},
        "logging": {"level": "info", "json": True},
    }
    file = folder / f"livekit-{port}.yaml"
    file.write_text(yaml.safe_dump(config))
    binary = livekit_binary()
    assert binary is not None, "livekit-server is missing: run ./scripts/setup"
    return Server([str(binary), "--config", str(file)], port, folder / "livekit.log", http_answers)


@contextlib.asynccontextmanager
async def person(
    server: LiveKitServer, room: str, identity: str, kind: str, attributes: dict[str, str] | None = None
) -> AsyncIterator[rtc.Room]:
    """Somebody in a room, of a kind: sip, agent or standard; leaves at the end."""
    grants = VideoGrants(room_join=True, room=room, can_update_own_metadata=True)
    token = AccessToken(LIVEKIT_KEY, LIVEKIT_SECRET).with_identity(identity).with_grants(grants)
    token = token.with_kind(kind).with_attributes(attributes or {})  # type: ignore[arg-type]
    joined = rtc.Room()
    await joined.connect(server.url, str(token.to_jwt()))
    try:
        yield joined
    finally:
        async with limit(10):
            await joined.disconnect()
