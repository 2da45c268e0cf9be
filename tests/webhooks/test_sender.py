from __future__ import annotations

import asyncio
import random
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from telephony.store import endpoints
from telephony.store.instants import utc_now
from telephony.webhooks.schedule import Schedule
from telephony.webhooks.signing import new_secret
from tests.waiting import limit
from tests.webhooks.receiver import Receiver, signature_holds
from tests.webhooks.sending import (
    FAST,
    add_endpoint,
    endpoint_row,
    happen,
    sending,
    statuses,
    until_settled,
)

if TYPE_CHECKING:
    from telephony.store.database import Database
    from tests.webhooks.receiver import Behaviour

pytestmark = pytest.mark.component


def order(receiver: Receiver, call_id: str) -> list[int]:
    """The numbers of a call's events in the order they arrived, repetitions left out."""
    seen: list[int] = []
    for got in receiver.got:
        if got.payload["call_id"] == call_id and got.payload["seq"] not in seen:
            seen.append(got.payload["seq"])
    return seen


async def test_events_arrive_signed_and_in_order(database: Database, receiver: Receiver) -> None:
    """Every event of every call arrives once, each call's in its order, each signed for its endpoint."""
    secret = new_secret()
    hook = await add_endpoint(database, receiver.url, secret=secret)
    async with sending(database) as (_, wake):
        for start in range(1, 40, 3):
            for name in ("call_abcdef", "call_ghijkl", "call_mnopqr"):
                await happen(database, name, range(start, start + 3), wake)
        assert set(await until_settled(database, hook)) == {"delivered"}
    assert len(receiver.got) == 117
    for name in ("call_abcdef", "call_ghijkl", "call_mnopqr"):
        assert order(receiver, name) == list(range(1, 40))
    for got in receiver.got:
        assert signature_holds(secret, got.headers, got.body)
        assert got.headers["webhook-id"] == got.payload["id"]


async def test_a_retry_keeps_its_id_and_holds_its_call_back(database: Database, receiver: Receiver) -> None:
    """While the first event of a call fails the second is not sent, and each attempt has the same id."""
    answers = iter([500, 503, 200, 200])
    receiver.behave = lambda _count: next(answers)
    hook = await add_endpoint(database, receiver.url)
    async with sending(database) as (_, wake):
        await happen(database, "call_abcdef", [1, 2], wake)
        assert await until_settled(database, hook) == ["delivered", "delivered"]
    assert [got.payload["seq"] for got in receiver.got] == [1, 1, 1, 2]
    assert len({got.headers["webhook-id"] for got in receiver.got[:3]}) == 1


async def test_a_delivery_that_never_succeeds_is_dead_and_makes_way(
    database: Database, receiver: Receiver
) -> None:
    """After the last attempt of the schedule the next event of the call gets its turn."""
    receiver.behave = lambda count: 500 if count < 4 else 200
    hook = await add_endpoint(database, receiver.url)
    async with sending(database) as (_, wake):
        await happen(database, "call_abcdef", [1, 2], wake)
        assert await until_settled(database, hook) == ["dead", "delivered"]
    assert len(receiver.got) == 5


MISBEHAVIOUR: list[Behaviour] = [500, "close", "slow", "reset"]


@pytest.mark.parametrize("behaviour", MISBEHAVIOUR)
async def test_a_bad_endpoint_never_delays_a_good_one(
    database: Database, receiver: Receiver, behaviour: Behaviour
) -> None:
    """While one endpoint fails in any way for many calls, the other gets each event at once."""
    patient = replace(FAST, schedule=Schedule(delays_s=(0.2,) * 50))
    async with Receiver(behave=lambda _count: behaviour) as bad:
        await add_endpoint(database, bad.url)
        good = await add_endpoint(database, receiver.url)
        async with sending(database, patient, timeout_s=5) as (_, wake):
            for number in range(40):
                await happen(database, f"call_warmup{number}", [1], wake)
            await until_settled(database, good)
            for number in range(20):
                sent = time.monotonic()
                count = len(receiver.got)
                await happen(database, f"call_abcdef{number}", [1], wake)
                await receiver.wait_for(count + 1, 5)
                assert receiver.got[-1].at - sent < 1.5
            assert len(bad.got) > 0


async def test_a_receiver_that_is_gone_is_switched_off_with_an_alarm(
    database: Database, receiver: Receiver
) -> None:
    """410 disables the endpoint at once; the other endpoints hear of it as an event of the line."""
    async with Receiver(behave=lambda _count: 410) as gone:
        left = await add_endpoint(database, gone.url)
        await add_endpoint(database, receiver.url)
        async with sending(database) as (watched, wake):
            await happen(database, "call_abcdef", [1, 2], wake)
            await receiver.wait_for(3)
    row = await endpoint_row(database, left)
    assert not row["enabled"]
    assert "410" in row["disabled_reason"]
    assert await statuses(database, left) == ["dead", "dead"]
    [alarm] = [got.payload for got in receiver.got if got.payload["type"] == "endpoint.disabled"]
    assert (alarm["call_id"], alarm["seq"], alarm["data"]["endpoint_id"]) == (None, 1, left)
    assert [event.type for event in watched.events] == ["endpoint.disabled"]


async def test_an_endpoint_that_failed_for_days_is_switched_off(
    database: Database, receiver: Receiver
) -> None:
    """Only unbroken failure over the whole time disables; one success begins it anew."""
    receiver.behave = lambda count: 200 if count == 3 else 500
    options = replace(FAST, disable_after_s=2.0, schedule=Schedule(delays_s=(0.1,) * 100, jitter=0))
    hook = await add_endpoint(database, receiver.url)
    async with sending(database, options) as (_, wake):
        await happen(database, "call_abcdef", [1, 2], wake)
        await receiver.wait_for(4)
        row = await endpoint_row(database, hook)
        assert row["enabled"]
        async with limit(10):
            while (await endpoint_row(database, hook))["enabled"]:
                await asyncio.sleep(0.05)
    assert await statuses(database, hook) == ["delivered", "dead"]


async def test_an_endpoint_that_is_back_gets_everything_at_once(
    database: Database, receiver: Receiver
) -> None:
    """What would wait for hours is sent when the endpoint answers again."""
    receiver.behave = lambda count: 500 if count < 8 else 200
    options = replace(FAST, schedule=Schedule(delays_s=(7200,) * 5))
    hook = await add_endpoint(database, receiver.url)
    async with sending(database, options) as (_, wake):
        for number in range(8):
            await happen(database, f"call_abcdef{number}", [1], wake)
        await receiver.wait_for(8, 20)
        await happen(database, "call_fresher", [1], wake)
        assert set(await until_settled(database, hook)) == {"delivered"}
    assert (await endpoint_row(database, hook))["failing_since"] is None


async def test_a_rotated_secret_signs_beside_the_old_one(database: Database, receiver: Receiver) -> None:
    """During the overlap both secrets verify, after it only the new one."""
    old, new = new_secret(), new_secret()
    hook = await add_endpoint(database, receiver.url, secret=old)
    async with database.write() as connection:
        await endpoints.rotate(connection, hook, new, overlap_s=1.0, now=utc_now())
    async with sending(database) as (_, wake):
        await happen(database, "call_abcdef", [1], wake)
        await receiver.wait_for(1)
        await asyncio.sleep(1.1)
        await happen(database, "call_abcdef", [2], wake)
        await receiver.wait_for(2)
    held = [[signature_holds(secret, got.headers, got.body) for secret in (old, new)] for got in receiver.got]
    assert held == [[True, True], [False, True]]


async def test_two_senders_share_the_work_and_repeat_nothing(database: Database, receiver: Receiver) -> None:
    """Two replicas at once deliver everything once and in order."""
    hook = await add_endpoint(database, receiver.url)
    async with sending(database, owner="one"), sending(database, owner="two"):
        for number in range(30):
            await happen(database, f"call_abcdef{number}", [1, 2, 3])
        await until_settled(database, hook)
    assert len(receiver.got) == 90
    for number in range(30):
        assert order(receiver, f"call_abcdef{number}") == [1, 2, 3]


async def test_a_sender_that_stops_leaves_its_work_free_for_the_next(
    database: Database, receiver: Receiver
) -> None:
    """After a clean stop nothing is leased, nothing is lost, and the next sender goes on at once."""
    random.seed(7)
    hook = await add_endpoint(database, receiver.url)
    for number in range(20):
        await happen(database, f"call_abcdef{number}", [1, 2])
    async with sending(database, owner="one"):
        await receiver.wait_for(5)
    done = len(receiver.got)
    async with sending(database, owner="two"):
        assert set(await until_settled(database, hook)) == {"delivered"}
    assert len(receiver.got) == 40
    assert done >= 5


async def test_a_lane_is_never_begun_twice_by_one_sender(database: Database, receiver: Receiver) -> None:
    """When answers outlast a lease, the sender does not take its own lane for a dead sender's."""
    hook = await add_endpoint(database, receiver.url)
    receiver.delay_s = 0.8
    hasty = replace(FAST, lease_s=0.6)
    await happen(database, "call_abcdef", [1, 2])
    async with sending(database, hasty, timeout_s=10):
        assert set(await until_settled(database, hook, 30)) == {"delivered"}
    assert order(receiver, "call_abcdef") == [1, 2]
    assert len(receiver.got) == 2


async def test_retry_after_holds_for_the_whole_endpoint(database: Database, receiver: Receiver) -> None:
    """A receiver that asks for a pause gets nothing at all before it is over, of no call."""
    receiver.behave = lambda count: 429 if count == 0 else 200
    receiver.answer_headers["Retry-After"] = "1"
    hook = await add_endpoint(database, receiver.url)
    async with sending(database) as (_, wake):
        await happen(database, "call_abcdef", [1], wake)
        await receiver.wait_for(1)
        for number in range(5):
            await happen(database, f"call_others{number}", [1], wake)
        assert set(await until_settled(database, hook)) == {"delivered"}
    assert len(receiver.got) == 7
    assert min(got.at for got in receiver.got[1:]) - receiver.got[0].at >= 1.0


async def test_an_endpoint_that_is_switched_on_again_begins_anew(
    database: Database, receiver: Receiver
) -> None:
    """How long it failed before it was switched off is forgotten by a sender that saw it fail."""
    receiver.behave = lambda _count: 500
    options = replace(FAST, disable_after_s=1.0, schedule=Schedule(delays_s=(0.2,) * 100, jitter=0))
    hook = await add_endpoint(database, receiver.url)
    async with sending(database, options) as (_, wake):
        await happen(database, "call_abcdef", [1], wake)
        await receiver.wait_for(1)
        async with database.write() as connection:
            await endpoints.disable(connection, hook, "by hand", utc_now())
        await asyncio.sleep(1.1)
        async with database.write() as connection:
            await endpoints.change(connection, hook, utc_now(), enabled=True, failing_since=None)
        count = len(receiver.got)
        await happen(database, "call_ghijkl", [1], wake)
        await receiver.wait_for(count + 2)
        assert (await endpoint_row(database, hook))["enabled"]
