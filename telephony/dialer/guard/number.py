"""What number somebody means by a text: in E.164, or refused, and never guessed in silence.

Guarantee: a text with a plus is read as it is and no other way; one without is read only as the national
spelling of the country that the operator named, and a note says what it became. What would be a number
only in some other country is refused: ``442079460000`` is not British until somebody writes the plus.
Follows libphonenumber (Python port 9) and, for what it accepts too gladly, refuses: letters, extensions,
digits other than 0 to 9, numbers that are too long.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import phonenumbers
from phonenumbers import shortnumberinfo

from telephony.dialer.guard.kinds import Kind, kind_of

_SEPARATORS = re.compile(r"[ \t\u00a0\u2007\u202f\u2010\u2011().\-/]")
_BARE = re.compile(r"\+?[0-9]+")
_EXTENSION = re.compile(r"(?i)\+?[0-9() .\-/]{5,}(,|;|#|x|ext|доб)")
_LONGEST = 64
_SHORT_DIGITS = 6
_EMERGENCY = frozenset({"112", "911", "999", "000"})


@dataclass(frozen=True, slots=True)
class Destination:
    """A text that was read as a number, or why it cannot be.

    Attributes:
        bare: the text without separators; what is dialled of a short number.
        e164: the number with its plus; empty where ``problem`` says why there is none.
        region: ISO 3166 country, ``001`` for numbers of no country, empty where there is no number.
        notes: what was read into the text, in sentences.
        problem: why it is no number that may be dialled, in a sentence; empty for a number.
        fix: what to write in its place.
    """

    bare: str
    e164: str = ""
    region: str = ""
    kind: Kind = Kind.UNKNOWN
    notes: tuple[str, ...] = ()
    problem: str = ""
    fix: str = ""


def read_number(text: str, default_region: str | None = None) -> Destination:
    """Read what somebody wrote as a number.

    Args:
        text: any spelling.
        default_region: the ISO 3166 country whose national spelling is understood; None: only a plus is.
    """
    bare = _SEPARATORS.sub("", text.strip())
    if len(text) > _LONGEST or not _BARE.fullmatch(bare):
        return _not_a_number(text)
    digits = bare.removeprefix("+")
    if len(digits) <= _SHORT_DIGITS:
        return _short(bare, digits, default_region)
    if bare.startswith("+"):
        return _with_plus(bare, default_region)
    return _without_plus(bare, default_region)


def bare_digits(text: str) -> str:
    """A number's digits alone, for comparing one spelling with another."""
    return _SEPARATORS.sub("", text.strip()).removeprefix("+")


def is_emergency(digits: str, region: str | None) -> bool:
    """Whether digits are an emergency number of a country, or one of those known everywhere."""
    return digits in _EMERGENCY or (
        region is not None and shortnumberinfo.is_emergency_number(digits, region)
    )


def is_emergency_anywhere(digits: str) -> bool:
    """Whether digits are an emergency number of any country; loads the tables of all, so not on a loop."""
    return digits in _EMERGENCY or any(
        shortnumberinfo.is_emergency_number(digits, region) for region in phonenumbers.SUPPORTED_SHORT_REGIONS
    )


def _not_a_number(text: str) -> Destination:
    if _EXTENSION.match(text.strip()):
        return Destination(
            "",
            problem="It has an extension or something else after the number.",
            fix="Give the number alone; an extension is pressed after the answer.",
        )
    return Destination(
        "", problem="It is not a telephone number.", fix="Write it in E.164, such as +74951234567."
    )


def _short(bare: str, digits: str, region: str | None) -> Destination:
    if is_emergency(digits, region):
        return Destination(
            bare, kind=Kind.EMERGENCY, problem="It is an emergency number, which is never dialled."
        )
    return Destination(
        bare,
        kind=Kind.SHORT,
        problem="It is a short number: what it reaches and costs is the carrier's choice.",
        fix="Name it in outbound.extra_numbers if it is to be dialled.",
    )


def _with_plus(bare: str, region: str | None) -> Destination:
    number = _valid(bare, None)
    national = _valid(bare[1:], region) if region else None
    if number is None:
        hint = f"Did you mean {_e164(national)}?" if national else "Look at its length and its first digits."
        return Destination(bare, problem="No country has such a number.", fix=hint)
    if _e164(number) != bare:
        # libphonenumber drops a national prefix after the country code: +7 8 495 … would become +7 495 …
        hint = f"Did you mean {_e164(number)}?"
        return Destination(bare, problem="No country has such a number as it is written.", fix=hint)
    notes = []
    if national is not None and _e164(national) != bare:
        notes.append(
            f"{bare} is a number of {_region(number)}; written without its plus it would be "
            f"{_e164(national)} of {_region(national)}."
        )
    return _found(bare, number, notes)


def _without_plus(bare: str, region: str | None) -> Destination:
    abroad = _valid(f"+{bare}", None)
    if region is None:
        hint = f"Write {_e164(abroad)} if that is meant." if abroad else "Write it with a plus."
        return Destination(
            bare,
            problem="It has no plus, and outbound.default_region names no country to read it in.",
            fix=hint,
        )
    number = _valid(bare, region)
    if number is None:
        elsewhere = f" With a plus it would be a number of {_region(abroad)}." if abroad else ""
        hint = f"Write {_e164(abroad)} if that is meant." if abroad else "Write it in E.164, with a plus."
        return Destination(bare, problem=f"It is no number of {region}.{elsewhere}", fix=hint)
    e164 = _e164(number)
    notes = [f"{bare} has no plus; read in {region} it is {e164} of {_region(number)}."]
    if abroad is not None and _e164(abroad) != e164:
        notes.append(f"With a plus, {bare} would be a number of {_region(abroad)}.")
    return _found(bare, number, notes)


def _found(bare: str, number: phonenumbers.PhoneNumber, notes: list[str]) -> Destination:
    return Destination(bare, _e164(number), _region(number), kind_of(number), tuple(notes))


def _valid(text: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    return number if phonenumbers.is_valid_number(number) else None


def _e164(number: phonenumbers.PhoneNumber) -> str:
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _region(number: phonenumbers.PhoneNumber) -> str:
    return phonenumbers.region_code_for_number(number) or ""
