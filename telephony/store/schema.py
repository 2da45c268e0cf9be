"""Bring a database's tables to the version this program needs, or back.

Both ways run in one transaction: a step that fails leaves the tables as they were.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from telephony.errors import StoreError
from telephony.store import batch_tables, guard_tables  # noqa: F401 - their tables are the record's as well
from telephony.store.tables import metadata

if TYPE_CHECKING:
    from typing import Any

    import sqlalchemy as sa

    from telephony.store.database import Database

_SCRIPTS = Path(__file__).parent / "migrations"


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def head() -> str:
    """The version this program needs."""
    version = ScriptDirectory.from_config(_config()).get_current_head()
    if version is None:
        raise StoreError("The program carries no migrations.")
    return version


async def upgrade(database: Database, version: str = "head") -> None:
    """Bring the tables up to a version."""
    async with database.write() as connection:
        await connection.run_sync(_run, command.upgrade, version)


async def downgrade(database: Database, version: str) -> None:
    """Bring the tables down to a version; ``base`` drops them all."""
    async with database.write() as connection:
        await connection.run_sync(_run, command.downgrade, version)


async def current(database: Database) -> str | None:
    """The version of the tables; None where there are none."""
    async with database.read() as connection:
        return await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())


async def require_current(database: Database) -> None:
    """See that the tables are those this program needs.

    Raises:
        StoreError: they are older or newer.
    """
    found, needed = await current(database), head()
    if found != needed:
        raise StoreError(
            f"The database's tables are at version {found or 'none'}, this program needs {needed}.",
            fix="Run: python -m telephony.api migrate",
        )


async def differences(database: Database) -> list[Any]:
    """What the tables have otherwise than the models; empty when they agree."""
    async with database.write() as connection:
        return await connection.run_sync(_compare)


def _run(connection: sa.Connection, step: Any, version: str) -> None:
    config = _config()
    config.attributes["connection"] = connection
    step(config, version)


def _compare(connection: sa.Connection) -> list[Any]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, metadata))
