from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.store.databases import database, database_url
from tests.webhooks.receiver import Receiver

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["database", "database_url", "receiver"]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A customer's server on loopback."""
    async with Receiver() as running:
        yield running
