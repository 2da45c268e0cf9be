"""The fixture ``database``: each test that takes it runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING

import pytest

from telephony.store import schema
from telephony.store.database import Database
from tests.store.cluster import cluster

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

_TEMPLATE = "trunkline_template"


def migrate(url: str) -> None:
    """Give a database our tables, beside the event loop of the test that asks for it."""

    async def run() -> None:
        database = Database(url)
        await schema.upgrade(database)
        await database.close()

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, run()).result()


@cache
def _template() -> str:
    """A PostgreSQL database with our tables, to copy from."""
    cluster().psql(f"CREATE DATABASE {_TEMPLATE}")
    migrate(cluster().url(_TEMPLATE))
    return _TEMPLATE


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/record.db"
        return
    name = cluster().new_database()
    yield cluster().url(name)
    cluster().drop(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database with our tables and nothing in them."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/record.db"
        migrate(url)
        yield url
        return
    name = cluster().new_database(_template())
    yield cluster().url(name)
    cluster().drop(name)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An open database with our tables and nothing in them."""
    opened = Database(database_url)
    yield opened
    await opened.close()
