"""What a growing record costs: a page of calls, one call, one event more, on SQLite and PostgreSQL.

A record with 1,000 calls and one with 1,000,000 (with --quick 20,000) are asked the same in turn;
the larger may cost at most twice the smaller and 5 ms. Pages are asked at any place of the list, and
with every filter for a value that one call in 100,000 has. PostgreSQL is a private one that is started
for the measurement, with its data synced to disk.

    .venv/bin/python bench/store.py --quick
    .venv/bin/python bench/store.py --database sqlite
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.figures import Report, arguments
from telephony.calls.events import Event
from telephony.store import calls, schema
from telephony.store.append import append
from telephony.store.calls import CallFilter
from telephony.store.database import Database
from telephony.store.instants import utc_now
from telephony.store.ledger import Policy
from telephony.store.stored import Incoming
from telephony.store.tables import call, event

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from sqlalchemy.ext.asyncio import AsyncConnection

    Question = Callable[[], Awaitable[None]]

_SMALL = 1_000
_MOST_OPEN = 2_000
_RARE = 100_000
_SECONDS_BETWEEN = 20
_START = datetime(2026, 1, 1, tzinfo=UTC)
_PAGE = 50
_ENDED, _OPEN = "call_original1", "call_original2"

_RARE_VALUES = {
    "direction": "'outbound'",
    "outcome": "'busy'",
    "ended_by": "'operator'",
    "sip_status": "486",
    "to_number": "'+15550100999'",
    "trunk_id": "'ST_rare'",
    "assistant": "'rare'",
    "recorded": "(1 = 1)",
    "duration_ms": "7200000",
}
"""What one call in ``_RARE`` has in each column that a filter asks for; SQL."""

_FILTERS = {
    "direction": CallFilter(direction="outbound"),
    "state": CallFilter(state="permitted"),
    "outcome": CallFilter(outcome="busy"),
    "ended_by": CallFilter(ended_by="operator"),
    "from_number": CallFilter(from_number="+15551055433"),
    "to_number": CallFilter(to_number="+15550100999"),
    "trunk_id": CallFilter(trunk_id="ST_rare"),
    "assistant": CallFilter(assistant="rare"),
    "sip_status": CallFilter(sip_status=486),
    "recorded": CallFilter(recorded=True),
    "ended": CallFilter(open=True),
    "since": CallFilter(since=_START + timedelta(seconds=500 * _SECONDS_BETWEEN)),
    "until": CallFilter(until=_START + timedelta(seconds=500 * _SECONDS_BETWEEN)),
    "min_duration_s": CallFilter(min_duration_ms=3_600_000),
    "min_duration_s (many)": CallFilter(min_duration_ms=1),
    "outcome (many)": CallFilter(outcome="answered"),
    "outcome and until": CallFilter(
        outcome="answered", until=_START + timedelta(seconds=500 * _SECONDS_BETWEEN)
    ),
}


def main() -> int:
    """Entry point; returns the exit code."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--calls", type=int, default=1_000_000, help="size of the large record")
    parser.add_argument("--asked", type=int, default=200, help="how often each question is asked")
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    given = parser.parse_args()
    large, asked = (20_000, 30) if given.quick else (given.calls, given.asked)
    report = Report(f"A record of {large:,} calls against one of {_SMALL:,}")
    kinds = ["sqlite", "postgresql"] if given.database == "both" else [given.database]
    for kind in kinds:
        asyncio.run(_measure(report, kind, large, asked, judged="median" if given.quick else "p95"))
    return report.show(as_json=given.as_json)


async def _measure(report: Report, kind: str, large: int, asked: int, *, judged: str) -> None:
    async with _database(kind) as small_one, _database(kind) as large_one:
        records = {}
        for size, database in ((_SMALL, small_one), (large, large_one)):
            started = time.monotonic()
            open_calls = await _fill(database, size)
            report.notes.append(f"{kind}: {size:,} calls made in {time.monotonic() - started:.0f} s")
            records[size] = await _questions(database, open_calls)
        found = await _ask(records, asked)
    for question, samples in found[_SMALL].items():
        base = report.figure(f"{kind}, {_SMALL:,}: {question}", "ms", samples)
        target = round(2 * (base.statistic(judged) or 0.0) + 5, 1)
        name = f"{kind}, {large:,}: {question}"
        report.figure(name, "ms", found[large][question], target=target, judged=judged)


@contextlib.asynccontextmanager
async def _database(kind: str) -> AsyncIterator[Database]:
    with _place(kind) as url:
        database = Database(url, statement_timeout_s=None)
        try:
            await schema.upgrade(database)
            yield database
        finally:
            await database.close()


@contextlib.contextmanager
def _place(kind: str) -> Iterator[str]:
    if kind == "sqlite":
        with tempfile.TemporaryDirectory(prefix="trunkline-bench-") as folder:
            yield f"sqlite:///{folder}/record.db"
        return
    from tests.store.cluster import Cluster

    server = Cluster(durable=True)
    try:
        yield server.url(server.new_database())
    finally:
        server.stop()


async def _fill(database: Database, size: int) -> list[str]:
    """Make a record of so many calls, by copies of two real ones; returns open calls all over it.

    The database makes the copies itself, and the indexes of both tables when they are there.
    """
    originals = await _originals(database)
    async with database.write() as connection:
        indexes = await _indexes(connection)
        for name, _ in indexes:
            await connection.exec_driver_sql(f'DROP INDEX "{name}"')
        for row, events in originals:
            await connection.execute(sa.insert(call).values({**row, "created_at": _START}))
            await connection.execute(sa.insert(event), events)
        for table in (call, event):
            await connection.exec_driver_sql(_copies(database, table, size))
            await connection.execute(sa.delete(table).where(table.c.call_id.in_((_ENDED, _OPEN))))
        for _, definition in indexes:
            await connection.exec_driver_sql(definition)
    if not database.is_sqlite:
        # What autovacuum does by itself, in time. SQLite has none: there nothing is analysed.
        async with database.write() as connection:
            await connection.exec_driver_sql("ANALYZE")
    query = sa.select(call.c.call_id).where(call.c.ended_at.is_(None)).order_by(call.c.created_at)
    async with database.read() as connection:
        return [row.call_id for row in await connection.execute(query)]


async def _indexes(connection: AsyncConnection) -> list[tuple[str, str]]:
    """Name and definition of every index of both tables that is no constraint."""
    query = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename IN ('call', 'event')"
    if connection.dialect.name == "sqlite":
        query = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name IN ('call', 'event')"
    found = await connection.execute(sa.text(query))
    return [(str(row[0]), str(row[1])) for row in found if row[0].startswith("ix_")]


def _copies(database: Database, table: sa.Table, size: int) -> str:
    """INSERT … SELECT: each number's own original, and what the copy has otherwise; ids in no order."""
    open_share = max(50, size // _MOST_OPEN)
    made = {"call_id": "'call_made' || (1000000000 + n * 2654435761 % 8999999993)"}
    if database.is_sqlite:
        numbers = f"WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers LIMIT {size})"
        later, digest = f"n * {_SECONDS_BETWEEN * 1_000_000}", "randomblob(16)"
    else:
        numbers = f"WITH numbers AS (SELECT generate_series(0::bigint, {size - 1}) AS n)"
        later, digest = f"n * interval '{_SECONDS_BETWEEN} s'", "decode(md5(n || '.' || seq), 'hex')"
    if table is call:
        made |= {
            name: f"CASE WHEN n % {_RARE} = 7 THEN {value} ELSE {name} END"
            for name, value in _RARE_VALUES.items()
        }
        made["state"] = f"CASE WHEN n % {_RARE} = 500 THEN 'permitted' ELSE state END"
        made["created_at"] = f"created_at + {later}"
        made["from_number"] = "'+1555' || (1000000 + n * 7919 % 5000000)"
    else:
        made |= {"received_at": f"received_at + {later}", "digest": digest}
    names = [column.name for column in table.columns]
    return (
        f'INSERT INTO "{table.name}" ({", ".join(names)}) {numbers} '
        f"SELECT {', '.join(made.get(name, name) for name in names)} "
        f'FROM numbers JOIN "{table.name}" ON call_id = '
        f"CASE WHEN n % {open_share} = 0 THEN '{_OPEN}' ELSE '{_ENDED}' END"
    )


async def _originals(database: Database) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Rows of one ended and one open call, stored as the api would, then taken out again."""
    found = []
    for call_id, last in ((_ENDED, "call.ended"), (_OPEN, "turn.completed")):
        said: list[tuple[Any, dict[str, Any]]] = [
            (
                "call.ringing",
                {"from": "+15550100123", "to": "+15550100100", "trunk_id": "ST_1", "room": None},
            ),
            ("call.answered", {"codec": "PCMU", "audio_path": "direct"}),
            ("turn.completed", {"who": "agent", "text": "Hello, this is the clinic. How can I help?"}),
            (last, {"ended_by": "caller", "who": "caller", "text": "Good morning."}),
        ]
        now = utc_now()
        incoming = [
            Incoming(Event(call_id, "bridge", seq, event_type, now, data))
            for seq, (event_type, data) in enumerate(said, start=1)
        ]
        async with database.write() as connection:
            await append(database, connection, incoming, Policy(), now)
        if last == "call.ended":
            job = Incoming(Event(call_id, "job", 1, "call.ended", now, {"ended_by": "caller"}))
            async with database.write() as connection:
                await append(database, connection, [job], Policy(), now)
        async with database.write() as connection:
            row = (
                (await connection.execute(sa.select(call).where(call.c.call_id == call_id))).mappings().one()
            )
            events = (await connection.execute(sa.select(event).where(event.c.call_id == call_id))).mappings()
            found.append((dict(row), [dict(each) for each in events]))
            await connection.execute(sa.delete(event).where(event.c.call_id == call_id))
            await connection.execute(sa.delete(call).where(call.c.call_id == call_id))
    return found


async def _questions(database: Database, open_calls: list[str]) -> dict[str, Question]:
    """What is asked of a record, by name."""
    chance = random.Random(2)
    async with database.read() as connection:
        newest: datetime = (await connection.execute(sa.select(sa.func.max(call.c.created_at)))).scalar_one()

    async def page() -> None:
        place = _START + (newest - _START) * chance.random()
        async with database.read() as connection:
            await calls.page(connection, CallFilter(), before=(place, "call_zzzzzz"), limit=_PAGE)

    async def one() -> None:
        async with database.read() as connection:
            await calls.get(connection, chance.choice(open_calls))

    numbers = dict.fromkeys(open_calls, 0)

    async def more() -> None:
        call_id = chance.choice(open_calls)
        numbers[call_id] += 1
        said = Event(call_id, "job", numbers[call_id], "dtmf.received", utc_now(), {"digit": "5"})
        async with database.write() as connection:
            await append(database, connection, [Incoming(said)], Policy(), utc_now())

    def filtered(wanted: CallFilter) -> Question:
        async def ask() -> None:
            async with database.read() as connection:
                await calls.page(connection, wanted, limit=_PAGE)

        return ask

    asked: dict[str, Question] = {
        "page of calls": page,
        "one call": one,
        "one event more": more,
    }
    asked |= {f"page by {name}": filtered(wanted) for name, wanted in _FILTERS.items()}
    return asked


async def _ask(records: dict[int, dict[str, Question]], times: int) -> dict[int, dict[str, list[float]]]:
    """Ask every question so often, of the small record and the large in turn; milliseconds.

    Side by side, so that whatever else the machine does is in both figures.
    """
    samples: dict[int, dict[str, list[float]]] = {
        size: {name: [] for name in asked} for size, asked in records.items()
    }
    for warm in range(times + 5):
        for name in records[_SMALL]:
            for size, asked in records.items():
                started = time.perf_counter()
                await asked[name]()
                if warm >= 5:
                    samples[size][name].append((time.perf_counter() - started) * 1000)
    return samples


if __name__ == "__main__":
    sys.exit(main())
