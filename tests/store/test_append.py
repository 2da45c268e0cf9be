from __future__ import annotations

import asyncio
import itertools
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from telephony.calls.events import Event
from telephony.store import calls, endpoints
from telephony.store.append import append, settle_due
from telephony.store.database import Database
from telephony.store.erasure import erase
from telephony.store.instants import utc_now
from telephony.store.intake import Intake
from telephony.store.ledger import Policy
from telephony.store.stored import Incoming, StoredEvent
from telephony.store.tables import call, delivery, event, lane
from tests.calls.calls import CALL, START, at, good_call

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncConnection

pytestmark = pytest.mark.component


def accounts(events: Sequence[Event]) -> list[Incoming]:
    return [Incoming(each) for each in events]


async def store(database: Database, incoming: Sequence[Incoming], now: datetime = START) -> list[StoredEvent]:
    async with database.write() as connection:
        return (await append(database, connection, incoming, Policy(), now)).stored


async def told(database: Database, call_id: str = CALL) -> list[StoredEvent]:
    async with database.read() as connection:
        return await calls.events_after(connection, call_id)


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_the_order_a_call_is_numbered_without_gaps_and_ends_once(
    database: Database, seed: int
) -> None:
    """Events in random order and batches, some twice, end in one call.ended and one gapless sequence."""
    random = Random(seed)
    events = [*good_call(), *random.sample(good_call(), 5)]
    random.shuffle(events)
    while events:
        size = random.randint(1, 4)
        await store(database, accounts(events[:size]), at(11))
        events = events[size:]
    async with database.write() as connection:
        await settle_due(database, connection, Policy(), at(60))
    stored = await told(database)
    assert [each.seq for each in stored] == list(range(1, len(stored) + 1))
    assert [each.type for each in stored].count("call.ended") == 1
    assert sum(each.source != "record" for each in stored) == len(good_call())
    async with database.read() as connection:
        row = await calls.get(connection, CALL)
    assert row is not None
    assert (row["outcome"], row["ended_by"], row["state"]) == ("answered", "agent", "ended")
    assert row["last_seq"] == len(stored)
    assert row["record"]["ended"]["cause"] == "The visit is booked."


async def test_what_comes_after_the_end_is_kept_and_marked_late(database: Database) -> None:
    """A late account is numbered after the end, and what it changes is told as an amendment."""
    *before, bridge = good_call()
    await store(database, accounts(before), at(11))
    async with database.write() as connection:
        await settle_due(database, connection, Policy(), at(30))
    await store(database, accounts([bridge]), at(40))
    stored = await told(database)
    ended = [each.type for each in stored].index("call.ended")
    assert not any(each.late for each in stored[: ended + 1])
    assert [(each.type, each.late) for each in stored[ended + 1 :]] == [
        ("call.reported", True),
        ("call.amended", True),
    ]
    assert stored[-1].data["changes"]["quality"]["packets_lost"] == 20


async def test_a_call_waits_for_its_witnesses_only_as_long_as_it_must(database: Database) -> None:
    """Before the wait for the bridge is over nothing ends; after it the call ends with what is known."""
    await store(database, accounts(good_call()[:9]), at(10))
    for second, count in ((11, 0), (19, 0), (21, 1), (30, 0)):
        async with database.write() as connection:
            assert len(await settle_due(database, connection, Policy(), at(second))) == count


async def test_writers_of_one_call_at_once_leave_no_gap(database_url: str) -> None:
    """Forty writers over four connections number two hundred events of one call from 1 to 200."""
    databases = [Database(database_url) for _ in range(4)]
    turns = [
        Event(CALL, "job", seq, "turn.completed", at(seq), {"who": "agent", "text": str(seq)})
        for seq in range(1, 201)
    ]
    parts = [turns[start::40] for start in range(40)]
    pools = itertools.cycle(databases)
    await asyncio.gather(*(store(next(pools), accounts(part)) for part in parts))
    stored = await told(databases[0])
    assert [each.seq for each in stored] == list(range(1, 201))
    assert {each.source_seq for each in stored} == set(range(1, 201))
    for database in databases:
        await database.close()


async def test_new_calls_from_many_writers_are_made_once(database_url: str) -> None:
    """Writers that meet on calls nobody has yet neither fail nor lose an event."""
    databases = [Database(database_url) for _ in range(3)]
    names = [f"call_abcdef{n}" for n in range(6)]
    batches = [
        [Incoming(Event(name, "bridge", seq, "dtmf.received", START, {"digit": "1"})) for name in order]
        for seq, order in enumerate(itertools.islice(itertools.permutations(names), 0, 60, 4), start=1)
    ]
    pools = itertools.cycle(databases)
    await asyncio.gather(*(store(next(pools), batch) for batch in batches))
    for name in names:
        assert [each.seq for each in await told(databases[0], name)] == list(range(1, len(batches) + 1))
    for database in databases:
        await database.close()


async def test_an_event_and_its_deliveries_are_there_together_or_not_at_all(database: Database) -> None:
    """A transaction that fails at its end leaves neither event nor call nor delivery nor lane."""
    async with database.write() as connection:
        await _endpoint(connection)
    with pytest.raises(ZeroDivisionError):
        await _store_and_fail(database)
    assert await _count(database, event, call, delivery, lane) == [0, 0, 0, 0]
    await store(database, accounts(good_call()), at(11))
    events, made, queued, lanes = await _count(database, event, call, delivery, lane)
    assert (made, lanes) == (1, 1)
    assert events == queued == len(good_call()) + 1


async def _store_and_fail(database: Database) -> None:
    async with database.write() as connection:
        await append(database, connection, accounts(good_call()), Policy(), START)
        raise ZeroDivisionError


async def _endpoint(connection: AsyncConnection) -> None:
    await endpoints.create(
        connection, url="http://x/", types=["*"], description="", secret="whsec_x", now=START
    )


async def _count(database: Database, *tables: sa.Table) -> list[int]:
    async with database.read() as connection:
        return [
            (await connection.execute(sa.select(sa.func.count()).select_from(table))).scalar_one()
            for table in tables
        ]


async def test_an_endpoint_gets_only_what_its_filter_takes(database: Database) -> None:
    """Deliveries are queued for the types an enabled endpoint asked for, and for no other."""
    async with database.write() as connection:
        for types in (["call.*"], ["turn.completed", "dtmf.received"], ["*"]):
            await endpoints.create(
                connection, url="http://x/", types=types, description=str(types), secret="whsec_x", now=START
            )
        off = await endpoints.create(
            connection, url="http://x/", types=["*"], description="off", secret="whsec_x", now=START
        )
        await endpoints.disable(connection, off["endpoint_id"], "test", START)
    stored = await store(database, accounts(good_call()), at(11))
    async with database.read() as connection:
        rows = (await connection.execute(sa.select(delivery.c.endpoint_id, delivery.c.seq))).all()
        by_id = {row["endpoint_id"]: row["description"] for row in await endpoints.every(connection)}
    got: dict[str, list[int]] = {}
    for row in rows:
        got.setdefault(by_id[row.endpoint_id], []).append(row.seq)
    assert got["['*']"] == [each.seq for each in stored]
    assert got["['call.*']"] == [each.seq for each in stored if each.type.startswith("call.")]
    assert len(got["['turn.completed', 'dtmf.received']"]) == 3
    assert "off" not in got


async def test_an_erased_call_does_not_come_back(database: Database) -> None:
    """A late account of a call that was erased is dropped, and nothing of the call is left."""
    await store(database, accounts(good_call()))
    async with database.write() as connection:
        await _endpoint(connection)
        assert await erase(database, connection, CALL, "request", START)
        assert not await erase(database, connection, CALL, "request", START)
    async with database.write() as connection:
        appended = await append(database, connection, accounts(good_call()), Policy(), START)
    assert set(appended.outcomes) == {"erased"}
    assert appended.ended == {CALL}
    assert await _count(database, event, call, delivery) == [0, 0, 0]


async def test_nothing_of_an_erased_call_is_left_in_the_file(tmp_path: Path) -> None:
    """After erasure the words of the call are not in the SQLite file any more, nor in its log."""
    from telephony.store import schema

    database = Database(f"sqlite:///{tmp_path}/record.db")
    await schema.upgrade(database)
    secret = "my card is four one one one"
    said = Event(CALL, "job", 1, "turn.completed", START, {"who": "caller", "text": secret})
    await store(database, accounts([said]))
    async with database.write() as connection:
        await erase(database, connection, CALL, "request", START)
    await database.close()
    left = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert secret.encode() not in left


async def test_livekits_accounts_are_numbered_by_the_record_and_known_by_their_key(
    database: Database,
) -> None:
    """A source without numbers of its own gets them in order, and its key is what makes a repetition."""

    def hint(key: str) -> Incoming:
        return Incoming(Event(CALL, "livekit", 0, "participant.left", START, {"kind": "SIP"}), key)

    await store(database, [hint("EV_1"), hint("EV_2"), hint("EV_1")])
    await store(database, [hint("EV_2"), hint("EV_3")])
    assert [each.source_seq for each in await told(database)] == [1, 2, 3]


async def test_a_source_that_began_its_numbers_anew_loses_nothing(database: Database) -> None:
    """Two different accounts under one number are two events: a number alone never makes a duplicate."""
    first = Event(CALL, "job", 1, "agent.started", START, {})
    again = Event(CALL, "job", 1, "agent.started", START + timedelta(seconds=5), {})
    assert len(await store(database, accounts([first, again, first]))) == 2


async def test_the_intake_groups_senders_and_answers_each_for_its_own(database: Database) -> None:
    """Senders at once are answered each for its own accounts, and everything is published in order."""
    published: list[StoredEvent] = []
    async with Intake(database, Policy(), published.extend) as intake:
        events = good_call()
        answers = await asyncio.gather(
            *(intake.append(accounts([each])) for each in events),
            intake.append(accounts(events[:2])),
        )
    assert [answer.outcomes for answer in answers[:-1]] == [["stored"]] * len(events)
    assert answers[-1].outcomes == ["duplicate", "duplicate"]
    assert [each.seq for each in published] == list(range(1, len(events) + 2))
    assert utc_now() - published[0].received_at < timedelta(minutes=1)


async def test_one_poisoned_batch_fails_alone(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """An account that breaks the program takes no other sender's accounts with it."""
    from telephony.store import append as module

    take = module._take

    def poisoned(*given: object) -> object:
        if given[1].event.source_seq == 13:  # type: ignore[attr-defined]
            raise RuntimeError("poison")
        return take(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "_take", poisoned)
    async with Intake(database, Policy(), lambda _: None) as intake:
        bad = Event(CALL, "job", 13, "agent.started", START, {})
        good = [intake.append(accounts([each])) for each in good_call()]
        results = await asyncio.gather(*good, intake.append(accounts([bad])), return_exceptions=True)
    assert isinstance(results[-1], RuntimeError)
    assert not any(isinstance(result, Exception) for result in results[:-1])
    assert len(await told(database)) == len(good_call()) + 1
