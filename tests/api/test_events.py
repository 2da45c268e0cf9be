from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from telephony.calls.events import Event
from tests.api.asking import from_sources
from tests.calls.calls import START, at
from tests.waiting import limit

if TYPE_CHECKING:
    from tests.api.asking import Asking

pytestmark = pytest.mark.component


async def test_a_batch_sent_twice_is_stored_once(api: Asking) -> None:
    """After an answer that got lost the sender repeats, and nothing doubles."""
    events = from_sources("call_abcdef")
    first, second = await api.hand_in(events), await api.hand_in(events)
    assert (first["stored"], first["duplicates"]) == (len(events), 0)
    assert (second["stored"], second["duplicates"]) == (0, len(events))
    assert second["ended_calls"] == ["call_abcdef"]


HOSTILE: list[dict[str, Any]] = [
    {},
    {"call_id": "../../etc/passwd"},
    {"call_id": "call_abcdef", "source": "record", "source_seq": 1, "type": "call.ended"},
    {"call_id": "call_abcdef", "source": "job", "source_seq": 0},
    {"call_id": "call_abcdef", "source": "job", "source_seq": 1, "type": "call.amended"},
    {"call_id": "call_abcdef", "source": "job", "source_seq": 1, "type": "what.ever"},
    {"call_id": "call_abcdef", "source": "job", "source_seq": 1, "type": "call.ended", "time": "today"},
    {
        "call_id": "call_abcdef",
        "source": "job",
        "source_seq": 1,
        "type": "call.ended",
        "time": "2026-11-21T10:00:00",
    },
    {"call_id": "call_abcdef", "source": "job", "source_seq": 1, "type": "call.ended", "extra": 1},
]


async def test_an_account_that_can_never_be_taken_does_not_hold_up_the_others(api: Asking) -> None:
    """Each bad account is named with its place and reason, and the good ones are stored."""
    good = from_sources("call_abcdef")[0].to_json()
    answer = await api.http.post("/v1/events", json={"events": [*HOSTILE, good]})
    taken = answer.json()
    assert taken["stored"] == 1
    assert [each["index"] for each in taken["rejected"]] == list(range(len(HOSTILE)))


async def test_whatever_is_in_the_data_is_stored_and_shown_as_text(api: Asking) -> None:
    """Markup, control characters, NUL, huge numbers and deep nesting come back harmless."""
    nasty: dict[str, Any] = {
        "who": "caller",
        "text": "<script>alert(1)</script>\x00\x1b[31m' OR 1=1 --",
        "deep": [[[[[[[[1]]]]]]]],
        "big": 10**400,
        "\x00key": "x",
        "surrogate": "\ud800",
    }
    event = Event("call_abcdef", "job", 1, "turn.completed", START, nasty)
    await api.hand_in([event])
    said = await api.get("/v1/calls/call_abcdef/transcript")
    assert said["turns"][0]["text"].startswith("<script>")
    assert "\x00" not in said["text"]
    answer = await api.http.get("/v1/calls/call_abcdef/events")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_many_sources_at_once_lose_nothing(api: Asking) -> None:
    """Forty senders of twenty calls at once: every call is whole, ended once, without gaps."""
    batches = []
    for number in range(20):
        events = from_sources(f"call_abcdef{number:02d}")
        batches += [events[::2], events[1::2]]
    await asyncio.gather(*(api.hand_in(batch) for batch in batches))
    await asyncio.sleep(0)
    for number in range(20):
        page = await api.get(f"/v1/calls/call_abcdef{number:02d}/events", limit=1000)
        assert [each["seq"] for each in page["events"]] == list(range(1, page["last_seq"] + 1))
        assert [each["type"] for each in page["events"]].count("call.ended") == 1


async def test_a_call_whose_job_says_nothing_ends_after_a_short_wait(api: Asking) -> None:
    """The bridge's report alone ends the call once the job was waited for."""
    events = [each for each in from_sources("call_abcdef") if each.source == "bridge"]
    await api.hand_in(events)
    assert (await api.get("/v1/calls/call_abcdef"))["state"] == "answered"
    async with limit(15):
        while (await api.get("/v1/calls/call_abcdef"))["state"] != "ended":
            await asyncio.sleep(0.2)
    late = Event("call_abcdef", "job", 1, "turn.completed", at(5), {"who": "agent", "text": "Bye."})
    await api.hand_in([late])
    page = await api.get("/v1/calls/call_abcdef/events")
    assert [each["late"] for each in page["events"] if each["type"] == "turn.completed"] == [True]


async def test_the_digits_of_a_secret_entry_are_nowhere(api: Asking) -> None:
    """A PIN that was typed is kept by no table and shown by no answer."""
    pin = [
        Event("call_abcdef", "bridge", seq, "dtmf.received", at(seq), {"digit": digit, "secret": True})
        for seq, digit in enumerate("7391", start=1)
    ]
    await api.hand_in(pin)
    page = await api.get("/v1/calls/call_abcdef/events")
    assert {each["data"]["digit"] for each in page["events"]} == {"•"}
