from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from telephony.logs import configure_structlog
from tests.api.asking import Asking, asking, settings
from tests.store.databases import database, database_url, empty_url
from tests.webhooks.receiver import Receiver

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

__all__ = ["database", "database_url", "empty_url"]


@pytest.fixture(autouse=True, scope="session")
def _logging() -> None:
    # As in every process of ours: not on standard output, where answers are.
    configure_structlog()


@pytest.fixture
async def api(database_url: str, tmp_path: Path) -> AsyncIterator[Asking]:
    """A service at work on each database, with a client that has the admin's key."""
    async with asking(settings(database_url, tmp_path)) as ready:
        yield ready


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A customer's server on loopback."""
    async with Receiver() as running:
        yield running
