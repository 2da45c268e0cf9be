"""How LiveKit spells telephone numbers. Pure.

A trunk's numbers are compared after NormalizeNumber (livekit/protocol livekit/sip.go); a rule's are compared
letter by letter with what the carrier sends, and yet two spellings of one number in rules count as a conflict
that makes the server refuse every call which looks at them.
"""

from __future__ import annotations

import re

_NUMBER = re.compile(r"^\+?[0-9\- ()]+$")
_SHORTEST_E164 = 8
_SEPARATORS = str.maketrans("", "", " -()")


def normalise_number(number: str) -> str:
    """LiveKit's NormalizeNumber: separators out, a plus in front; anything but a number stays as it is.

    Only a plus is added, nothing is understood: ``84951234567`` becomes a number in Vietnam.
    """
    if not _NUMBER.match(number):
        return number
    bare = number.translate(_SEPARATORS)
    return bare if bare.startswith("+") else f"+{bare}"


def without_separators(number: str) -> str:
    """A number without blanks, hyphens and brackets, its plus as it was; a login stays as it is."""
    return number.translate(_SEPARATORS) if _NUMBER.match(number) else number


def spelled(number: str, form: str | None) -> str:
    """A number as a carrier writes it: ``plus``, ``digits``, or None for as it is; a login stays as it is."""
    plain = without_separators(number)
    if form is None or not _NUMBER.match(number) or len(plain.removeprefix("+")) < _SHORTEST_E164:
        return plain
    return f"+{plain.removeprefix('+')}" if form == "plus" else plain.removeprefix("+")


def other_spelling(number: str) -> str:
    """The same number with or without its plus; a login stays as it is."""
    plain = without_separators(number)
    if not _NUMBER.match(number):
        return number
    return plain.removeprefix("+") if plain.startswith("+") else f"+{plain}"
