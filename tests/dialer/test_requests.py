from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from telephony.calls.record import CallRecord
from telephony.dialer.dial import DialState
from telephony.dialer.request import DialRequest
from telephony.dialer.requests import DEADLINE, LATEST, KeyReusedError, cancel_call, request_call
from telephony.store import calls, dials
from telephony.store.instants import utc_now
from telephony.store.tables import call, dial, event
from tests.dialer.open_gate import LINE, NO, NOT_NOW, ToldGate, service

if TYPE_CHECKING:
    from telephony.store.database import Database

pytestmark = pytest.mark.component

REQUEST = DialRequest("+15550100123", data={"name": "Anna"}, metadata={"crm": 7})


async def _count(database: Database, table: sa.Table) -> int:
    async with database.read() as connection:
        return int((await connection.execute(sa.select(sa.func.count()).select_from(table))).scalar_one())


async def test_a_request_has_its_permit_and_its_record_at_once(database: Database) -> None:
    """When the answer is there, so is the row with an unused permit, and the record tells of both."""
    asking = service(database, ToldGate())
    before = utc_now()
    asked = await request_call(asking, REQUEST, "key", "one")
    assert asked.call_id is not None
    assert asking.wake.is_set()
    async with database.read() as connection:
        row = await dials.get(connection, asked.call_id)
        told = await calls.events_after(connection, asked.call_id)
        record = await calls.get(connection, asked.call_id)
    assert row is not None
    assert (row.state, row.consumed_at, row.trunk) == (DialState.PERMITTED, None, LINE.name)
    assert row.request.from_ in LINE.numbers
    assert row.request.data == {"name": "Anna"}
    assert (row.request.ringing_timeout_s, row.request.max_call_duration_s) == (20.0, 60.0)
    assert timedelta(0) <= row.deadline - before - DEADLINE < timedelta(seconds=60)
    assert [each.type for each in told] == ["call.requested", "call.permitted"]
    assert record is not None
    assert (record["state"], record["direction"]) == ("permitted", "outbound")
    assert CallRecord.from_json(asked.call_id, record["record"]).value("metadata") == {"crm": 7}


async def test_a_pool_of_caller_ids_is_spread_over_the_calls(database: Database) -> None:
    """Each call shows one of them, told to the guard as if it had been asked for alone."""
    pool = tuple(f"+1555010{number}" for number in range(2000, 2004))
    gate = ToldGate()
    asking = service(database, gate)
    shown: list[str | None] = []
    for number in range(40):
        asked = await request_call(asking, replace(REQUEST, from_pool=pool), "key", str(number))
        async with database.read() as connection:
            row = await dials.get(connection, asked.call_id or "")
        assert row is not None
        shown.append(row.request.from_)
        assert row.request.from_pool == ()
    assert set(shown) == set(pool)
    assert gate.shown == shown


async def test_one_key_is_one_call_however_many_ask_at_once(database: Database) -> None:
    """Twenty requests with one key, at the same time: one call, one permit, nineteen repeated answers."""
    gate = ToldGate()
    asking = service(database, gate)
    answers = await asyncio.gather(*(request_call(asking, REQUEST, "key", "one") for _ in range(20)))
    assert len({each.call_id for each in answers}) == 1
    assert sum(not each.replayed for each in answers) == 1
    assert gate.asked == 1
    assert await _count(database, dial) == 1
    other = await request_call(asking, REQUEST, "another key", "one")
    assert other.call_id != answers[0].call_id


async def test_a_key_is_for_one_request(database: Database) -> None:
    """The same key with another request is refused, and nothing is dialled for it."""
    asking = service(database, ToldGate())
    await request_call(asking, REQUEST, "key", "one")
    with pytest.raises(KeyReusedError):
        await request_call(asking, replace(REQUEST, to="+15550100124"), "key", "one")
    assert await _count(database, dial) == 1


async def test_without_a_key_every_request_is_a_call(database: Database) -> None:
    """Whoever gives no key has not said that two requests are one."""
    asking = service(database, ToldGate())
    first = await request_call(asking, REQUEST, "key", None)
    second = await request_call(asking, REQUEST, "key", None)
    assert first.call_id != second.call_id


async def test_what_is_refused_stands_in_the_record_and_is_never_dialled(database: Database) -> None:
    """A refused call has ended as blocked, with the reason; asked again with its key it is the same."""
    gate = ToldGate(NO)
    asking = service(database, gate)
    asked = await request_call(asking, REQUEST, "key", "one")
    assert asked.call_id is not None
    assert not asked.allowed
    async with database.read() as connection:
        row = await calls.get(connection, asked.call_id)
    assert row is not None
    assert (row["state"], row["outcome"], row["ended_by"]) == ("ended", "blocked", "line")
    assert "The country is not allowed." in row["record"]["ended"]["cause"]
    assert await _count(database, dial) == 0
    again = await request_call(asking, REQUEST, "key", "one")
    assert (again.call_id, again.replayed, again.refusal) == (asked.call_id, True, asked.refusal)


async def test_not_now_leaves_nothing_behind_and_the_key_unused(database: Database) -> None:
    """What passes with time makes no call; the same request with the same key may pass later."""
    gate = ToldGate(NOT_NOW)
    asking = service(database, gate)
    asked = await request_call(asking, REQUEST, "key", "one")
    assert (asked.call_id, asked.transient) == (None, True)
    assert await _count(database, call) == await _count(database, event) == 0
    gate.says = ToldGate().says
    later = await request_call(asking, REQUEST, "key", "one")
    assert later.allowed
    assert not later.replayed


async def test_a_deadline_is_kept_within_a_day(database: Database) -> None:
    """A call that may be dialled next year is dialled within a day or not at all."""
    asking, now = service(database, ToldGate()), utc_now()
    late = replace(REQUEST, deadline=now + timedelta(days=400))
    asked = await request_call(asking, late, "key", None, now=now)
    async with database.read() as connection:
        row = await dials.get(connection, asked.call_id or "")
    assert row is not None
    assert row.deadline == now + LATEST


async def test_what_is_called_off_before_it_is_dialled_is_over(database: Database) -> None:
    """The call ends as cancelled in the same moment, and nobody can use its permit any more."""
    asking = service(database, ToldGate())
    asked = await request_call(asking, REQUEST, "key", None)
    call_id = asked.call_id or ""
    was = await cancel_call(asking, call_id)
    assert was is not None
    assert was.state is DialState.PERMITTED
    assert await cancel_call(asking, call_id) is None
    async with database.write() as connection:
        row = await calls.get(connection, call_id)
        assert not await dials.consume(connection, call_id, owner="me", now=utc_now())
    assert row is not None
    assert (row["outcome"], row["ended_by"]) == ("cancelled", "operator")
