"""One database behind one interface: short transactions that either happened or did not.

On SQLite every writing transaction is BEGIN IMMEDIATE on one connection: with the driver's default,
a transaction starts at the first write, and read-modify-write loses updates without an error.
Waiting for that connection happens in this process, in order, not in SQLite's busy handler.
Commits are synchronous=FULL, because the sender of an event deletes its copy once we have said yes.
On PostgreSQL transactions are READ COMMITTED, and rows that are read to be changed are locked.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from telephony.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.pool import ConnectionPoolEntry

_POOL_WAIT_S = 20.0
_READERS = 4
_PG_CONNECTIONS = 8
_PRAGMAS = (
    "journal_mode=wal",
    "synchronous=full",
    "busy_timeout=10000",
    "foreign_keys=on",
    "secure_delete=on",
)
_NOT_THE_DATABASES_FAULT = (sa.exc.IntegrityError, sa.exc.ProgrammingError, sa.exc.DataError)


class Database:
    """The pool of connections to one database.

    Args:
        url: ``sqlite:///path`` or ``postgresql://…``; the asynchronous driver is chosen here.
        statement_timeout_s: after which PostgreSQL is taken to be away; None waits for as long as a
            statement needs, which is right for migrations.
    """

    def __init__(self, url: str, *, statement_timeout_s: float | None = 30.0) -> None:
        self.url = _async_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            self._writer, self._reader = _sqlite_engines(self.url)
        else:
            self._writer = self._reader = create_async_engine(
                self.url,
                pool_size=_PG_CONNECTIONS,
                max_overflow=0,
                pool_timeout=_POOL_WAIT_S,
                pool_pre_ping=True,
                json_serializer=compact_json,
                connect_args={"timeout": 5, "command_timeout": statement_timeout_s},
            )

    @contextlib.asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """One transaction that may change rows; committed at the end, rolled back by any error.

        Raises:
            StoreError: the database is away, full or locked; nothing was changed. It may be tried again.
        """
        async with _transaction(self._writer) as connection:
            yield connection

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """One transaction that only reads, never waiting for a writer.

        Raises:
            StoreError: the database is away.
        """
        async with _transaction(self._reader) as connection:
            yield connection

    async def open_readers(self) -> None:
        """Open all connections that an SQLite file is read by, rather than one more at each busy moment.

        A process that takes its files and its memory at its start is the same size an hour later.
        """
        if not self.is_sqlite:
            return
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(_READERS):
                connection = await stack.enter_async_context(self.read())
                await connection.execute(sa.text("SELECT 1"))

    async def close(self) -> None:
        """Close every connection."""
        await self._writer.dispose()
        if self._reader is not self._writer:
            await self._reader.dispose()

    def insert(self, table: sa.Table) -> Any:
        """An INSERT that knows ON CONFLICT, in this database's dialect."""
        if self.is_sqlite:
            from sqlalchemy.dialects.sqlite import insert as sqlite_insert

            return sqlite_insert(table)
        from sqlalchemy.dialects.postgresql import insert as postgresql_insert

        return postgresql_insert(table)


@contextlib.asynccontextmanager
async def _transaction(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    try:
        async with engine.begin() as connection:
            yield connection
    except _NOT_THE_DATABASES_FAULT:
        raise
    except (sa.exc.DBAPIError, sa.exc.TimeoutError, OSError) as error:
        raise StoreError(
            f"The database did not take or give the data: {_reason(error)}.",
            fix="See that it runs, can be reached and has free space.",
            retryable=True,
        ) from error


def _reason(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    # A time-out says nothing of itself but its name.
    return str(cause).strip().partition("\n")[0].rstrip(".") or type(cause).__name__


def compact_json(value: Any) -> str:
    """JSON without blanks, text as it is."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _async_url(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError as error:
        raise ConfigError(
            "The database URL cannot be read.",
            field="database_url",
            fix="Write sqlite:///path/to/file or postgresql://user@host/name.",
        ) from error
    drivers = {
        "sqlite": "sqlite+aiosqlite",
        "postgresql": "postgresql+asyncpg",
        "postgres": "postgresql+asyncpg",
    }
    backend = parsed.get_backend_name()
    if backend not in drivers:
        raise ConfigError(
            f"A database of kind {backend!r} is not supported.",
            field="database_url",
            fix="Use SQLite or PostgreSQL.",
        )
    return parsed if "+" in parsed.drivername else parsed.set(drivername=drivers[backend])


def _sqlite_engines(url: sa.URL) -> tuple[AsyncEngine, AsyncEngine]:
    if not url.database or url.database == ":memory:":
        raise ConfigError(
            "The record must be kept in a file.", field="database_url", fix="Write sqlite:///path/to/file."
        )
    path = Path(url.database)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # The file holds numbers and transcripts: nobody but its owner may read it, from its first byte on.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    writer = create_async_engine(
        url, pool_size=1, max_overflow=0, pool_timeout=_POOL_WAIT_S, json_serializer=compact_json
    )
    reader = create_async_engine(
        url, pool_size=_READERS, max_overflow=0, pool_timeout=_POOL_WAIT_S, json_serializer=compact_json
    )
    for engine, begin in ((writer, "BEGIN IMMEDIATE"), (reader, "BEGIN")):
        use_own_transactions(engine.sync_engine, begin)
    return writer, reader


def use_own_transactions(engine: sa.Engine, begin: str) -> None:
    """Make an SQLite engine start its transactions with ``begin``, and set every connection's pragmas."""

    @sa.event.listens_for(engine, "connect")
    def _connected(connection: Any, _entry: ConnectionPoolEntry) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in _PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def _began(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)
