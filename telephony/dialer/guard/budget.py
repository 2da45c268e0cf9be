"""Checks of caps: calls, minutes and money of a day, calls at once; of the line, a key, a number. Pure."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

from telephony.calls.cost import billed_seconds, carrier_price
from telephony.dialer.guard.rules import DAY_S
from telephony.dialer.guard.verdict import Check

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from telephony.calls.cost import CarrierPrice
    from telephony.dialer.guard.rules import GuardRules, Limits
    from telephony.dialer.guard.usage import Tally

_DAY = timedelta(seconds=DAY_S)
_PRICES = "api.prices_file"


def price_of(number: str, rules: GuardRules) -> CarrierPrice | None:
    """What a minute to a number costs; None where the price table has none."""
    return carrier_price(rules.prices, "outbound", number) if number else None


def micros_a_minute(price: CarrierPrice) -> int:
    """A price in millionths of the currency, rounded up."""
    return math.ceil(price.per_minute * 1e6)


def most_micros(price: CarrierPrice | None, talk_s: float) -> int:
    """What a call of a length costs, at most."""
    if price is None:
        return 0
    return math.ceil(price.per_minute * 1e6 * billed_seconds(talk_s, price.increment_s) / 60)


def price_check(price: CarrierPrice | None, rules: GuardRules) -> Check:
    """Whether a minute costs no more than it may."""
    setting, most = "outbound.max_price_per_minute", rules.max_price_micros
    currency = rules.prices.currency
    if price is None:
        found = "The price table has no price for this number."
        if most is None:
            return Check("price", True, setting, f"{found} No highest price is set.")
        return Check("price", False, _PRICES, found, "Add one, with direction: outbound.")
    found = f"A minute costs {price.per_minute:g} {currency}."
    if most is None or micros_a_minute(price) <= most:
        return Check("price", True, setting, found)
    return Check(
        "price",
        False,
        setting,
        f"{found} At most {most / 1e6:g} {currency} may be paid.",
        "Raise it if wanted.",
    )


def number_check(tally: Tally, rules: GuardRules) -> Check:
    """Whether this number was not called too often already."""
    setting, most = "outbound.max_calls_per_number_per_day", rules.calls_per_number
    found = f"It was called {_times(tally.calls)} in the last 24 hours, {most} allowed."
    if tally.calls < most:
        return Check("calls_to_number", True, setting, found)
    return Check(
        "calls_to_number",
        False,
        setting,
        found,
        "Wait, or raise it.",
        transient=most > 0,
        retry_at=_day_old(tally) if most > 0 else None,
    )


def limit_checks(
    whose: str,
    section: str,
    limits: Limits,
    tally: Tally,
    price: CarrierPrice | None,
    *,
    talk_s: float,
    currency: str,
) -> Iterator[Check]:
    """Every cap of the line (``whose`` empty) or of the key.

    Args:
        whose: beginning of the checks' names.
        section: where the settings are.
        talk_s: how long the wanted call may last.
    """
    yield _concurrent(whose, section, limits.concurrent, tally)
    yield _calls(whose, section, limits.calls, tally)
    yield _minutes(whose, section, limits.minutes, tally, talk_s)
    yield _spend(whose, section, limits.spend_micros, tally, price, talk_s, currency)


def _concurrent(whose: str, section: str, most: int | None, tally: Tally) -> Check:
    name, setting = f"{whose}concurrency", f"{section}.max_concurrent_calls"
    if most is None:
        return Check(name, True, setting, "No cap of its own.")
    found = f"{tally.active} calls out are under way, {most} allowed."
    if tally.active < most:
        return Check(name, True, setting, found)
    return Check(name, False, setting, found, "Wait for one to end, or raise it.", transient=most > 0)


def _calls(whose: str, section: str, most: int | None, tally: Tally) -> Check:
    name, setting = f"{whose}calls_per_day", f"{section}.max_calls_per_day"
    if most is None:
        return Check(name, True, setting, "No cap of its own.")
    found = f"{tally.calls} calls in the last 24 hours, {most} allowed."
    return _of_a_day(name, setting, found, tally, passed=tally.calls < most, ever=most > 0)


def _minutes(whose: str, section: str, most: float | None, tally: Tally, talk_s: float) -> Check:
    name, setting = f"{whose}minutes_per_day", f"{section}.max_minutes_per_day"
    if most is None:
        return Check(name, True, setting, "No cap of its own.")
    found = (
        f"{tally.seconds / 60:g} minutes in the last 24 hours and {talk_s / 60:g} for this call at most, "
        f"{most:g} allowed."
    )
    passed = tally.seconds + talk_s <= most * 60
    return _of_a_day(name, setting, found, tally, passed=passed, ever=talk_s <= most * 60)


def _spend(
    whose: str,
    section: str,
    most: int | None,
    tally: Tally,
    price: CarrierPrice | None,
    talk_s: float,
    currency: str,
) -> Check:
    name, setting = f"{whose}spend_per_day", f"{section}.max_spend_per_day"
    if most is None:
        return Check(name, True, setting, "No cap of its own.")
    if price is None:
        # An unknown price is not zero.
        return Check(
            name,
            False,
            _PRICES,
            "What the call would cost is not known.",
            "Add a price, direction: outbound.",
        )
    wanted = most_micros(price, talk_s)
    found = (
        f"{tally.micros / 1e6:.2f} {currency} in the last 24 hours and {wanted / 1e6:.2f} for this call "
        f"at most, {most / 1e6:g} allowed."
    )
    return _of_a_day(name, setting, found, tally, passed=tally.micros + wanted <= most, ever=wanted <= most)


def _of_a_day(name: str, setting: str, found: str, tally: Tally, *, passed: bool, ever: bool) -> Check:
    if passed:
        return Check(name, True, setting, found)
    if not ever:
        return Check(name, False, setting, found, "Raise it, or ask for a shorter call.")
    return Check(name, False, setting, found, "Wait, or raise it.", transient=True, retry_at=_day_old(tally))


def _day_old(tally: Tally) -> datetime | None:
    return None if tally.oldest is None else tally.oldest + _DAY


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
