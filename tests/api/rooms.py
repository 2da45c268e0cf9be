"""A real livekit-server that sends its webhooks to an api, and people in its rooms."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from livekit import rtc
from livekit.api import AccessToken, VideoGrants

from tests.api.asking import LIVEKIT_KEY, LIVEKIT_SECRET
from tests.bridge.servers import Server, free_port, livekit_server, redis_server, started
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
    return livekit_server(
        folder,
        redis_port,
        # Rooms stay until somebody ends them, so that the tests see who does.
        room={"empty_timeout": 300, "departure_timeout": 300},
        keys={LIVEKIT_KEY: LIVEKIT_SECRET},
        webhook={"api_key": LIVEKIT_KEY, "urls": [f"http://127.0.0.1:{hook_port}/livekit/webhook"]},
    )


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
