from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from telephony.calls.events import Event
from tests.api.asking import from_sources
from tests.calls.calls import START
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from tests.api.asking import Asking

pytestmark = pytest.mark.component


async def test_a_call_that_was_reported_can_be_read_whole(api: Asking) -> None:
    """Who, when, how it ended, what was collected and what is missing, its events and its transcript."""
    await api.hand_in(from_sources("call_abcdef"))
    call = await api.get("/v1/calls/call_abcdef")
    assert (call["outcome"], call["ended_by"], call["state"]) == ("answered", "agent", "ended")
    assert call["cause"] == "The visit is booked."
    assert call["from"]["masked"] == "+15*******23"
    assert call["fields"]["day"]["value"] == "friday"
    assert call["missing_fields"] == ["name"]
    assert call["quality"]["loss_percent"] == 4.0
    assert call["codec"] == "PCMU"
    events = await api.get("/v1/calls/call_abcdef/events")
    assert [each["seq"] for each in events["events"]] == list(range(1, call["last_seq"] + 1))
    assert events["last_seq"] == call["last_seq"]
    rest = await api.get("/v1/calls/call_abcdef/events", after=3, limit=2)
    assert [each["seq"] for each in rest["events"]] == [4, 5]
    said = await api.get("/v1/calls/call_abcdef/transcript")
    assert said["text"] == "agent: Hello.\ncaller: Friday."


async def test_calls_are_listed_newest_first_in_pages_that_neither_repeat_nor_skip(api: Asking) -> None:
    """Pages of a filter together are exactly the calls that match, though calls arrive meanwhile."""
    for number in range(12):
        await api.hand_in(from_sources(f"call_abcdef{number:02d}")[: 9 if number % 2 else 1])
    seen: list[str] = []
    cursor: dict[str, Any] = {}
    for round_ in range(10):
        page = await api.get("/v1/calls", limit=4, until="2100-01-01T00:00:00Z", **cursor)
        seen += [call["id"] for call in page["calls"]]
        await api.hand_in(from_sources(f"call_later{round_}")[:1])
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == [f"call_abcdef{number:02d}" for number in reversed(range(12))]


async def test_each_filter_takes_the_calls_it_names(api: Asking) -> None:
    """Outcome, numbers, assistant, time and openness choose as they say."""
    await api.hand_in(from_sources("call_ended1"))
    await api.hand_in(from_sources("call_opened")[:1])
    refused = Event(
        "call_refused", "bridge", 1, "call.refused", START, {"status": 404, "from": "+15550100999"}
    )
    await api.hand_in([refused])

    async def ids(**query: Any) -> list[str]:
        return [call["id"] for call in (await api.get("/v1/calls", **query))["calls"]]

    assert await ids(outcome="answered") == ["call_ended1"]
    assert await ids(outcome="refused_by_us", sip_status=404) == ["call_refused"]
    assert await ids(ended=False) == ["call_opened"]
    assert await ids(from_number="+15550100999") == ["call_refused"]
    assert await ids(assistant="reception", direction="inbound") == ["call_ended1"]
    assert await ids(min_duration_s=10) == ["call_ended1"]
    assert await ids(since="2100-01-01T00:00:00Z") == []
    assert await ids(state="ringing", trunk_id="ST_1") == ["call_opened"]
    assert await ids(to_number="\x00") == []


async def test_what_is_asked_wrongly_is_a_problem_with_a_field(api: Asking) -> None:
    """Unknown values, cursors and ids are refused with the place that is wrong."""
    for path, query in (
        ("/v1/calls", {"outcome": "splendid"}),
        ("/v1/calls", {"cursor": "nonsense!"}),
        ("/v1/calls", {"cursor": "MTIz"}),
        ("/v1/calls", {"limit": 100000}),
        ("/v1/calls/..%2Fetc", {}),
        ("/v1/calls/call_x%0A", {}),
    ):
        answer = await api.http.get(path, params=query)
        assert answer.status_code in (404, 422)
        assert answer.headers["content-type"] == "application/problem+json"
    problem = await api.get("/v1/calls/call_unknown1", 404)
    assert (problem["code"], problem["status"]) == ("not_found", 404)


async def test_a_deleted_call_is_gone_and_stays_gone(api: Asking) -> None:
    """Only an ended call is erased; then nothing answers for it, and late events do not bring it back."""
    await api.hand_in(from_sources("call_abcdef")[:1])
    assert (await api.send("DELETE", "/v1/calls/call_abcdef", 409))["code"] == "call_is_open"
    await api.hand_in(from_sources("call_abcdef"))
    await api.send("DELETE", "/v1/calls/call_abcdef", 204)
    for part in ("", "/events", "/transcript", "/recording"):
        await api.get(f"/v1/calls/call_abcdef{part}", 404)
    late = replace(from_sources("call_abcdef")[0], source_seq=99)
    taken = await api.hand_in([late])
    assert (taken["erased"], taken["stored"], taken["ended_calls"]) == (1, 0, ["call_abcdef"])
    [entry] = (await api.get("/v1/audit"))["entries"]
    assert (entry["action"], entry["target"]) == ("call.erased", "call_abcdef")


async def test_a_call_stream_gives_each_event_once_and_goes_on_where_it_broke(api: Asking) -> None:
    """From Last-Event-ID on, each event comes once and in order, and the stream ends after the call."""
    events = from_sources("call_abcdef")
    await api.hand_in(events[:4])

    async def read(headers: dict[str, str], until: int) -> list[int]:
        got: list[int] = []
        async with api.http.stream("GET", "/v1/calls/call_abcdef/stream", headers=headers) as stream:
            async for line in stream.aiter_lines():
                if line.startswith("id: "):
                    got.append(int(line[4:]))
                if len(got) == until:
                    break
        return got

    later = asyncio.create_task(api.hand_in(events[4:]))
    everything = await asyncio.wait_for(read({}, len(events) + 1), PATIENCE * 20)
    await later
    assert everything == list(range(1, len(events) + 2))
    assert await read({"Last-Event-ID": "5"}, 3) == [6, 7, 8]
    assert (await api.http.get("/v1/calls/call_nobody1/stream")).status_code == 404


async def test_fields_are_read_out_of_the_transcript_again(api: Asking) -> None:
    """Extraction runs on what is stored, and saves only where the call has no value yet."""
    said = [
        ("agent", "Which day suits you?"),
        ("caller", "Monday, please."),
        ("agent", "And your name?"),
        ("caller", "My name is Anna."),
    ]
    turns = [
        Event(
            "call_abcdef",
            "job",
            place,
            "turn.completed",
            START + timedelta(seconds=place),
            {"who": who, "text": text},
        )
        for place, (who, text) in enumerate(said, start=1)
    ]
    have = Event("call_abcdef", "job", 9, "fields.collected", START, {"fields": {"day": {"value": "friday"}}})
    await api.hand_in([*turns, have])
    fields = [
        {"name": "day", "type": "date", "prompt": "Which day suits you?", "required": True},
        {"name": "name", "prompt": "And your name?", "required": True},
        {"name": "phone", "type": "phone", "prompt": "What is your number?", "required": True},
    ]
    found = await api.send(
        "POST", "/v1/calls/call_abcdef/fields/extract", 200, {"fields": fields, "save": True}
    )
    assert {name: value["value"] for name, value in found["fields"].items()} == {
        "day": "monday",
        "name": "Anna",
    }
    assert found["missing_fields"] == ["phone"]
    call = await api.get("/v1/calls/call_abcdef")
    assert {name: value["value"] for name, value in call["fields"].items()} == {
        "day": "friday",
        "name": "Anna",
    }
    assert call["missing_fields"] == ["phone"]
