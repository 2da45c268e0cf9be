"""A dispatcher in this process, and real servers where a test relays to one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.bridge.conftest import livekit, redis
from tests.dispatch.machine import Machine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

__all__ = ["livekit", "redis"]


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    """A dispatcher whose livekit-server is away, and a bridge's client."""
    async with Machine(tmp_path) as machine:
        yield machine
