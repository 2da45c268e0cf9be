"""Real servers, a bridge in this process, a telephone, and somebody to answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.bridge.direct import DirectLine
from tests.bridge.line import TestLine
from tests.bridge.phone import Phone
from tests.bridge.servers import Server, livekit_server, redis_server, started

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One Redis for all tests."""
    folder = tmp_path_factory.mktemp("redis")
    server = started(lambda: redis_server(folder))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def livekit(tmp_path_factory: pytest.TempPathFactory, redis: Server) -> Iterator[Server]:
    """One livekit-server for all tests."""
    folder = tmp_path_factory.mktemp("livekit")
    server = started(lambda: livekit_server(folder, redis.port))
    yield server
    server.stop()


@pytest.fixture
async def phone() -> AsyncIterator[Phone]:
    """A telephone."""
    async with Phone() as phone:
        yield phone


@pytest.fixture
async def line(redis: Server, livekit: Server, tmp_path: Path) -> AsyncIterator[TestLine]:
    """A running bridge; trunk and rule are made by ``provision``."""
    async with TestLine(redis, livekit, tmp_path) as line:
        yield line


@pytest.fixture
async def direct(redis: Server, livekit: Server, tmp_path: Path) -> AsyncIterator[DirectLine]:
    """A bridge that sends for agents itself."""
    async with DirectLine(redis, livekit, tmp_path) as line:
        yield line
