"""What the store cannot take stays in the spool, is told in the log, and is stored when it can be again."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from structlog.testing import CapturingLogger

from telephony import spool_forwarder
from telephony.api.taking import OwnSpool
from telephony.spool import EventSpool, read_events
from telephony.spool_forwarder import SpoolForwarder
from telephony.store import calls
from telephony.store import database as database_module
from telephony.store.database import Database
from telephony.store.intake import Intake
from telephony.store.ledger import Policy
from telephony.webhooks import desk, sender
from tests.waiting import limit
from tests.webhooks.receiver import Receiver
from tests.webhooks.sending import FAST, add_endpoint, happen, sending, until_settled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

pytestmark = pytest.mark.component

CALL = "call_abcdef01"
EVENTS = 6


@pytest.fixture
async def hasty(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    """A database whose locks are waited for only shortly."""
    quick = tuple(p if "busy" not in p else "busy_timeout=100" for p in database_module._PRAGMAS)
    monkeypatch.setattr(database_module, "_PRAGMAS", quick)
    opened = Database(database_url, statement_timeout_s=0.3)
    yield opened
    await opened.close()


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> CapturingLogger:
    """What is logged by those who meet the trouble."""
    logger = CapturingLogger()
    for module in (spool_forwarder, desk, sender):
        monkeypatch.setattr(module, "log", logger)
    return logger


@contextlib.asynccontextmanager
async def locked(database: Database) -> AsyncIterator[None]:
    """Somebody else has the record for himself and does not let go."""
    if database.is_sqlite:
        other = sqlite3.connect(database.url.database or "", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")
        other.close()
        return
    holder = Database(database.url.set(drivername="postgresql").render_as_string(hide_password=False))
    async with holder.write() as connection:
        await connection.exec_driver_sql("LOCK TABLE call IN ACCESS EXCLUSIVE MODE")
        yield
    await holder.close()


@contextlib.asynccontextmanager
async def full(database: Database) -> AsyncIterator[None]:
    """The file cannot grow."""
    async with database.write() as connection:
        # Nothing that is free already may be used up instead.
        pages = (await connection.exec_driver_sql("PRAGMA page_count")).scalar_one()
        await connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    yield
    async with database.write() as connection:
        await connection.exec_driver_sql("PRAGMA max_page_count=1000000")


def spooled(folder: Path, text: str) -> Path:
    """A call's events, as its source writes them."""
    spool = EventSpool(folder, CALL, "job")
    for _ in range(EVENTS):
        spool.emit("turn.completed", who="caller", text=text)
    spool.close()
    return spool.path


async def stored(database: Database) -> list[int]:
    """The source's numbers of what the record has of the call, in the record's order."""
    async with database.read() as connection:
        return [each.source_seq for each in await calls.events_after(connection, CALL)]


async def told(logged: CapturingLogger, sentence: str) -> None:
    """Wait until the log says it."""
    async with limit(15):
        while not any(sentence in str(line.kwargs.get("reason")) for line in logged.calls):
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("trouble", "sentence"), [(locked, ""), (full, "database or disk is full")], ids=["locked", "full"]
)
async def test_what_the_store_cannot_take_waits_in_the_spool(
    hasty: Database, tmp_path: Path, logged: CapturingLogger, trouble: Callable[..., Any], sentence: str
) -> None:
    """A locked or full database is named in the log; no event is lost, doubled or out of order after it."""
    if trouble is full and not hasty.is_sqlite:
        pytest.skip("PostgreSQL's disk is filled by bench/webhooks.py")
    if trouble is locked:
        sentence = "database is locked" if hasty.is_sqlite else "TimeoutError"
    events = tmp_path / "events"
    stop = asyncio.Event()
    async with Intake(hasty, Policy(), lambda _events: None) as intake:
        async with trouble(hasty):
            path = spooled(events, "x" * 8000)
            forwarding = asyncio.create_task(SpoolForwarder(events, OwnSpool(intake)).run(stop))
            await told(logged, sentence)
            assert len(list(read_events(path))) == EVENTS
        async with limit(15):
            while len(await stored(hasty)) < EVENTS:
                await asyncio.sleep(0.05)
        stop.set()
        await forwarding
    [line] = [line for line in logged.calls if line.args == ("events_wait",)]
    assert (line.method_name, line.kwargs["files"]) == ("warning", 1)
    assert line.kwargs["reason"].startswith("The database did not take or give the data: ")
    assert await stored(hasty) == list(range(1, EVENTS + 1))


async def test_a_sender_waits_for_a_locked_database_and_repeats_nothing(
    hasty: Database, logged: CapturingLogger
) -> None:
    """An attempt that was made while the database was locked is written down after it, not made again."""
    async with Receiver() as receiver:
        receiver.delay_s = 0.3
        hook = await add_endpoint(hasty, receiver.url)
        await happen(hasty, "call_abcdef", [1, 2])
        async with sending(hasty, FAST, timeout_s=3):
            await receiver.wait_for(1)
            async with locked_lanes(hasty):
                await told(logged, "The database did not take or give the data")
            assert await until_settled(hasty, hook) == ["delivered", "delivered"]
        assert [got.payload["seq"] for got in receiver.got] == [1, 2]
    warned = {line.args[0] for line in logged.calls if line.method_name == "warning"}
    assert warned <= {"outbox_write_failed", "outbox_unreadable"}
    assert warned


@contextlib.asynccontextmanager
async def locked_lanes(database: Database) -> AsyncIterator[None]:
    """Somebody holds what the sender has to write to."""
    if database.is_sqlite:
        async with locked(database):
            yield
        return
    holder = Database(database.url.set(drivername="postgresql").render_as_string(hide_password=False))
    async with holder.write() as connection:
        await connection.execute(sa.text("LOCK TABLE delivery, lane IN ACCESS EXCLUSIVE MODE"))
        yield
    await holder.close()
