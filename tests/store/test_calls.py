from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from telephony.store import calls
from telephony.store.calls import CallFilter
from telephony.store.tables import call
from tests.calls.calls import START, at

if TYPE_CHECKING:
    from telephony.store.database import Database

pytestmark = pytest.mark.component

FILTERS = {
    "everything": CallFilter(),
    "direction": CallFilter(direction="inbound"),
    "state": CallFilter(state="ringing"),
    "outcome": CallFilter(outcome="answered"),
    "ended_by": CallFilter(ended_by="caller"),
    "from_number": CallFilter(from_number="+15550100001"),
    "to_number": CallFilter(to_number="+15550100100"),
    "trunk_id": CallFilter(trunk_id="ST_1"),
    "assistant": CallFilter(assistant="reception"),
    "sip_status": CallFilter(sip_status=486),
    "recorded": CallFilter(recorded=True),
    "open": CallFilter(open=True),
    "since": CallFilter(since=at(10)),
    "until": CallFilter(until=at(10)),
    "min_duration": CallFilter(min_duration_ms=9_000),
}


def row(number: int) -> dict[str, Any]:
    """A call that lasted as many seconds as its number says; every fifth is still going on."""
    ended = number % 5 > 0
    return {
        "call_id": f"call_abcdef{number:03d}",
        "created_at": at(number // 2),
        "updated_at": START,
        "direction": "inbound" if number % 2 else "outbound",
        "state": "ended" if ended else "ringing",
        "outcome": "answered" if ended else None,
        "ended_by": "caller" if ended else None,
        "sip_status": 486 if number % 7 == 0 else 200,
        "from_number": f"+1555010000{number % 3}",
        "to_number": "+15550100100",
        "trunk_id": f"ST_{number % 2}",
        "assistant": "reception",
        "ended_at": at(number) if ended else None,
        "duration_ms": number * 1000 if ended else None,
        "recorded": number % 4 == 0,
        "last_seq": 0,
        "record": {},
    }


ROWS = [row(number) for number in range(40)]
EXPECTED: dict[str, Any] = {
    "everything": lambda _row: True,
    "direction": lambda row: row["direction"] == "inbound",
    "state": lambda row: row["state"] == "ringing",
    "outcome": lambda row: row["outcome"] == "answered",
    "ended_by": lambda row: row["ended_by"] == "caller",
    "from_number": lambda row: row["from_number"] == "+15550100001",
    "to_number": lambda _row: True,
    "trunk_id": lambda row: row["trunk_id"] == "ST_1",
    "assistant": lambda _row: True,
    "sip_status": lambda row: row["sip_status"] == 486,
    "recorded": lambda row: row["recorded"],
    "open": lambda row: row["ended_at"] is None,
    "since": lambda row: row["created_at"] >= at(10),
    "until": lambda row: row["created_at"] < at(10),
    "min_duration": lambda row: (row["duration_ms"] or 0) >= 9_000,
}


async def pages(database: Database, wanted: CallFilter, limit: int) -> list[str]:
    """The calls of all pages, one after the other."""
    found: list[str] = []
    before = None
    async with database.read() as connection:
        while part := await calls.page(connection, wanted, before=before, limit=limit):
            found += [each["call_id"] for each in part]
            before = part[-1]["created_at"], part[-1]["call_id"]
    return found


@pytest.mark.parametrize("few", [0, 2_000])
async def test_pages_have_exactly_the_calls_that_are_asked_for(
    database: Database, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    """Every filter gives its calls, newest first, none twice and none missing, however pages are cut."""
    monkeypatch.setattr(calls, "_FEW", few)
    async with database.write() as connection:
        await connection.execute(sa.insert(call), ROWS)
    newest_first = sorted(ROWS, key=lambda row: (row["created_at"], row["call_id"]), reverse=True)
    for name, wanted in FILTERS.items():
        right = [row["call_id"] for row in newest_first if EXPECTED[name](row)]
        assert await pages(database, wanted, 7) == right, name


async def test_no_filter_walks_through_the_whole_record(database: Database) -> None:
    """Every filter is answered from an index that has its calls in their order: nothing is sorted."""
    if not database.is_sqlite:
        pytest.skip("PostgreSQL plans by what the tables hold; bench/store.py measures it")
    async with database.read() as connection:
        for name, wanted in FILTERS.items():
            if name == "min_duration":
                continue
            query = sa.select(*calls.OVERVIEW).where(*wanted.conditions())
            query = query.order_by(call.c.created_at.desc(), call.c.call_id.desc()).limit(50)
            text = str(query.compile(connection.sync_engine, compile_kwargs={"literal_binds": True}))
            plan = await connection.execute(sa.text(f"EXPLAIN QUERY PLAN {text}"))
            steps = " / ".join(str(step.detail) for step in plan)
            assert "USING INDEX ix_call_" in steps, (name, steps)
            assert "TEMP B-TREE" not in steps, (name, steps)
            column = {"everything": "created", "since": "created", "until": "created", "from_number": "from"}
            expected = column.get(name, name.removesuffix("_number").removesuffix("_id"))
            assert f"ix_call_{expected}" in steps, (name, steps)
