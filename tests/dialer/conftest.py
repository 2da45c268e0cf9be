from __future__ import annotations

from tests.store.databases import database, database_url, empty_url

__all__ = ["database", "database_url", "empty_url"]
