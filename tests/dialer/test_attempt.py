from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from telephony.calls.events import Event
from telephony.dialer import attempt, stage
from telephony.dialer.attempt import Surroundings
from telephony.dialer.dial import DialState
from telephony.dialer.dialler import Dialler
from telephony.dialer.options import DialerOptions
from telephony.dialer.request import DialRequest
from telephony.dialer.requests import cancel_call, request_call
from telephony.dialer.stage import Stage
from telephony.store import calls, dials
from telephony.store.append import append, settle_due
from telephony.store.instants import utc_now
from telephony.store.ledger import Policy
from telephony.store.stored import Incoming
from telephony.store.tables import dial
from tests.dialer.livekit_double import Killed, LiveKitDouble, refuses, rings_on
from tests.dialer.open_gate import LINE, ToldGate, service
from tests.waiting import limit, until

if TYPE_CHECKING:
    from typing import Any

    from sqlalchemy import RowMapping

    from telephony.store.database import Database

pytestmark = pytest.mark.component


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "AGENT_WAIT_S", 0.3)
    monkeypatch.setattr(attempt, "AGENT_WAIT_S", 0.3)
    monkeypatch.setattr(attempt, "_LOOK_S", 0.05)
    monkeypatch.setattr(attempt, "_AGAIN_S", 0.05)
    monkeypatch.setattr(attempt, "_AGENT_GONE_S", 0.2)


def _around(database: Database, livekit: LiveKitDouble, owner: str) -> Surroundings:
    options = DialerOptions(lines={LINE.name: LINE})
    place = Stage(livekit, options.line)
    return Surroundings(database, Policy(), lambda _: None, livekit, place, ToldGate(), options, owner)


async def _asked(database: Database, request: DialRequest | None = None) -> str:
    asking = service(database, ToldGate())
    asked = await request_call(asking, request or DialRequest("+15550100123"), "key", None)
    return asked.call_id or ""


async def _claimed(database: Database, owner: str) -> dials.Dial:
    async with database.write() as connection:
        [found] = await dials.claim(
            database, connection, owner=owner, now=utc_now(), lease_s=20, most=1, lines={}
        )
    return found


async def _carry(database: Database, livekit: LiveKitDouble, owner: str = "one") -> None:
    found = await _claimed(database, owner)
    async with limit(10):
        await attempt.Attempt(_around(database, livekit, owner), found).run()


async def _row(database: Database, call_id: str) -> RowMapping:
    async with database.read() as connection:
        query = sa.select(dial).where(dial.c.call_id == call_id)
        return (await connection.execute(query)).mappings().one()


async def _ended(database: Database, call_id: str) -> dict[str, Any]:
    """What the record says of a call once it is over, and nobody else has anything to say."""
    async with database.write() as connection:
        await settle_due(database, connection, Policy(), utc_now() + timedelta(minutes=1))
    async with database.read() as connection:
        row = await calls.get(connection, call_id)
    assert row is not None
    ended: dict[str, Any] = row["record"]["ended"] or {}
    return ended


async def _time_passes(database: Database) -> None:
    """The lease of who died is over, and so is the time in which an INVITE may leave."""
    async with database.write() as connection:
        await dials.release(connection)
        await connection.execute(
            sa.update(dial)
            .where(dial.c.consumed_at.is_not(None))
            .values(consumed_at=utc_now() - timedelta(minutes=1))
        )


async def _told_by_the_bridge(database: Database, call_id: str, *told: tuple[Any, dict[str, Any]]) -> None:
    incoming = [
        Incoming(Event(call_id, "bridge", number, event_type, utc_now(), data))
        for number, (event_type, data) in enumerate(told, 1)
    ]
    async with database.write() as connection:
        await append(database, connection, incoming, Policy(), utc_now())


@pytest.mark.parametrize(
    ("dies", "rings", "outcome"),
    [
        ("before the room", 1, "answered"),
        ("after the room", 1, "answered"),
        ("with the agent", 1, "answered"),
        ("before the request", 0, "unknown"),
        ("while it rings", 1, "answered"),
        ("after the answer", 1, "answered"),
    ],
)
async def test_a_killed_dialler_never_rings_a_phone_twice(
    database: Database, dies: str, rings: int, outcome: str
) -> None:
    """Killed at any point: what had not left is dialled by the next one, what had is only looked for."""
    livekit = LiveKitDouble()
    livekit.dies = {dies}
    call_id = await _asked(database)
    with pytest.raises(Killed):
        await _carry(database, livekit)
    await _time_passes(database)
    for person in [one for people in livekit.rooms.values() for one in people]:
        # The bridge goes on without the api: the phone is answered meanwhile.
        if person.attributes:
            person.attributes["sip.callStatus"] = "active"
    await _carry(database, livekit, "two")
    assert len(livekit.rings) == rings
    row = await _row(database, call_id)
    assert (row["state"], row["outcome"]) == (DialState.OVER, outcome)


async def test_what_the_bridge_told_settles_what_was_left(database: Database) -> None:
    """Found in the middle of a dial, the bridge's own account is the outcome."""
    livekit = LiveKitDouble()
    livekit.dies = {"while it rings"}
    call_id = await _asked(database)
    with pytest.raises(Killed):
        await _carry(database, livekit)
    await _time_passes(database)
    await _told_by_the_bridge(
        database,
        call_id,
        ("call.dialling", {}),
        ("call.ringing", {}),
        ("call.ended", {"sip_status": 486, "ended_by": "callee", "code": "busy"}),
    )
    await _carry(database, livekit, "two")
    assert len(livekit.rings) == 1
    assert (await _row(database, call_id))["outcome"] == "busy"
    assert (await _ended(database, call_id))["sip_status"] == 486


@pytest.mark.parametrize(
    ("refusal", "outcome"),
    [
        (refuses("resource_exhausted", "busy", sip_status_code=486), "busy"),
        (refuses("canceled", "sip request timed out"), "no_answer"),
        (refuses("unavailable", "x: no response from servers"), "failed"),
    ],
)
async def test_what_livekit_answers_is_the_outcome(database: Database, refusal: Any, outcome: str) -> None:
    """A refusal ends the call with its outcome, and the agent is sent home."""
    livekit = LiveKitDouble()
    livekit.far_end = refusal
    call_id = await _asked(database)
    await _carry(database, livekit)
    assert (await _ended(database, call_id))["outcome"] == outcome
    assert not livekit.rooms


async def test_a_request_that_breaks_is_not_made_again(database: Database) -> None:
    """Where livekit-server's answer is lost, the call goes on being looked for, and is dialled once."""
    livekit = LiveKitDouble()
    livekit.far_end = refuses("no_answer", "the connection broke")
    call_id = await _asked(database)
    carrying = asyncio.create_task(_carry(database, livekit))
    await until(lambda: livekit.rings)
    await asyncio.sleep(0.2)
    assert not carrying.done()
    await _told_by_the_bridge(database, call_id, ("call.answered", {"codec": "PCMU"}))
    await carrying
    assert len(livekit.rings) == 1
    assert (await _row(database, call_id))["outcome"] == "answered"


async def test_without_its_agent_no_phone_rings(database: Database) -> None:
    """An agent that does not come in time ends the call with that reason; nobody was rung."""
    livekit = LiveKitDouble()
    livekit.agents = False
    call_id = await _asked(database)
    await _carry(database, livekit)
    ended = await _ended(database, call_id)
    assert (ended["outcome"], ended["code"]) == ("failed", "no_agent")
    assert "not dialled" in ended["cause"]
    assert not livekit.rings


async def test_an_agent_whose_worker_died_is_sent_for_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """livekit-server would not do that by itself; the phone rings, once."""
    monkeypatch.setattr(stage, "ASK_AGAIN_S", 0.1)
    monkeypatch.setattr(attempt, "AGENT_WAIT_S", 2.0)
    livekit = LiveKitDouble()
    livekit.agents, livekit.comes_when_asked_again = False, True
    call_id = await _asked(database)
    await _carry(database, livekit)
    assert (await _row(database, call_id))["outcome"] == "answered"
    assert (livekit.asked_again, len(livekit.rings)) == (1, 1)


async def test_a_server_that_is_away_puts_a_call_off_until_its_deadline(database: Database) -> None:
    """Nothing has left, so the call is tried again; when its time is over it ends, and nobody was rung."""
    livekit = LiveKitDouble()
    livekit.away = {"after the room"}
    call_id = await _asked(database)
    await _carry(database, livekit)
    row = await _row(database, call_id)
    assert (row["state"], row["lease_owner"]) == (DialState.PERMITTED, None)
    async with database.write() as connection:
        past = {"deadline": utc_now(), "due_at": utc_now()}
        await connection.execute(sa.update(dial).values(**past))
    await _carry(database, livekit)
    ended = await _ended(database, call_id)
    assert (ended["outcome"], ended["code"]) == ("failed", "too_late")
    assert not livekit.rings


async def test_a_ringing_phone_stops_when_the_call_is_called_off(database: Database) -> None:
    """Called off while it rings, the room goes, and with it the phone; the call was cancelled."""
    livekit = LiveKitDouble()
    livekit.far_end = rings_on
    call_id = await _asked(database)
    carrying = asyncio.create_task(_carry(database, livekit))
    await until(lambda: livekit.rings)
    was = await cancel_call(service(database, ToldGate()), call_id)
    assert was is not None
    assert was.state is DialState.DIALLING
    await until(lambda: not livekit.rooms)
    await _told_by_the_bridge(database, call_id, ("call.ended", {"sip_status": 487}))
    await carrying
    ended = await _ended(database, call_id)
    assert (ended["outcome"], ended["ended_by"]) == ("cancelled", "operator")


async def test_a_phone_does_not_ring_on_for_an_agent_that_is_gone(database: Database) -> None:
    """The agent lost while the phone rings: the ringing stops, and the record says why."""
    livekit = LiveKitDouble()
    livekit.far_end = rings_on
    call_id = await _asked(database)
    carrying = asyncio.create_task(_carry(database, livekit))
    await until(lambda: livekit.rings)
    del livekit.rooms[call_id][0]
    await until(lambda: not livekit.rooms)
    await _told_by_the_bridge(database, call_id, ("call.ended", {"sip_status": 487}))
    await carrying
    ended = await _ended(database, call_id)
    assert (ended["outcome"], ended["code"]) == ("failed", "agent_lost")


async def test_two_diallers_carry_twenty_calls_once_each(database: Database) -> None:
    """Two processes on one database, twenty calls: every phone rings once, every call is over."""
    livekit = LiveKitDouble()
    asked = [await _asked(database, replace(DialRequest("+15550100123"))) for _ in range(20)]
    diallers = [Dialler(_around(database, livekit, owner), asyncio.Event()) for owner in ("one", "two")]
    stopping = asyncio.Event()
    running = [asyncio.create_task(each.run(stopping)) for each in diallers]

    async def over() -> bool:
        async with database.read() as connection:
            query = sa.select(sa.func.count()).where(dial.c.outcome == "answered")
            return bool((await connection.execute(query)).scalar_one() == len(asked))

    await until(over, 30)
    stopping.set()
    await asyncio.gather(*running)
    assert len(livekit.rings) == len(set(livekit.rings)) == len(asked)
