from __future__ import annotations

import asyncio
import itertools
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from telephony.dialer.batches.retries import Refusal
from telephony.store import batches, do_not_call
from tests.dialer.batches.network import START, Network, lead, make, numbers, rows_of, state_of

if TYPE_CHECKING:
    from telephony.store.database import Database

pytestmark = pytest.mark.component


async def test_every_number_is_called_once_and_the_batch_ends(database: Database) -> None:
    """Ten numbers, three at once: each rings once, the counts agree, and the end is told once."""
    network = Network(database)
    batch_id = await make(database, numbers(10), concurrency=3)
    await lead(network.conductor(), network, 8)
    assert sorted(number for _, number in network.rung) == numbers(10)
    assert network.most_at_once == 3
    done = await state_of(database, batch_id)
    assert (done["state"], done["done"], done["outcomes"]) == ("finished", 10, {"answered": 10})
    assert done["attempts"] == 10
    assert network.changes() == ["batch.finished"]
    assert all(
        row["call_id"] and row["reason"] == "It was answered." for row in await rows_of(database, batch_id)
    )


async def test_the_pace_holds(sqlite: Database) -> None:
    """At one in two seconds no two calls begin closer together."""
    network = Network(sqlite)
    await make(sqlite, numbers(5), pace_per_s=0.5, concurrency=10)
    await lead(network.conductor(), network, 12, step_s=0.5)
    begun = [at for at, _ in network.rung]
    assert len(begun) == 5
    assert all(later - earlier >= timedelta(seconds=2) for earlier, later in itertools.pairwise(begun))


async def test_busy_is_tried_again_as_the_batch_says_and_nothing_else(sqlite: Database) -> None:
    """Busy twice more after ten minutes; no answer, rejected and unknown never."""
    busy, silent, rejected, lost = numbers(4)
    answers = {busy: ["busy"], silent: ["no_answer"], rejected: ["rejected"], lost: ["unknown"]}
    network = Network(sqlite, answers=answers)
    batch_id = await make(sqlite, numbers(4), retry={"busy": {"after_s": 600, "times": 2}}, cap={"times": 9})
    await lead(network.conductor(), network, 2400, step_s=60)
    assert [network.calls_to(number) for number in numbers(4)] == [3, 1, 1, 1]
    begun = [at for at, number in network.rung if number == busy]
    assert all(later - earlier >= timedelta(seconds=600) for earlier, later in itertools.pairwise(begun))
    outcomes = {row["number"]: row["outcome"] for row in await rows_of(sqlite, batch_id)}
    assert outcomes == {busy: "busy", silent: "no_answer", rejected: "rejected", lost: "unknown"}


async def test_an_answer_ends_the_retries(sqlite: Database) -> None:
    """Busy, then answered: it is not called a third time."""
    number = numbers(1)[0]
    network = Network(sqlite, answers={number: ["busy", "answered"]})
    await make(sqlite, [number], retry={"busy": {"after_s": 60, "times": 5}})
    await lead(network.conductor(), network, 600, step_s=30)
    assert network.calls_to(number) == 2


async def test_a_number_is_capped_across_batches(database: Database) -> None:
    """What one batch has used up another does not ring, until the time is over."""
    number = numbers(1)[0]
    network = Network(database)
    cap = {"times": 2, "within_s": 86_400}
    for _ in range(3):
        last = await make(database, [number], cap=cap, now=network.now)
        await lead(network.conductor(), network, 3)
    assert network.calls_to(number) == 2
    row = (await rows_of(database, last))[0]
    assert (row["outcome"], row["rang"]) == ("blocked", 0)
    assert "2 times within 1 days" in row["reason"]
    network.now += timedelta(days=1)
    await make(database, [number], cap=cap, now=network.now)
    await lead(network.conductor(), network, 3)
    assert network.calls_to(number) == 3


async def test_a_number_on_the_list_is_not_called(database: Database) -> None:
    """Neither one that was there before nor one that is put there between two attempts."""
    before, between = numbers(2)
    network = Network(database, answers={between: ["busy"]})
    batch_id = await make(database, [before, between], retry={"busy": {"after_s": 60, "times": 3}})
    async with database.write() as connection:
        await do_not_call.add(database, connection, [before], source="api", now=START)
    conductor = network.conductor()
    await lead(conductor, network, 10)
    async with database.write() as connection:
        await do_not_call.add(database, connection, [between], source="call", now=START)
    await lead(conductor, network, 200, step_s=20)
    assert [network.calls_to(each) for each in (before, between)] == [0, 1]
    rows = await rows_of(database, batch_id)
    assert [row["outcome"] for row in rows] == ["blocked", "busy"]
    assert all("do-not-call" in row["reason"] for row in rows)


class Mornings:
    """Hours from nine to noon, UTC."""

    def next_allowed(self, number: str, at: datetime) -> datetime | None:
        if 9 <= at.hour < 12:
            return at
        today = at.replace(hour=9, minute=0, second=0, microsecond=0)
        return today if at < today else today + timedelta(days=1)


async def test_nobody_is_called_outside_their_hours(sqlite: Database) -> None:
    """A batch begun at eleven that cannot end by noon goes on the next morning."""
    network = Network(sqlite, hours=Mornings(), now=START.replace(hour=11))
    await make(sqlite, numbers(5), concurrency=1, now=network.now)
    await lead(network.conductor(), network, 26 * 3600, step_s=1200)
    assert len(network.rung) == 5
    assert {at.hour for at, _ in network.rung} <= {9, 10, 11}
    assert len({at.date() for at, _ in network.rung}) == 2


async def test_not_now_puts_a_call_off_and_no_ends_it(sqlite: Database) -> None:
    """The guard's refusals ring nobody, count for no cap, and keep their sentence."""
    later, never = numbers(2)
    wait = Refusal("The line is full.", START + timedelta(seconds=30))
    network = Network(sqlite, refusals={later: [wait, wait], never: [Refusal("A premium number.")]})
    batch_id = await make(sqlite, [later, never], cap={"times": 1})
    await lead(network.conductor(), network, 60, step_s=5)
    assert [network.calls_to(each) for each in (later, never)] == [1, 0]
    rows = await rows_of(sqlite, batch_id)
    assert [(row["outcome"], row["rang"]) for row in rows] == [("answered", 1), ("blocked", 0)]
    assert rows[1]["reason"] == "A premium number."
    async with sqlite.read() as connection:
        tried = await batches.attempts_of(connection, batch_id, 1)
    assert [(each["rang"], each["outcome"]) for each in tried][-1] == (True, "answered")


async def test_a_lost_answer_does_not_ring_twice(database: Database) -> None:
    """The call was made, its answer lost: it is asked for again under the same key, and found."""
    network = Network(database)
    batch_id = await make(database, numbers(3))
    network.lost = {f"batch:{batch_id}:{row}:1" for row in (1, 2, 3)}
    conductor = network.conductor()
    for _ in range(3):
        await conductor.round()
        await conductor.settled()
        network.now += timedelta(seconds=1)
    assert [row["state"] for row in await rows_of(database, batch_id)] == ["claimed"] * 3
    await lead(conductor, network, 60, step_s=10)
    assert len(network.rung) == 3
    assert (await state_of(database, batch_id))["outcomes"] == {"answered": 3}


async def test_whoever_comes_after_a_killed_conductor_goes_on(database: Database) -> None:
    """Killed between asking and noting: the next one waits for the lease, and rings nobody twice."""
    network = Network(database)
    batch_id = await make(database, numbers(6), concurrency=2)
    for _ in range(3):
        conductor = network.conductor()
        await conductor.round()
        # The tasks that ask for calls die with their process, at any point of their work.
        await asyncio.sleep(0)
        await conductor.close()
        network.now += timedelta(seconds=31)
    await lead(network.conductor(), network, 120, step_s=10)
    assert sorted(number for _, number in network.rung) == numbers(6)
    assert (await state_of(database, batch_id))["state"] == "finished"


async def test_two_conductors_share_a_batch(database: Database) -> None:
    """Two processes over one database ring nobody twice and keep to the concurrency together."""
    network = Network(database)
    await make(database, numbers(12), concurrency=4)
    pair = [network.conductor(), network.conductor()]
    for _ in range(8):
        await asyncio.gather(*(each.round() for each in pair))
        for each in pair:
            await each.settled()
        network.now += timedelta(seconds=1)
        await network.hang_up()
    assert sorted(number for _, number in network.rung) == numbers(12)
    assert network.most_at_once <= 4


async def test_a_claim_older_than_its_keys_memory_is_unknown(sqlite: Database) -> None:
    """After days nobody can say whether it rang, so it is shown as unknown and not rung."""
    network = Network(sqlite)
    batch_id = await make(sqlite, numbers(1))
    conductor = network.conductor()
    await conductor.round()
    await conductor.close()
    network.rung.clear()
    network.now += timedelta(days=3)
    await lead(network.conductor(), network, 5)
    assert not network.rung
    assert (await rows_of(sqlite, batch_id))[0]["outcome"] == "unknown"


async def test_a_failing_line_pauses_the_batch_and_one_call_tries_it(sqlite: Database) -> None:
    """Three failures pause it with a reason; after a minute one call is tried; when that works it goes on."""
    network = Network(sqlite, answers={number: ["failed"] for number in numbers(4)})
    limits = {"in_a_row": 3, "pause_s": 60}
    batch_id = await make(sqlite, numbers(10), concurrency=1, breaker=limits)
    conductor = network.conductor()
    await lead(conductor, network, 5)
    paused = await state_of(sqlite, batch_id)
    assert (paused["state"], paused["paused_by"], paused["done"]) == ("paused", "breaker", 3)
    assert "3 calls in a row failed by the line's own fault" in paused["reason"]
    await lead(conductor, network, 70, step_s=10)
    assert len(network.rung) == 4, "one trial after a minute, which fails"
    await lead(conductor, network, 220, step_s=10)
    done = await state_of(sqlite, batch_id)
    assert (done["state"], done["outcomes"]) == ("finished", {"failed": 4, "answered": 6})
    assert network.changes() == ["batch.paused", "batch.paused", "batch.resumed", "batch.finished"]


async def test_calls_go_on_while_a_batch_is_paused_and_are_heard_of(sqlite: Database) -> None:
    """Paused by a person: nothing begins, what is under way ends as it does, nothing is lost."""
    network = Network(sqlite)
    batch_id = await make(sqlite, numbers(4), concurrency=2)
    conductor = network.conductor()
    for _ in range(2):
        await conductor.round()
        await conductor.settled()
        network.now += timedelta(seconds=1)
    async with sqlite.write() as connection:
        await batches.change(connection, batch_id, network.now, state="paused", paused_by="operator")
    await lead(network.conductor(), network, 30)
    paused = await state_of(sqlite, batch_id)
    assert (paused["state"], paused["done"], paused["waiting"]) == ("paused", 2, 2)
    assert len(network.rung) == 2


async def test_a_deadline_ends_what_was_not_called(sqlite: Database) -> None:
    """After it nobody is called any more; who was called keeps the outcome."""
    deadline = (START + timedelta(seconds=5)).isoformat()
    network = Network(sqlite)
    batch_id = await make(sqlite, numbers(9), concurrency=1, pace_per_s=1, deadline=deadline)
    await lead(network.conductor(), network, 12)
    done = await state_of(sqlite, batch_id)
    assert done["state"] == "finished"
    assert done["outcomes"]["cancelled"] == 9 - len(network.rung)
    assert all(at < START + timedelta(seconds=5) for at, _ in network.rung)


async def test_one_number_is_not_called_by_two_batches_at_once(sqlite: Database) -> None:
    """The second waits until the first has hung up."""
    network = Network(sqlite)
    for _ in range(2):
        await make(sqlite, numbers(1))
    conductor = network.conductor()
    for _ in range(3):
        await conductor.round()
        await conductor.settled()
        network.now += timedelta(seconds=10)
    assert len(network.rung) == 1
    await network.hang_up()
    await lead(conductor, network, 60, step_s=10)
    assert len(network.rung) == 2


async def test_what_is_old_is_deleted_with_its_numbers(database: Database) -> None:
    """A batch that ended long ago is gone; its attempts stay as long as a cap may look back."""
    network = Network(database)
    batch_id = await make(database, numbers(1))
    await lead(network.conductor(), network, 2)
    for days, there, counted in ((5, True, 1), (20, False, 1), (120, False, 0)):
        now = START + timedelta(days=days)
        async with database.write() as connection:
            await batches.purge(connection, now, 10)
        async with database.read() as connection:
            assert (await batches.get(connection, batch_id) is not None) is there
            assert len(await batches.rows_after(connection, batch_id, 0, 10)) == there
            rung = await batches.rung(connection, numbers(1), START - timedelta(days=1))
            assert sum(rung.values()) == counted
