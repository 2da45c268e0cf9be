from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from telephony.store.database import Database
from tests.store.databases import database, database_url, empty_url, migrate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

__all__ = ["database", "database_url", "empty_url"]


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[Database]:
    """An open SQLite database, for what does not depend on which one it is."""
    url = f"sqlite:///{tmp_path}/record.db"
    migrate(url)
    opened = Database(url)
    yield opened
    await opened.close()
