from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from telephony.calls.events import Event
from telephony.store import deliveries, endpoints
from telephony.store.append import append
from telephony.store.database import Database
from telephony.store.ledger import Policy
from telephony.store.outbox import Lease, Step, Tried, claim, endpoints_due, record_steps
from telephony.store.stored import Incoming
from telephony.store.tables import delivery, lane
from tests.calls.calls import START, at

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

pytestmark = pytest.mark.component

LEASE_S = 30.0


async def endpoint(database: Database, *types: str) -> str:
    async with database.write() as connection:
        row = await endpoints.create(
            connection,
            url="http://x/",
            types=types or ["*"],
            description="",
            secret="whsec_x",
            now=START,
        )
    return str(row["endpoint_id"])


async def happen(database: Database, call_id: str, seqs: Sequence[int], now: datetime = START) -> None:
    said = [Incoming(Event(call_id, "job", seq, "dtmf.received", START, {"digit": "1"})) for seq in seqs]
    async with database.write() as connection:
        await append(database, connection, said, Policy(), now)


async def take(
    database: Database, endpoint_id: str, owner: str, now: datetime = START, limit: int = 100
) -> list[Lease]:
    async with database.write() as connection:
        return await claim(connection, endpoint_id, owner, limit=limit, now=now, lease_s=LEASE_S)


async def step(
    database: Database,
    owner: str,
    lease: Lease,
    place: int,
    *,
    status: str = "delivered",
    due_at: datetime | None = None,
    renew: bool = False,
    now: datetime = START,
) -> bool:
    """Write down one attempt; whether the lease still counted."""
    tried = Tried(lease.deliveries[place].delivery_id, status, now, 5, 200, None, None)
    async with database.write() as connection:
        done = Step(lease.endpoint_id, lease.call_id, tried, due_at, renew)
        return not await record_steps(connection, owner, [done], now=now, lease_s=LEASE_S)


async def statuses(database: Database, endpoint_id: str) -> list[tuple[int, str]]:
    query = (
        sa.select(delivery.c.seq, delivery.c.status)
        .where(delivery.c.endpoint_id == endpoint_id)
        .order_by(delivery.c.delivery_id)
    )
    async with database.read() as connection:
        return [(row.seq, row.status) for row in await connection.execute(query)]


async def lanes(database: Database) -> int:
    async with database.read() as connection:
        return (await connection.execute(sa.select(sa.func.count()).select_from(lane))).scalar_one()


async def test_two_senders_never_have_the_same_lane(database_url: str) -> None:
    """Four senders claim three hundred lanes at once: each lane is claimed by one, and none is left."""
    databases = [Database(database_url) for _ in range(4)]
    hook = await endpoint(databases[0])
    for number in range(300):
        await happen(databases[0], f"call_abcdef{number}", [1])

    async def greedy(database: Database, owner: str) -> list[str]:
        mine: list[str] = []
        while leases := await take(database, hook, owner, limit=7):
            mine += [lease.call_id for lease in leases]
        return mine

    claimed = await asyncio.gather(*(greedy(each, f"sender {n}") for n, each in enumerate(databases)))
    everything = [call_id for part in claimed for call_id in part]
    assert len(everything) == len(set(everything)) == 300
    for database in databases:
        await database.close()


async def test_a_calls_deliveries_come_in_order_and_to_one_sender_at_a_time(database: Database) -> None:
    """While a lane is leased nobody else gets any of it, and what happens meanwhile waits behind."""
    hook = await endpoint(database)
    await happen(database, "call_abcdef", [1, 2])
    [lease] = await take(database, hook, "a")
    await happen(database, "call_abcdef", [3])
    assert [due.event.seq for due in lease.deliveries] == [1, 2]
    assert await take(database, hook, "b") == []
    await step(database, "a", lease, 0)
    await step(database, "a", lease, 1, due_at=START)
    [rest] = await take(database, hook, "b")
    assert [due.event.seq for due in rest.deliveries] == [3]
    await step(database, "b", rest, 0, due_at=START)
    assert await lanes(database) == 0
    assert await statuses(database, hook) == [(1, "delivered"), (2, "delivered"), (3, "delivered")]


async def test_a_failed_delivery_holds_its_call_back_and_no_other(database: Database) -> None:
    """A lane that waits for a retry is not due before then, though new events came; other calls go on."""
    hook = await endpoint(database)
    await happen(database, "call_abcdef", [1, 2])
    [lease] = await take(database, hook, "a")
    await step(database, "a", lease, 0, status="pending", due_at=at(300))
    await happen(database, "call_abcdef", [3], at(10))
    await happen(database, "call_others", [1], at(10))
    [other] = await take(database, hook, "a", at(10))
    assert other.call_id == "call_others"
    await step(database, "a", other, 0, due_at=at(10))
    [again] = await take(database, hook, "a", at(300))
    assert [(due.event.seq, due.attempts) for due in again.deliveries] == [(1, 1), (2, 0), (3, 0)]


async def test_a_dead_senders_lane_is_free_after_its_lease_and_its_late_word_changes_nothing(
    database: Database,
) -> None:
    """Fencing: what a sender writes down after its lease went to another is thrown away."""
    hook = await endpoint(database)
    await happen(database, "call_abcdef", [1])
    [lost] = await take(database, hook, "slow")
    assert await take(database, hook, "other", at(LEASE_S - 1)) == []
    [found] = await take(database, hook, "other", at(LEASE_S + 1))
    assert found.deliveries[0].delivery_id == lost.deliveries[0].delivery_id
    assert not await step(database, "slow", lost, 0, due_at=START, now=at(LEASE_S + 2))
    assert await statuses(database, hook) == [(1, "pending")]
    assert await step(database, "other", found, 0, due_at=START, now=at(LEASE_S + 2))
    assert await statuses(database, hook) == [(1, "delivered")]


async def test_a_step_can_renew_the_lease(database: Database) -> None:
    """A sender that works through a long lane keeps it as long as it asks for that."""
    hook = await endpoint(database)
    await happen(database, "call_abcdef", [1, 2, 3])
    [lease] = await take(database, hook, "a")
    for place, second in ((0, 20), (1, 40)):
        assert await step(database, "a", lease, place, renew=True, now=at(second))
    assert await take(database, hook, "b", at(60)) == []
    assert len(await take(database, hook, "b", at(71))) == 1


async def test_an_event_that_arrives_while_its_lane_is_being_closed_is_not_forgotten(
    database_url: str,
) -> None:
    """However appending and closing interleave, every pending delivery has a lane that leads to it."""
    writer, sender = Database(database_url), Database(database_url)
    hook = await endpoint(writer)
    for seq in range(1, 60):
        await happen(writer, "call_abcdef", [2 * seq])
        [lease] = await take(sender, hook, "a")
        await asyncio.gather(
            step(sender, "a", lease, len(lease.deliveries) - 1, due_at=START),
            happen(writer, "call_abcdef", [2 * seq + 1]),
        )
        pending = [status for _, status in await statuses(writer, hook) if status == "pending"]
        assert len(pending) == await lanes(writer)
        while leases := await take(sender, hook, "a"):
            await step(sender, "a", leases[0], 0, due_at=START)
    for database in (writer, sender):
        await database.close()


async def test_only_enabled_endpoints_with_something_due_are_looked_at(database: Database) -> None:
    """The sender's first question names exactly the endpoints that have work now."""
    busy, off, idle = await endpoint(database), await endpoint(database), await endpoint(database, "turn.*")
    await happen(database, "call_abcdef", [1])
    async with database.write() as connection:
        assert await endpoints_due(connection, START) == {busy, off}
        assert await endpoints.disable(connection, off, "too many failures", START)
        assert not await endpoints.disable(connection, off, "again", START)
        assert await endpoints_due(connection, START) == {busy}
        assert await endpoints_due(connection, START - timedelta(seconds=1)) == set()
    assert await statuses(database, off) == [(1, "dead")]
    assert await statuses(database, idle) == []


async def test_dead_letters_and_past_events_can_be_sent_again(database: Database) -> None:
    """A replay takes one call's range, all since an instant, or the dead alone, and never more than asked."""
    hook = await endpoint(database)
    await happen(database, "call_abcdef", range(1, 6))
    await happen(database, "call_ghijkl", range(1, 4), at(100))
    async with database.write() as connection:
        await endpoints.disable(connection, hook, "gone", START)
        await endpoints.change(connection, hook, START, enabled=True)

    async def again(**wanted: object) -> list[int]:
        async with database.write() as connection:
            chosen = deliveries.Replay(hook, **wanted)  # type: ignore[arg-type]
            done = await deliveries.replay(database, connection, chosen, at(200))
            queued = await deliveries.page(connection, endpoint_id=hook, status="pending", limit=100)
            for each in await claim(connection, hook, "a", limit=9, now=at(200), lease_s=1):
                steps = [
                    Step(
                        each.endpoint_id,
                        each.call_id,
                        Tried(due.delivery_id, "delivered", START, 1, 200, None, None),
                        due_at,
                    )
                    for due, due_at in zip(
                        each.deliveries, [None] * (len(each.deliveries) - 1) + [START], strict=True
                    )
                ]
                for one in steps:
                    await record_steps(connection, "a", [one], now=at(200), lease_s=1)
        assert done.queued == len(queued)
        return sorted(row["seq"] for row in queued)

    assert await again(call_id="call_abcdef", from_seq=2, to_seq=3) == [2, 3]
    assert await again(only_dead=True) == [1, 1, 2, 3, 4, 5]
    assert await again(only_dead=True) == []
    assert await again(since=at(50)) == [1, 2, 3]
    assert await again(types=("turn.*",)) == []
    assert await again() == [1, 1, 2, 2, 3, 3, 4, 5]


async def test_what_one_replay_leaves_over_the_next_takes(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked again from where it stopped, a replay queues every event once, those of one instant included."""
    hook = await endpoint(database)
    for number in range(5):
        await happen(database, f"call_abcdef{number}", range(1, 5), at(number // 2))
    async with database.write() as connection:
        await endpoints.disable(connection, hook, "gone", START)
        await endpoints.change(connection, hook, START, enabled=True)
    monkeypatch.setattr(deliveries, "MOST_REPLAYED", 10)
    since: datetime | None = START
    queued = 0
    while since is not None:
        async with database.write() as connection:
            done = await deliveries.replay(
                database, connection, deliveries.Replay(hook, since=since), at(200)
            )
        queued, since = queued + done.queued, done.next_since
    async with database.read() as connection:
        waiting = await deliveries.page(connection, endpoint_id=hook, status="pending", limit=100)
    assert queued == len(waiting) == 20
    assert len({(row["call_id"], row["seq"]) for row in waiting}) == 20


async def test_the_backlog_says_how_much_waits_and_since_when(database: Database) -> None:
    """Per endpoint the number of pending deliveries and the oldest of them."""
    hook = await endpoint(database)
    await happen(database, "call_abcdef", [1, 2], at(7))
    async with database.read() as connection:
        assert await deliveries.backlog(connection) == {hook: (2, at(7))}


async def test_when_an_endpoint_is_back_nothing_of_it_waits_any_longer(database: Database) -> None:
    """Lanes that wait for a retry become due when their endpoint answers again."""
    hook = await endpoint(database)
    await happen(database, "call_abcdef", [1])
    [lease] = await take(database, hook, "a")
    await step(database, "a", lease, 0, status="pending", due_at=at(3600))
    async with database.write() as connection:
        await deliveries.hasten(connection, hook, at(10))
    assert len(await take(database, hook, "a", at(10))) == 1
