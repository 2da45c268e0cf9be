from __future__ import annotations

import pytest

from telephony.calls.cost import CarrierPrice, ModelPrice, PriceTable, cost_of

pytestmark = pytest.mark.pure

TABLE = PriceTable(
    currency="EUR",
    models=[
        ModelPrice(provider="deepgram", per_minute=0.006),
        ModelPrice(provider="deepgram", model="flux", per_minute=0.0077),
        ModelPrice(provider="cartesia", per_million_characters=38),
        ModelPrice(
            provider="openai",
            per_million_input_tokens=0.5,
            per_million_cached_tokens=0.05,
            per_million_output_tokens=2,
        ),
    ],
    carriers=[
        CarrierPrice(direction="outbound", prefix="+7", per_minute=0.03),
        CarrierPrice(direction="outbound", prefix="+79", per_minute=0.05, increment_s=1),
    ],
)


def test_each_part_is_priced_by_its_closest_entry_and_the_lines_add_up() -> None:
    """The model's own price and the longest prefix win, and the total is the sum of the lines."""
    usage = [
        {"provider": "deepgram", "model": "flux", "kind": "stt", "audio_s": 60},
        {"provider": "cartesia", "model": "sonic", "kind": "tts", "characters": 1000},
        {
            "provider": "openai",
            "kind": "llm",
            "input_tokens": 1000,
            "cached_tokens": 400,
            "output_tokens": 50,
        },
        {"provider": "nobody", "audio_s": 60},
    ]
    cost = cost_of(TABLE, usage, direction="outbound", far_number="+79161234567", talk_s=61)
    assert cost is not None
    assert cost["currency"] == "EUR"
    assert [line["micros"] for line in cost["lines"]] == [50_833, 7_700, 38_000, 420]
    assert cost["total_micros"] == sum(line["micros"] for line in cost["lines"])


def test_a_minute_that_has_begun_is_billed() -> None:
    """A carrier that bills minutes charges two for 61 seconds."""
    cost = cost_of(TABLE, [], direction="outbound", far_number="+74951234567", talk_s=61)
    assert cost is not None
    assert cost["lines"][0]["billed_s"] == 120


def test_a_call_without_a_price_has_no_cost() -> None:
    """No price is not the same as free."""
    assert cost_of(TABLE, [], direction="inbound", far_number="+74951234567", talk_s=61) is None
    assert cost_of(TABLE, [], direction="outbound", far_number="+74951234567", talk_s=0) is None
