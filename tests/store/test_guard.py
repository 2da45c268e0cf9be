from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from telephony.calls.cost import CarrierPrice, PriceTable
from telephony.calls.events import Event, EventType, Source
from telephony.dialer.guard.rules import GuardRules, Limits
from telephony.dialer.guard.verdict import Verdict, Wanted
from telephony.dialer.request import DialRequest
from telephony.store import audit, guard, keys
from telephony.store.append import append
from telephony.store.database import Database
from telephony.store.guard import DialGuard
from telephony.store.guard_tables import dial_reservation
from telephony.store.ledger import Policy
from telephony.store.stored import Incoming
from tests.dialer.guard.rules import NOW, TRUNK, rules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import RowMapping

pytestmark = pytest.mark.component

KEY = "keyofthedialler2"
PRICES = PriceTable(carriers=[CarrierPrice(direction="outbound", prefix="+7", per_minute=0.6, increment_s=1)])


async def make_key(database: Database, scopes: Sequence[str] = ("calls:dial",), **more: Any) -> None:
    async with database.write() as connection:
        await keys.create(
            connection,
            key_id=KEY,
            key_hash=b"0" * 32,
            name="test",
            scopes=scopes,
            expires_at=more.get("expires_at"),
            dial_limits=more.get("dial_limits"),
            now=NOW,
        )


def number(n: int) -> str:
    return f"+7495765{n:04d}"


async def ask(
    database: Database,
    call_id: str,
    to: str = number(1),
    *,
    given: GuardRules | None = None,
    now: datetime = NOW,
    may_wait: bool = False,
    **request: Any,
) -> Verdict:
    async with database.write() as connection:
        return await DialGuard(given or rules()).guard_and_reserve(
            database, connection, DialRequest(to, **request), KEY, now, call_id=call_id, may_wait=may_wait
        )


async def audited(database: Database) -> Sequence[RowMapping]:
    async with database.read() as connection:
        return await audit.page(connection, limit=10_000)


async def reserved(database: Database) -> dict[str, RowMapping]:
    async with database.read() as connection:
        found = (await connection.execute(sa.select(dial_reservation))).mappings().all()
    return {row["call_id"]: row for row in found}


def names(verdict: Verdict) -> set[str]:
    return {check.name for check in verdict.checks if not check.passed}


@pytest.mark.parametrize(
    ("requests", "limits", "allowed"),
    [
        (200, Limits(concurrent=7), 7),
        (30, Limits(calls=11), 11),
        (30, Limits(minutes=50), 5),
        (30, Limits(spend_micros=18_000_000), 3),
    ],
    ids=["at once", "a day", "minutes", "money"],
)
async def test_no_cap_is_passed_by_asking_at_the_same_time(
    database: Database, requests: int, limits: Limits, allowed: int
) -> None:
    """Up to two hundred requests by three pools: exactly as many pass as the cap has room for."""
    await make_key(database)
    pools = [database]
    if not database.is_sqlite:  # one process has an SQLite file, any number have a PostgreSQL database
        pools += [Database(database.url.render_as_string(hide_password=False)) for _ in range(2)]
    given = rules(line=limits, prices=PRICES, worker_calls=None)
    at_once = asyncio.Semaphore(50)

    async def one(n: int) -> Verdict:
        async with at_once:
            return await ask(pools[n % len(pools)], f"call_{n:012d}", number(n), given=given)

    found = await asyncio.gather(*(one(n) for n in range(requests)))
    assert sum(verdict.allowed for verdict in found) == allowed
    assert len(await reserved(database)) == allowed
    said = await audited(database)
    assert len(said) == requests
    assert sum(row["action"] == "dial.allowed" for row in said) == allowed
    for pool in pools[1:]:
        await pool.close()


async def test_one_number_is_not_called_twice_by_asking_at_the_same_time(database: Database) -> None:
    """Nor is a key's cap passed, nor a trunk's lines or its rate."""
    await make_key(database, dial_limits={"max_calls_per_day": 4})
    same = await asyncio.gather(*(ask(database, f"call_same{n:08d}") for n in range(10)))
    assert sum(verdict.allowed for verdict in same) == 1
    trunk = replace(TRUNK, max_calls=5, max_calls_per_second=2)
    several = await asyncio.gather(
        *(ask(database, f"call_more{n:08d}", number(n), given=rules(trunks=(trunk,))) for n in range(2, 12))
    )
    assert sum(verdict.allowed for verdict in several) == 1  # two a second on this trunk, with the first
    late = NOW + timedelta(minutes=1)
    much = await asyncio.gather(
        *(ask(database, f"call_late{n:08d}", number(n), now=late) for n in range(30, 40))
    )
    assert sum(verdict.allowed for verdict in much) == 2  # four of the key


async def test_a_leaked_key_gets_nowhere_and_everything_it_tried_is_written_down(database: Database) -> None:
    """A key with the scope, in the file's default rules: premium, satellite, abroad, short, our own."""
    await make_key(database)
    tried = [
        "+78091234567",
        "+870773111234",
        "+882161234567",
        "+19002345678",
        "+77012345678",
        "+74951234567",
        "112",
    ]
    tried += ["+79401234567", "810442079460000", "+979123456789", "no number at all", "+7495\x00"]
    found = [await ask(database, f"call_{n:012d}", to, from_="+79031112233") for n, to in enumerate(tried)]
    assert not any(verdict.allowed for verdict in found)
    assert await reserved(database) == {}
    said = await audited(database)
    assert [row["action"] for row in said] == ["dial.refused"] * len(tried)
    assert {row["key_id"] for row in said} == {KEY}
    text = str([dict(row) for row in said])
    assert "8091234567" not in text
    assert "9031112233" not in text
    assert said[-1]["target"] == "+78*******67"
    assert "kind" in said[-1]["detail"]["refused_by"]
    assert said[-1]["detail"]["call_id"] == "call_000000000000"


@pytest.mark.parametrize(
    "facts",
    [
        {"scopes": ("calls:read", "calls:write", "webhooks:write", "keys:write")},
        {"expires_at": NOW - timedelta(seconds=1)},
    ],
)
async def test_a_key_without_the_scope_cannot_dial(database: Database, facts: dict[str, Any]) -> None:
    """However much else it may do; nor can one that has expired, one that is revoked, or none at all."""
    assert names(await ask(database, "call_none00000000")) == {"key"}
    await make_key(database, **facts)
    assert names(await ask(database, "call_one000000000")) == {"key"}


async def test_a_revoked_key_cannot_dial_from_that_moment(database: Database) -> None:
    """Not even what it was permitted before and has not begun."""
    await make_key(database)
    assert (await ask(database, "call_waits0000000", may_wait=True)).allowed
    async with database.write() as connection:
        await keys.revoke(connection, KEY, NOW)
        verdict = await DialGuard(rules()).begin(database, connection, "call_waits0000000", NOW)
    assert verdict is not None
    assert names(verdict) == {"key"}


async def test_the_do_not_call_list_is_asked(database: Database) -> None:
    """By the number in E.164, however it was written."""
    await make_key(database)

    async def listed(_connection: Any, numbers: list[str]) -> set[str]:
        return {number(1)} & set(numbers)

    async with database.write() as connection:
        verdict = await DialGuard(rules(), listed).guard_and_reserve(
            database, connection, DialRequest("8 495 765-00-01"), KEY, NOW, call_id="call_listed000000"
        )
    assert names(verdict) == {"do_not_call"}


async def test_a_call_gives_back_what_it_did_not_use(database: Database) -> None:
    """Ten minutes and six units are held; one minute and a half were talked, to the second."""
    await make_key(database)
    await ask(database, "call_talked000000", given=rules(prices=PRICES))
    before = (await reserved(database))["call_talked000000"]
    assert (before["held_s"], before["held_micros"]) == (600, 6_000_000)
    async with database.write() as connection:
        await guard.settle(connection, {"call_talked000000": 89.2, "call_unknown00000": 1.0}, NOW)
    after = (await reserved(database))["call_talked000000"]
    assert (after["held_s"], after["held_micros"], after["settled_at"]) == (89.2, 900_000, NOW)


async def test_the_end_of_a_call_in_the_record_settles_it(database: Database) -> None:
    """Whoever reports the end, its line is free in the commit that stores it; an unknown one frees none."""
    await make_key(database)
    for n, call_id in enumerate(("call_known0000000", "call_unknown00000", "call_called_off00"), 1):
        await ask(database, call_id, number(n))
    answered = {"outcome": "answered", "ended_by": "callee"}
    told: list[tuple[str, Source, EventType, dict[str, Any], int]] = [
        ("call_known0000000", "bridge", "call.ringing", {"direction": "outbound"}, 0),
        ("call_known0000000", "bridge", "call.answered", {}, 10),
        ("call_known0000000", "bridge", "call.ended", answered, 40),
        ("call_known0000000", "job", "call.ended", answered, 40),
        ("call_unknown00000", "dialer", "call.requested", {"direction": "outbound"}, 0),
        ("call_unknown00000", "dialer", "call.dialling", {}, 1),
        ("call_unknown00000", "dialer", "call.ended", {"outcome": "unknown", "code": "dial_unknown"}, 40),
        ("call_called_off00", "dialer", "call.requested", {"direction": "outbound"}, 0),
        ("call_called_off00", "dialer", "call.permitted", {"permit_id": "prm_1"}, 0),
        ("call_called_off00", "dialer", "call.ended", {"outcome": "cancelled", "ended_by": "operator"}, 4),
    ]
    for n, (call_id, source, event_type, data, seconds) in enumerate(told, 1):
        event = Event(call_id, source, n, event_type, NOW + timedelta(seconds=seconds), data)
        async with database.write() as connection:
            await append(database, connection, [Incoming(event)], Policy(), NOW + timedelta(minutes=1))
    found = await reserved(database)
    assert "call_called_off00" not in found  # it was never dialled, and counts for nothing
    assert found["call_unknown00000"]["settled_at"] is None
    assert found["call_known0000000"]["settled_at"] is not None
    assert found["call_known0000000"]["held_s"] == pytest.approx(30, abs=1)


async def test_a_call_that_nobody_ends_does_not_hold_its_line_for_ever(database: Database) -> None:
    """It does until the longest call would be over; its minutes count for a day, then it is gone."""
    await make_key(database)
    one = rules(line=Limits(concurrent=1, minutes=15))
    assert (await ask(database, "call_crashed00000", number(1), given=one)).allowed
    soon, later, tomorrow = (NOW + timedelta(seconds=each) for each in (600, 700, 86_401))
    assert names(await ask(database, "call_soon00000000", number(2), given=one, now=soon)) == {
        "concurrency",
        "minutes_per_day",
    }
    assert names(await ask(database, "call_later0000000", number(2), given=one, now=later)) == {
        "minutes_per_day"
    }
    assert (await ask(database, "call_tomorrow0000", number(1), given=one, now=tomorrow)).allowed
    async with database.write() as connection:
        assert await guard.purge(connection, tomorrow + timedelta(hours=2)) == 1


async def test_a_call_that_was_surely_not_dialled_counts_for_nothing(database: Database) -> None:
    """Its number may be called again at once."""
    await make_key(database)
    await ask(database, "call_first0000000")
    async with database.write() as connection:
        assert await guard.release(connection, ["call_first0000000"]) == 1
        assert await guard.release(connection, ["call_first0000000"]) == 0
    assert (await ask(database, "call_second000000")).allowed


async def test_waiting_calls_get_lines_one_by_one(database: Database) -> None:
    """All are permitted, as many as there are lines begin, and each end lets another begin."""
    await make_key(database)
    two = rules(line=Limits(concurrent=2))
    ids = [f"call_waits{n:07d}" for n in range(8)]
    waits = [
        await ask(database, call_id, number(n), given=two, may_wait=True, deadline=NOW + timedelta(hours=1))
        for n, call_id in enumerate(ids)
    ]
    assert all(verdict.allowed for verdict in waits)

    async def begin(call_id: str) -> bool:
        async with database.write() as connection:
            verdict = await DialGuard(two).begin(database, connection, call_id, NOW)
        assert verdict is not None
        assert verdict.allowed or verdict.transient
        return verdict.allowed

    assert sum(await asyncio.gather(*(begin(call_id) for call_id in ids))) == 2
    begun = [call_id for call_id, row in (await reserved(database)).items() if row["begun_at"]]
    async with database.write() as connection:
        await guard.settle(connection, {begun[0]: 5.0}, NOW)
    left = [call_id for call_id in ids if call_id not in begun]
    assert sum(await asyncio.gather(*(begin(call_id) for call_id in left))) == 1
    async with database.write() as connection:
        assert await DialGuard(two).begin(database, connection, begun[0], NOW) is None


async def test_explaining_reserves_and_notes_nothing(database: Database) -> None:
    """It sees what is used up, and a key's own caps."""
    await make_key(database, dial_limits={"max_spend_per_day": 1.5})
    await ask(database, "call_first0000000", given=rules(prices=PRICES, max_call_duration_s=60.0))
    async with database.read() as connection:
        verdict = await DialGuard(rules(prices=PRICES)).explain(
            connection, Wanted(number(1)), NOW, key_id=KEY
        )
    assert names(verdict) == {"calls_to_number", "key_spend_per_day"}
    assert len(await audited(database)) == 1
    assert len(await reserved(database)) == 1
