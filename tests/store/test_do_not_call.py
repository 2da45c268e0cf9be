from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from telephony.calls.events import Event
from telephony.store import audit, do_not_call
from telephony.store.append import append
from telephony.store.ledger import Policy
from telephony.store.stored import Incoming
from tests.calls.calls import START

if TYPE_CHECKING:
    from telephony.store.append import Appended
    from telephony.store.database import Database

pytestmark = pytest.mark.component

CALLER, OURS = "+15550100123", "+15550100100"


async def hand_in(database: Database, *events: Event) -> Appended:
    async with database.write() as connection:
        return await append(database, connection, [Incoming(each) for each in events], Policy(), START)


def rings(call_id: str, direction: str, **changes: Any) -> Event:
    data = {"direction": direction, "from": CALLER, "to": OURS} | changes
    return Event(call_id, "bridge", 1, "call.ringing", START, data)


def demands(call_id: str, *, seq: int = 1, source: Any = "job", **data: Any) -> Event:
    said = {"phrase": "don't call me again", "language": "en", **data}
    return Event(call_id, source, seq, "do_not_call.requested", START, said)


async def on_the_list(database: Database) -> list[str]:
    async with database.read() as connection:
        return [row["number"] for row in await do_not_call.page(connection, limit=100)]


@pytest.mark.parametrize(("direction", "number"), [("inbound", CALLER), ("outbound", OURS)])
async def test_who_asks_on_the_phone_is_on_the_list(database: Database, direction: str, number: str) -> None:
    """The far end of the call, either way; it is told and audited once, however often it is asked for."""
    call = "call_abcdef"
    done = await hand_in(database, rings(call, direction), demands(call))
    assert [event.type for event in done.stored][-1] == "do_not_call.added"
    again = await hand_in(database, demands(call), demands(call, seq=2))
    assert [event.type for event in again.stored] == ["do_not_call.requested"]
    assert await on_the_list(database) == [number]
    async with database.read() as connection:
        entry = await do_not_call.get(connection, number)
        written = await audit.page(connection, limit=10)
    assert entry is not None
    assert (entry["source"], entry["reason"], entry["call_id"]) == ("call", "don't call me again", call)
    assert [(row["action"], number in row["target"]) for row in written] == [("do_not_call.added", False)]


async def test_the_jobs_number_counts_where_the_record_has_none(database: Database) -> None:
    """The job may be heard before the bridge; a withheld number puts nobody on the list."""
    await hand_in(database, demands("call_abcdef", number=CALLER))
    assert await on_the_list(database) == [CALLER]
    hidden = rings("call_hidden", "inbound", **{"from": "anonymous"})
    await hand_in(database, hidden, demands("call_hidden", number="+15550100199"))
    assert await on_the_list(database) == [CALLER]


async def test_only_the_job_can_say_so(database: Database) -> None:
    """Whoever else hands such an event in is stored and not obeyed."""
    call = "call_abcdef"
    await hand_in(database, rings(call, "inbound"), demands(call, source="livekit"))
    assert await on_the_list(database) == []


async def test_the_list_keeps_each_number_once(database: Database) -> None:
    """Adding again changes nothing; removing makes it callable; a page goes on where the last one ended."""
    numbers = [f"+1555010{at:04d}" for at in range(7)]
    async with database.write() as connection:
        assert await do_not_call.add(database, connection, numbers[:5], source="import", now=START) == set(
            numbers[:5]
        )
        new = await do_not_call.add(database, connection, numbers, source="api", reason="x" * 500, now=START)
        assert new == set(numbers[5:])
        assert await do_not_call.remove(connection, numbers[0])
        assert not await do_not_call.remove(connection, numbers[0])
    async with database.read() as connection:
        assert await do_not_call.listed(connection, [*numbers, "+1"]) == set(numbers[1:])
        first = await do_not_call.page(connection, limit=3)
        rest = await do_not_call.page(connection, after=first[-1]["number"], limit=10)
    assert [row["number"] for row in (*first, *rest)] == numbers[1:]
    assert first[0]["source"] == "import"
