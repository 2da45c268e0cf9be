"""What kind of number a number is, as far as it matters for what a call to it costs.

Mirrors libphonenumber's number types, and adds those that it has no type for: numbers that belong to no
country (ITU-T E.164.D: +870, +881 satellite, +882 and +883 networks), short and emergency numbers.
"""

from __future__ import annotations

from enum import StrEnum

import phonenumbers
from phonenumbers import PhoneNumberType


class Kind(StrEnum):
    """A kind of number; those that a file may allow are ``ALLOWABLE``."""

    FIXED_LINE = "fixed_line"
    MOBILE = "mobile"
    FIXED_LINE_OR_MOBILE = "fixed_line_or_mobile"
    """Cannot be told apart, as in North America: passes where both are allowed."""
    TOLL_FREE = "toll_free"
    SHARED_COST = "shared_cost"
    PREMIUM = "premium"
    VOIP = "voip"
    PERSONAL = "personal"
    PAGER = "pager"
    UNIVERSAL = "universal"
    """One number of a company in a whole country, often dearer than its region's."""
    VOICEMAIL = "voicemail"
    SATELLITE = "satellite"
    NETWORK = "network"
    """An international network, +882 or +883."""
    SHORT = "short"
    EMERGENCY = "emergency"
    UNKNOWN = "unknown"


ALLOWABLE: tuple[Kind, ...] = (
    *(Kind.FIXED_LINE, Kind.MOBILE, Kind.TOLL_FREE, Kind.SHARED_COST, Kind.PREMIUM, Kind.VOIP),
    *(Kind.PERSONAL, Kind.PAGER, Kind.UNIVERSAL, Kind.SATELLITE, Kind.NETWORK),
)
"""What ``outbound.allowed_kinds`` may name. Short numbers are allowed one by one, emergency numbers never."""

_TYPES = {
    PhoneNumberType.FIXED_LINE: Kind.FIXED_LINE,
    PhoneNumberType.MOBILE: Kind.MOBILE,
    PhoneNumberType.FIXED_LINE_OR_MOBILE: Kind.FIXED_LINE_OR_MOBILE,
    PhoneNumberType.TOLL_FREE: Kind.TOLL_FREE,
    PhoneNumberType.SHARED_COST: Kind.SHARED_COST,
    PhoneNumberType.PREMIUM_RATE: Kind.PREMIUM,
    PhoneNumberType.VOIP: Kind.VOIP,
    PhoneNumberType.PERSONAL_NUMBER: Kind.PERSONAL,
    PhoneNumberType.PAGER: Kind.PAGER,
    PhoneNumberType.UAN: Kind.UNIVERSAL,
    PhoneNumberType.VOICEMAIL: Kind.VOICEMAIL,
}
_WITHOUT_COUNTRY = {870: Kind.SATELLITE, 881: Kind.SATELLITE, 882: Kind.NETWORK, 883: Kind.NETWORK}

WORLD = "001"
"""libphonenumber's region of numbers that belong to no country."""


def kind_of(number: phonenumbers.PhoneNumber) -> Kind:
    """The kind of a valid number."""
    without_country = _WITHOUT_COUNTRY.get(number.country_code or 0)
    return without_country or _TYPES.get(phonenumbers.number_type(number), Kind.UNKNOWN)


def is_allowed(kind: Kind, allowed: frozenset[Kind]) -> bool:
    """Whether numbers of a kind may be dialled."""
    if kind is Kind.FIXED_LINE_OR_MOBILE:
        return {Kind.FIXED_LINE, Kind.MOBILE} <= allowed
    return kind in allowed and kind in ALLOWABLE
