from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from telephony.errors import ConfigError, StoreError
from telephony.store import schema
from telephony.store.database import Database

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.component


async def test_the_tables_go_up_and_down_and_match_the_models(empty_url: str) -> None:
    """Migrations build exactly the tables of the models, take them all away, and build them again."""
    database = Database(empty_url)
    with pytest.raises(StoreError, match="version none"):
        await schema.require_current(database)
    for _ in range(2):
        await schema.upgrade(database)
        await schema.require_current(database)
        assert await schema.differences(database) == []
        await schema.downgrade(database, "base")
        async with database.read() as connection:
            names = await connection.run_sync(lambda sync: sa.inspect(sync).get_table_names())
        assert set(names) <= {"alembic_version"}
    await database.close()


async def test_upgrading_twice_changes_nothing(empty_url: str) -> None:
    """A second upgrade finds nothing to do."""
    database = Database(empty_url)
    await schema.upgrade(database)
    await schema.upgrade(database)
    assert await schema.current(database) == schema.head()
    await database.close()


async def test_nobody_else_can_read_the_file(tmp_path: Path) -> None:
    """A SQLite file is its owner's alone from the start."""
    database = Database(f"sqlite:///{tmp_path}/deep/record.db")
    await schema.upgrade(database)
    assert stat.S_IMODE(os.stat(tmp_path / "deep" / "record.db").st_mode) == 0o600
    await database.close()


@pytest.mark.parametrize("url", ["mysql://x/y", "sqlite://", "sqlite:///:memory:", "what"])
def test_a_database_we_cannot_use_is_named(url: str) -> None:
    """A wrong URL is a configuration error, not a traceback."""
    with pytest.raises(ConfigError, match="database"):
        Database(url)


async def test_a_database_that_is_away_is_a_store_error() -> None:
    """An unreachable PostgreSQL says so, and that trying again may help."""
    database = Database("postgresql://postgres@127.0.0.1:1/none")
    with pytest.raises(StoreError) as caught:
        async with database.read():
            raise AssertionError("not reached")
    assert caught.value.retryable
    await database.close()
