from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from telephony.api.reconciler import Finding, Room, compare
from telephony.store.calls import OpenCall
from tests.api.asking import asking, settings
from tests.api.process import eventually
from tests.api.rooms import LiveKitServer, livekit_with_webhooks, person
from tests.store.databases import migrate
from tests.waiting import limit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.api.asking import Asking

CALLER = {
    "sip.callID": "SCL_abcDEF123456",
    "sip.phoneNumber": "+15550100123",
    "sip.trunkPhoneNumber": "+15550100100",
    "sip.trunkID": "ST_1",
    "sip.ruleID": "SDR_1",
    "sip.callStatus": "ringing",
}
CALL = "call_abcDEF123456"


def room(name: str, *people: dict[str, Any]) -> Room:
    callers = {str(each["call_id"]): each for each in people if "call_id" in each}
    return Room(name, people, callers)


SIP = {"kind": "SIP", "status": "active", "call_id": CALL}
AGENT = {"kind": "AGENT"}


@pytest.mark.pure
@pytest.mark.parametrize(
    ("there", "had_agent", "over", "kinds"),
    [
        ([room("r", SIP, AGENT)], {"r"}, set(), set()),
        ([], set(), set(), {"gone"}),
        ([room("r")], {"r"}, set(), {"gone"}),
        ([room("r", AGENT)], {"r"}, set(), {"gone"}),
        ([room("r", AGENT)], {"r"}, {"r"}, {"gone", "abandoned"}),
        ([room("r", AGENT, {"kind": "STANDARD"})], {"r"}, {"r"}, {"gone"}),
        ([room("r"), room("s")], {"r"}, {"s"}, {"gone", "abandoned"}),
        ([room("r", SIP, AGENT)], {"r"}, {"r"}, {"abandoned"}),
        ([room("r", SIP, {"kind": "SIP"})], {"r"}, {"r"}, set()),
        ([room("r", SIP)], {"r"}, set(), {"agentless"}),
        ([room("r", SIP)], set(), set(), set()),
        ([room("r", {**SIP, "status": "ringing"})], {"r"}, set(), set()),
        ([room("r", SIP, {**SIP, "call_id": "call_second"})], {"r"}, set(), set()),
    ],
)
def test_what_is_wrong_is_found_and_nothing_else(
    there: list[Room], had_agent: set[str], over: set[str], kinds: set[str]
) -> None:
    """A call is gone, an answered caller alone, an agent left over: only when everything says so."""
    found = compare(
        [OpenCall(CALL, "r", "answered")], {each.name: each for each in there}, had_agent=had_agent, over=over
    )
    assert {finding.kind for finding in found} == kinds


@pytest.mark.pure
def test_callers_that_are_only_listed_are_left_longer_than_agents() -> None:
    """A caller of a call that ended may be leaving; after a death of livekit-server he is listed for ever."""
    rooms = {name: room(name, *people) for name, people in (("a", (AGENT,)), ("b", (AGENT, SIP)))}
    agents, ghosts = compare([], rooms, had_agent=set(), over={"a", "b"})
    assert agents.after_s < ghosts.after_s


@pytest.mark.pure
def test_a_call_that_a_dialler_has_is_not_taken_for_gone() -> None:
    """A phone that is not in its room yet is no call that is over: its dialler says what became of it."""
    held = OpenCall(CALL, "r", "dialling", held=True)
    assert compare([held], {}, had_agent=set(), over=set()) == []


@pytest.mark.pure
def test_a_call_without_a_room_is_waited_for_longer() -> None:
    """Of a call whose room nobody told it cannot be known at once that it is gone."""
    calls = [OpenCall("call_a12345", "r", "ringing"), OpenCall("call_b12345", None, "ringing")]
    known, unknown = compare(calls, {}, had_agent=set(), over=set())
    assert isinstance(known, Finding)
    assert known.after_s < unknown.after_s


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveKitServer]:
    """One livekit-server for this module's calls."""
    with livekit_with_webhooks(tmp_path_factory.mktemp("livekit")) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a record that has its tables."""
    migrate(f"sqlite:///{tmp_path}/record.db")
    return tmp_path


def _settings(server: LiveKitServer, folder: Path, **changes: Any) -> Any:
    return settings(
        f"sqlite:///{folder}/record.db", folder, livekit_url=server.url, reconcile_s=0.3, **changes
    )


async def _call(api: Asking) -> Any:
    answer = await api.http.get(f"/v1/calls/{CALL}")
    return answer.json() if answer.status_code == 200 else None


@pytest.mark.component
async def test_a_real_call_is_followed_from_its_webhooks_to_its_end(
    server: LiveKitServer, folder: Path
) -> None:
    """A caller joins, is connected and hangs up: livekit-server alone tells it, and the record is right."""
    async with asking(_settings(server, folder), port=server.hook_port) as api:
        async with person(server, "call_one", "agent-1", "agent"):
            async with person(server, "call_one", "sip_1", "sip", CALLER) as phone:
                ringing = await eventually(lambda: _call(api))
                assert (ringing["state"], ringing["from"]["e164"]) == ("ringing", "+15550100123")
                await phone.local_participant.set_attributes({**CALLER, "sip.callStatus": "active"})
                await eventually(lambda: _in_state(api, "answered"))
            ended = await eventually(lambda: _in_state(api, "ended"))
        assert (ended["outcome"], ended["ended_by"], ended["code"]) == (
            "answered",
            "caller",
            "caller_hung_up",
        )
        events = (await api.get(f"/v1/calls/{CALL}/events"))["events"]
        assert [each["type"] for each in events].count("call.ended") == 1
        assert [each["seq"] for each in events] == list(range(1, len(events) + 1))
        assert api.service.metrics.hooks.labels("participant_joined", "stored")._value.get() >= 1


async def _in_state(api: Asking, state: str) -> Any:
    call = await _call(api)
    return call if call is not None and call["state"] == state else None


@pytest.mark.component
async def test_a_call_that_ended_while_the_api_was_away_is_closed(
    server: LiveKitServer, folder: Path
) -> None:
    """Whatever webhooks were lost: the next api finds that the call is over, and ends it once."""
    caller = {**CALLER, "sip.callID": "SCL_missed123456", "sip.callStatus": "active"}
    given = _settings(server, folder)
    async with (
        person(server, "call_two", "sip_2", "sip", caller),
        asking(given, port=server.hook_port) as api,
    ):
        await eventually(lambda: _known(api, "call_missed123456"))
    async with asking(given, port=server.hook_port) as api:
        ended = await eventually(lambda: _ended(api, "call_missed123456"), 40)
        assert ended["outcome"] == "answered"
        assert ended["cause"].endswith(".")


async def _known(api: Asking, call_id: str) -> bool:
    return (await api.http.get(f"/v1/calls/{call_id}")).status_code == 200


async def _ended(api: Asking, call_id: str) -> Any:
    call = (await api.http.get(f"/v1/calls/{call_id}")).json()
    return call if call.get("state") == "ended" else None


@pytest.mark.component
async def test_a_caller_of_whom_no_webhook_told_is_found(server: LiveKitServer, folder: Path) -> None:
    """Without any webhook the reconciler sees the caller in the room, and makes the record."""
    caller = {**CALLER, "sip.callID": "SCL_ghost1234567", "sip.callStatus": "active"}
    async with (
        person(server, "call_three", "sip_3", "sip", caller),
        asking(_settings(server, folder)) as api,
    ):
        await eventually(lambda: _known(api, "call_ghost1234567"))
        call = (await api.http.get("/v1/calls/call_ghost1234567")).json()
        assert (call["state"], call["trunk_id"]) == ("answered", "ST_1")


@pytest.mark.component
async def test_an_agent_left_behind_is_sent_home(server: LiveKitServer, folder: Path) -> None:
    """When the call has ended and only the agent is left, its room is ended."""
    caller = {**CALLER, "sip.callID": "SCL_left12345678"}
    async with (
        asking(_settings(server, folder), port=server.hook_port) as api,
        person(server, "call_four", "agent-4", "agent") as agent,
    ):
        gone = asyncio.Event()
        agent.on("disconnected", lambda *_: gone.set())
        async with person(server, "call_four", "sip_4", "sip", caller):
            await eventually(lambda: _known(api, "call_left12345678"))
        await eventually(lambda: _ended(api, "call_left12345678"), 40)
        async with limit(20):
            await gone.wait()


@pytest.mark.component
async def test_a_caller_whose_agent_died_is_not_left_alone(server: LiveKitServer, folder: Path) -> None:
    """An answered caller without the agent that was there is hung up, and the record says why."""
    caller = {**CALLER, "sip.callID": "SCL_alone1234567", "sip.callStatus": "active"}
    async with asking(_settings(server, folder), port=server.hook_port) as api:
        async with person(server, "call_five", "sip_5", "sip", caller) as phone:
            gone = asyncio.Event()
            phone.on("disconnected", lambda *_: gone.set())
            async with person(server, "call_five", "agent-5", "agent"):
                await eventually(lambda: _known(api, "call_alone1234567"))
                await asyncio.sleep(1)
            async with limit(30):
                await gone.wait()
        ended = await eventually(lambda: _ended(api, "call_alone1234567"), 30)
        assert (ended["code"], ended["ended_by"]) == ("agent_lost", "line")


@pytest.mark.component
async def test_while_livekit_is_away_no_call_is_taken_for_gone(server: LiveKitServer, folder: Path) -> None:
    """An unreachable server proves nothing: open calls stay open, and readiness says what is wrong."""
    given = settings(f"sqlite:///{folder}/record.db", folder, livekit_url="ws://127.0.0.1:1", reconcile_s=0.2)
    async with asking(given) as api:
        event = {
            "call_id": CALL,
            "source": "bridge",
            "source_seq": 1,
            "type": "call.ringing",
            "time": "2026-11-21T10:00:00+00:00",
            "data": {"room": "r"},
        }
        await api.send("POST", "/v1/events", 200, {"events": [event]})
        await asyncio.sleep(2)
        assert (await _call(api))["state"] == "ringing"
        ready = (await api.http.get("/readyz")).json()
        assert ready["ready"]
        assert not ready["checks"]["livekit"]["ok"]
