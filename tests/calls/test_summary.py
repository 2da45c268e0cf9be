from __future__ import annotations

import pytest

from telephony.calls.cost import CarrierPrice, ModelPrice, PriceTable
from telephony.calls.shapes import CallSummary
from telephony.calls.summary import amendments, summarise, timings
from tests.calls.calls import START, at, event, fold, good_call

pytestmark = pytest.mark.pure

PRICES = PriceTable(
    models=[ModelPrice(provider="openai", model="gpt-x", per_million_input_tokens=2)],
    carriers=[CarrierPrice(direction="inbound", per_minute=0.01)],
)


def test_a_finished_call_in_one_object() -> None:
    """The summary says who, when, how long, how it ended, how it sounded, and what is missing."""
    used = event(
        "job", 6, "usage.reported", 9, usage=[{"provider": "openai", "model": "gpt-x", "input_tokens": 500}]
    )
    summary = summarise(fold([*good_call(), used]), PRICES, first_seen=START, now=at(60))
    CallSummary.model_validate(summary)
    assert summary["outcome"] == "answered"
    assert summary["cause"] == "The visit is booked."
    assert summary["from"]["masked"] == "+15*******23"
    assert (summary["duration_s"], summary["talk_s"]) == (10.2, 9.7)
    assert summary["fields"]["day"] == {"value": "friday", "confidence": 0.9, "turn": 5}
    assert summary["missing_fields"] == ["name"]
    assert summary["quality"]["loss_percent"] == 4.0
    assert 1 < summary["quality"]["mos"] < 4
    assert [line["micros"] for line in summary["cost"]["lines"]] == [10_000, 1_000]
    assert summary["cost"]["total_micros"] == 11_000


def test_a_late_account_amends_only_what_it_changes() -> None:
    """The bridge's report after the end changes the quality and the end's instant, not the cost."""
    *before, bridge = good_call()
    first = summarise(fold(before), PRICES, first_seen=START, now=at(60))
    second = summarise(fold([*before, bridge]), PRICES, first_seen=START, now=at(60))
    assert set(amendments(first, second)) == {"quality", "ended_at", "duration_s", "talk_s"}
    assert amendments(second, second) == {}


def test_a_call_of_which_nothing_is_known_still_has_a_summary() -> None:
    """A call that nobody described ends as unknown, with the time it was first heard of."""
    summary = summarise(fold([]), PRICES, first_seen=START, now=at(5))
    assert (summary["outcome"], summary["duration_s"]) == ("unknown", 5.0)


def test_the_instants_of_a_call_by_name() -> None:
    """Each known instant is listed once, in UTC, the earliest first."""
    found = timings(fold(good_call()))
    assert list(found) == [
        "ringing_at",
        "answered_at",
        "first_agent_audio_at",
        "first_caller_speech_at",
    ]
    assert found["first_agent_audio_at"] == "2026-11-21T10:00:00.600000+00:00"
