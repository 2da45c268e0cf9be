"""What a call cost, by a price table, in micro-units of one currency.

Pure. Integers throughout, so that the lines add up to the total. The cost is fixed when the call
closes: a later price does not rewrite it.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Price = Annotated[float, Field(ge=0)]


class ModelPrice(BaseModel):
    """What one provider's model costs, in units of the currency. An empty ``model`` is any model of it."""

    model_config = ConfigDict(extra="forbid")

    provider: str
    model: str = ""
    per_minute: Price = 0
    per_million_characters: Price = 0
    per_million_input_tokens: Price = 0
    per_million_cached_tokens: Price | None = None
    """Of input tokens read from a cache; the price of input tokens when it is not given."""
    per_million_output_tokens: Price = 0


class CarrierPrice(BaseModel):
    """What a carrier charges for a minute, rounded up to ``increment_s``, by the start of the number."""

    model_config = ConfigDict(extra="forbid")

    direction: Literal["inbound", "outbound"]
    prefix: str = ""
    """The start of the far number in E.164, such as ``+7``; empty is any."""
    per_minute: Price
    increment_s: Annotated[int, Field(ge=1)] = 60


class PriceTable(BaseModel):
    """What things cost."""

    model_config = ConfigDict(extra="forbid")

    currency: str = "USD"
    models: list[ModelPrice] = []
    carriers: list[CarrierPrice] = []


def cost_of(
    table: PriceTable,
    usage: list[dict[str, Any]],
    *,
    direction: Literal["inbound", "outbound"],
    far_number: str,
    talk_s: float,
) -> dict[str, Any] | None:
    """The cost of one call, or None where the table has a price for nothing that was used.

    Args:
        usage: as in ``telephony.calls.shapes.Usage``.
        direction: inbound or outbound.
        far_number: the other side's number, in E.164 where it is known.
        talk_s: seconds between answer and end.
    """
    lines = [line for entry in usage if (line := _model_line(table, entry)) is not None]
    carrier = _carrier_line(table, direction, far_number, talk_s)
    if carrier is not None:
        lines.insert(0, carrier)
    if not lines:
        return None
    total = sum(line["micros"] for line in lines)
    return {"currency": table.currency, "total_micros": total, "lines": lines}


def _model_line(table: PriceTable, entry: dict[str, Any]) -> dict[str, Any] | None:
    provider, model = entry.get("provider", ""), entry.get("model", "")
    fitting = [price for price in table.models if price.provider == provider and price.model in ("", model)]
    if not fitting:
        return None
    price = max(fitting, key=lambda candidate: len(candidate.model))
    cached = entry.get("cached_tokens", 0)
    cached_price = price.per_million_cached_tokens
    per_cached = price.per_million_input_tokens if cached_price is None else cached_price
    micros = (
        price.per_minute * 1e6 * entry.get("audio_s", 0) / 60
        + price.per_million_characters * entry.get("characters", 0)
        + price.per_million_input_tokens * max(0, entry.get("input_tokens", 0) - cached)
        + per_cached * cached
        + price.per_million_output_tokens * entry.get("output_tokens", 0)
    )
    kind = entry.get("kind", "other")
    return {"kind": kind, "provider": provider, "model": model, "micros": round(micros)}


def carrier_price(
    table: PriceTable, direction: Literal["inbound", "outbound"], far_number: str
) -> CarrierPrice | None:
    """What the carrier charges for calls with a number: the price with the longest fitting prefix."""
    fitting = [
        price
        for price in table.carriers
        if price.direction == direction and far_number.startswith(price.prefix)
    ]
    return max(fitting, key=lambda candidate: len(candidate.prefix), default=None)


def billed_seconds(talk_s: float, increment_s: int) -> int:
    """What is charged for: the time rounded up to the carrier's step."""
    return math.ceil(talk_s / increment_s) * increment_s


def _carrier_line(
    table: PriceTable, direction: Literal["inbound", "outbound"], far_number: str, talk_s: float
) -> dict[str, Any] | None:
    price = carrier_price(table, direction, far_number)
    if price is None or talk_s <= 0:
        return None
    billed_s = billed_seconds(talk_s, price.increment_s)
    micros = round(price.per_minute * 1e6 * billed_s / 60)
    return {"kind": "carrier", "provider": "carrier", "model": "", "billed_s": billed_s, "micros": micros}
