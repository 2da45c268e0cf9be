"""The two ends of a call: a number as it was sent, in E.164, and masked.

Pure. A number is never guessed in silence: one that came without its plus is read as
international only where that makes a valid number, and ``inferred`` says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import phonenumbers

from telephony.numbers import mask, mask_all

_LONGEST = 128


@dataclass(frozen=True, slots=True)
class Party:
    """One end of a call.

    ``e164`` is None for what is no valid number: an extension, a name, "anonymous".
    """

    as_sent: str
    e164: str | None
    inferred: bool
    masked: str

    def to_json(self) -> dict[str, Any]:
        """The JSON shape in which calls carry it."""
        return {
            "e164": self.e164,
            "as_sent": self.as_sent,
            "inferred": self.inferred,
            "masked": self.masked,
        }


@lru_cache(maxsize=4096)
def party(as_sent: str) -> Party:
    """Read the user part of a SIP URI, or an operator's spelling of a number."""
    text = as_sent[:_LONGEST]
    inferred = not text.startswith("+")
    number = _e164(f"+{text}" if inferred else text, strictly=inferred)
    return Party(text, number, inferred and number is not None, mask(number) if number else mask_all(text))


def _e164(text: str, *, strictly: bool) -> str | None:
    if not text.isascii() or not text[1:].replace(" ", "").replace("-", "").isdecimal():
        return None
    try:
        parsed = phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        return None
    # Test numbers such as +1 555 0100 100 are possible without being assigned to anybody.
    plausible = phonenumbers.is_valid_number if strictly else phonenumbers.is_possible_number
    if not plausible(parsed):
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
