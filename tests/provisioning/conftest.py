"""A real livekit-server on a Redis of its own, emptied of trunks and rules before every test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import redis as redis_client

from provisioning.sip_service import SipService
from tests.bridge.servers import API_KEY, API_SECRET, Server, livekit_server, redis_server
from tests.provisioning.asking import Asking

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


@dataclass(frozen=True)
class LiveKit:
    """A running livekit-server and the key to it."""

    server: Server
    redis: Server
    api_key: str = API_KEY
    api_secret: str = API_SECRET

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.server.port}"

    @property
    def redis_address(self) -> str:
        return f"127.0.0.1:{self.redis.port}"

    @property
    def env(self) -> dict[str, str]:
        """What the shipped file is expanded from."""
        return {
            "LIVEKIT_URL": self.url,
            "LIVEKIT_API_KEY": self.api_key,
            "LIVEKIT_API_SECRET": self.api_secret,
            "REDIS_ADDRESS": self.redis_address,
        }

    def service(self) -> SipService:
        return SipService(self.url, self.api_key, self.api_secret, timeout_s=10)

    def store(self) -> redis_client.Redis:
        """The Redis behind it; close it."""
        return redis_client.Redis(port=self.redis.port)

    def forget_everything(self) -> None:
        """Delete every trunk and rule behind the server's back."""
        with self.store() as store:
            store.delete("sip_inbound_trunk", "sip_outbound_trunk", "sip_dispatch_rule", "sip_trunk")


@pytest.fixture(scope="session")
def livekit_and_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveKit]:
    """One pair of servers for all tests of a worker."""
    store = redis_server(tmp_path_factory.mktemp("redis"))
    store.start()
    try:
        server = livekit_server(tmp_path_factory.mktemp("livekit"), store.port)
        server.start()
        yield LiveKit(server, store)
        server.stop()
    finally:
        store.stop()


@pytest.fixture
def livekit(livekit_and_redis: LiveKit) -> LiveKit:
    """A livekit-server without trunks and rules."""
    livekit_and_redis.forget_everything()
    return livekit_and_redis


@pytest.fixture
async def service(livekit: LiveKit) -> AsyncIterator[SipService]:
    """Its SIP service."""
    async with livekit.service() as service:
        yield service


@pytest.fixture
async def asking(livekit: LiveKit) -> AsyncIterator[Asking]:
    """What a bridge asks it."""
    async with Asking(livekit.redis.port) as asking:
        yield asking
