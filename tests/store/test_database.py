from __future__ import annotations

import asyncio
import multiprocessing
import os
import sqlite3
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import psutil
import pytest
import sqlalchemy as sa

from telephony.errors import StoreError
from telephony.store import audit, idempotency, keys, recordings, schema
from telephony.store.database import Database
from telephony.store.tables import counter
from tests.calls.calls import CALL, START, at

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.component


def _count_up(url: str, times: int) -> None:
    import asyncio

    async def run() -> None:
        database = Database(url)
        for _ in range(times):
            async with database.write() as connection:
                query = sa.select(counter.c.value).where(counter.c.name == "n").with_for_update()
                value = (await connection.execute(query)).scalar_one()
                await connection.execute(
                    sa.update(counter).where(counter.c.name == "n").values(value=value + 1)
                )
        await database.close()

    asyncio.run(run())


async def test_no_update_is_lost_between_processes(database: Database, database_url: str) -> None:
    """Four processes that read, add one and write lose none of their updates."""
    async with database.write() as connection:
        await connection.execute(sa.insert(counter).values(name="n", value=0))
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_count_up, args=(database_url, 50)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    async with database.read() as connection:
        assert (await connection.execute(sa.select(counter.c.value))).scalar_one() == 200


async def test_all_readers_of_a_file_are_open_from_the_start(tmp_path: Path) -> None:
    """Many reads at once open no further file than those of the first moment."""
    database = Database(f"sqlite:///{tmp_path / 'calls.db'}")
    process = psutil.Process()

    def files() -> int:
        return sum(one.path.startswith(str(tmp_path)) for one in process.open_files())

    async def read() -> None:
        async with database.read() as connection:
            await connection.execute(sa.text("SELECT 1"))
            await asyncio.sleep(0.05)

    try:
        await schema.upgrade(database)
        await database.open_readers()
        opened = files()
        await asyncio.gather(*(read() for _ in range(12)))
        assert files() == opened
    finally:
        await database.close()


async def test_instants_are_utc_to_the_microsecond(database: Database) -> None:
    """An instant comes back as the same instant in UTC, whatever zone it was written in."""
    written = datetime(2026, 11, 21, 12, 0, 0, 123457, tzinfo=timezone(timedelta(hours=3)))
    async with database.write() as connection:
        await audit.write(connection, key_id="k", action="a", target="t", detail={}, remote="", now=written)
        [row] = await audit.page(connection, limit=5)
    assert row["at"] == written
    assert row["at"].tzinfo is UTC


async def test_a_full_disk_is_an_error_that_passes(tmp_path: Path) -> None:
    """When the file cannot grow the transaction fails whole and says so; when it can again, all goes on."""
    database = Database(f"sqlite:///{tmp_path}/record.db")
    await schema.upgrade(database)
    async with database.write() as connection:
        pages = (await connection.exec_driver_sql("PRAGMA page_count")).scalar_one()
        await connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StoreError, match="full") as caught:
        await _fill(database)
    assert caught.value.retryable
    async with database.write() as connection:
        await connection.exec_driver_sql("PRAGMA max_page_count=100000")
    await _fill(database)
    async with database.read() as connection:
        assert len(await audit.page(connection, limit=1000)) == 200
    await database.close()


async def _fill(database: Database) -> None:
    async with database.write() as connection:
        for number in range(200):
            await audit.write(
                connection,
                key_id="k",
                action="fill",
                target=str(number),
                detail={"text": "x" * 500},
                remote="",
                now=START,
            )


async def test_commits_survive_power_loss_and_readers_never_wait(tmp_path: Path) -> None:
    """The writer's connection syncs every commit, and a reader sees the last commit while one is open."""
    database = Database(f"sqlite:///{tmp_path}/record.db")
    await schema.upgrade(database)
    async with database.write() as connection:
        assert (await connection.exec_driver_sql("PRAGMA synchronous")).scalar_one() == 2
        await connection.execute(sa.insert(counter).values(name="n", value=1))
        async with database.read() as other:
            assert (await other.execute(sa.select(sa.func.count()).select_from(counter))).scalar_one() == 0
    await database.close()


async def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    """A damaged file is an error with a sentence."""
    (tmp_path / "record.db").write_bytes(b"this is not a database" * 100)
    os.chmod(tmp_path / "record.db", 0o600)
    database = Database(f"sqlite:///{tmp_path}/record.db")
    with pytest.raises((StoreError, sqlite3.DatabaseError), match="not a database"):
        await schema.upgrade(database)
    await database.close()


async def test_the_same_key_gives_the_same_answer(database: Database) -> None:
    """An idempotency key is taken once; later requests get its answer, or learn that theirs is another."""
    names = {"key_id": "k1", "idempotency_key": "abc"}
    async with database.write() as connection:
        assert await idempotency.claim(database, connection, **names, request_hash=b"1", now=START) is None
        await idempotency.remember(connection, **names, status=201, response={"id": 7})
    async with database.write() as connection:
        same = await idempotency.claim(database, connection, **names, request_hash=b"1", now=START)
        other = await idempotency.claim(database, connection, **names, request_hash=b"2", now=START)
        fresh = await idempotency.claim(
            database, connection, key_id="k2", idempotency_key="abc", request_hash=b"2", now=START
        )
    assert same == idempotency.Remembered(True, 201, {"id": 7})
    assert other is not None
    assert not other.same_request
    assert fresh is None


async def test_keys_are_rows_of_hashes(database: Database) -> None:
    """A key's row has its hash, is found by its id, remembers its use, and is revoked once."""
    async with database.write() as connection:
        await keys.create(
            connection, key_id="k1", key_hash=b"h" * 32, name="ci", scopes=["a"], expires_at=None, now=START
        )
        await keys.used(connection, {"k1": at(5)})
        assert await keys.revoke(connection, "k1", at(6))
        assert not await keys.revoke(connection, "k1", at(7))
    async with database.read() as connection:
        row = await keys.get(connection, "k1")
        assert row is not None
        assert (bytes(row["hash"]), row["last_used_at"], row["revoked_at"]) == (b"h" * 32, at(5), at(6))
        assert len(await keys.every(connection)) == 1


async def test_a_recording_is_taken_by_one_keeper_at_a_time(database: Database) -> None:
    """A claimed recording is left alone until its time is over, and counts its attempts."""
    async with database.write() as connection:
        await recordings.register(
            connection, [recordings.new_row(CALL, {"format": "wav"}, "/tmp/a.wav", START)]
        )
        [first] = await recordings.claim_due(connection, START, 5)
        assert await recordings.claim_due(connection, at(10), 5) == []
        [again] = await recordings.claim_due(connection, at(recordings.ATTEMPT_LEASE_S), 5)
        assert (first["attempts"], again["attempts"]) == (1, 2)
        await recordings.update(
            connection, first["recording_id"], status="stored", due_at=None, expires_at=at(9)
        )
        assert await recordings.expire(connection, at(8)) == 0
        assert await recordings.expire(connection, at(9)) == 1
        [row] = await recordings.of_call(connection, CALL)
    assert (row["status"], row["reason"]) == ("deleting", "retention")
