from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from telephony.dialer.dial import DialState
from telephony.dialer.request import DialRequest
from telephony.dialer.requests import request_call
from telephony.store import dials
from telephony.store.instants import utc_now
from tests.dialer.open_gate import LINE, ToldGate, service

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telephony.store.database import Database
    from telephony.store.dials import Dial

pytestmark = pytest.mark.component

LEASE_S = 20.0
MINUTE = timedelta(minutes=1)


async def _asked(database: Database, count: int = 1) -> list[str]:
    asking = service(database, ToldGate())
    made = [await request_call(asking, DialRequest("+15550100123"), "key", None) for _ in range(count)]
    return [each.call_id or "" for each in made]


async def _claim(
    database: Database,
    owner: str = "one",
    *,
    most: int = 10,
    lines: Mapping[str, int] | None = None,
    later: timedelta = timedelta(0),
) -> list[Dial]:
    async with database.write() as connection:
        return await dials.claim(
            database,
            connection,
            owner=owner,
            now=utc_now() + later,
            lease_s=LEASE_S,
            most=most,
            lines=lines or {},
        )


async def _consume(database: Database, call_id: str, owner: str = "one") -> bool:
    async with database.write() as connection:
        return await dials.consume(connection, call_id, owner=owner, now=utc_now())


async def test_a_permit_is_consumed_once(database: Database) -> None:
    """Of twenty that try at once, by one owner or by others, one may dial."""
    [call_id] = await _asked(database)
    await _claim(database)
    tries = [_consume(database, call_id, owner) for owner in ("one", "two") for _ in range(10)]
    assert sum(await asyncio.gather(*tries)) == 1
    assert not await _consume(database, call_id)


async def test_calling_off_and_dialling_exclude_each_other(database: Database) -> None:
    """Whichever comes first: what was called off is not dialled, what is dialled is told to end."""
    for call_id in await _asked(database, 6):
        await _claim(database)

        async def cancel(which: str = call_id) -> Dial | None:
            async with database.write() as connection:
                return await dials.cancel(connection, which, now=utc_now())

        consumed, was = await asyncio.gather(_consume(database, call_id), cancel())
        assert was is not None
        assert consumed is (was.state is DialState.DIALLING)
        async with database.read() as connection:
            row = await dials.get(connection, call_id)
        assert row is not None
        assert row.cancelled_at is not None
        assert row.state is (DialState.DIALLING if consumed else DialState.OVER)


async def test_a_call_is_carried_by_one_until_its_lease_is_over(database: Database) -> None:
    """Two who look at once share what is due; what one has, the other gets only after the lease."""
    asked = await _asked(database, 8)
    one, two = await asyncio.gather(_claim(database, "one", most=4), _claim(database, "two", most=8))
    assert {each.call_id for each in one} | {each.call_id for each in two} == set(asked)
    assert not {each.call_id for each in one} & {each.call_id for each in two}
    assert not await _claim(database, "three")
    found = await _claim(database, "three", later=timedelta(seconds=LEASE_S + 1))
    assert {each.call_id for each in found} == set(asked)
    assert not await _consume(database, found[0].call_id, "one")


async def test_what_may_have_rung_is_found_in_the_state_to_look(database: Database) -> None:
    """After its dialler died, a consumed permit says so to whoever finds it."""
    [call_id] = await _asked(database)
    await _claim(database)
    await _consume(database, call_id)
    [found] = await _claim(database, "two", later=MINUTE)
    assert found.state is DialState.DIALLING
    assert found.consumed_at is not None


async def test_a_trunks_last_line_is_given_once(database: Database) -> None:
    """Two replicas that look at once never take more lines of a trunk than it has."""
    await _asked(database, 6)
    lines = {LINE.name: 2}
    one, two = await asyncio.gather(
        _claim(database, "one", lines=lines), _claim(database, "two", lines=lines)
    )
    assert len(one) + len(two) == 2
    assert not await _claim(database, "three", lines=lines)


async def test_what_waits_for_a_line_is_found_when_its_time_is_over(database: Database) -> None:
    """A call that got no line before its deadline is taken all the same, to be ended."""
    await _asked(database, 3)
    lines = {LINE.name: 1}
    assert len(await _claim(database, lines=lines)) == 1
    found = await _claim(database, "two", lines=lines, later=timedelta(minutes=3))
    assert len(found) == 3


async def test_an_end_is_written_once(database: Database) -> None:
    """Of all who want to end a dial one does; then it is due to nobody."""
    [call_id] = await _asked(database)
    await _claim(database)
    await _consume(database, call_id)

    async def finish() -> bool:
        async with database.write() as connection:
            return await dials.finish(
                connection, call_id, outcome="busy", now=utc_now(), before=DialState.DIALLING
            )

    assert sum(await asyncio.gather(*(finish() for _ in range(5)))) == 1
    assert not await _claim(database, later=MINUTE)


async def test_what_was_put_off_comes_back(database: Database) -> None:
    """A call that could not be begun yet is given back and is due again later."""
    [call_id] = await _asked(database)
    await _claim(database)
    async with database.write() as connection:
        await dials.postpone(connection, call_id, owner="one", due_at=utc_now() + MINUTE)
    assert not await _claim(database)
    assert [each.call_id for each in await _claim(database, later=2 * MINUTE)] == [call_id]
