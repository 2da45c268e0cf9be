"""In which time zones a number may lie, all of them: a mobile number says little of where it is."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import phonenumbers
from phonenumbers import timezone

if TYPE_CHECKING:
    from collections.abc import Mapping

_UNKNOWN = "Etc/Unknown"


def zones_of(e164: str, known: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The time zones that a number may lie in, sorted; empty where none is known.

    Args:
        e164: the number with its plus.
        known: zones that the operator knows better, by the beginning of the number; the longest one counts.
    """
    told = [prefix for prefix in known or {} if e164.startswith(prefix)]
    if told and known:
        return (known[max(told, key=len)],)
    return _zones(e164)


@lru_cache(maxsize=4096)
def _zones(e164: str) -> tuple[str, ...]:
    try:
        number = phonenumbers.parse(e164)
    except phonenumbers.NumberParseException:
        return ()
    names = timezone.time_zones_for_number(number)
    if not names or _UNKNOWN in names or not all(_exists(name) for name in names):
        return ()  # one zone that cannot be looked up may be the one that matters
    return tuple(sorted(names))


@lru_cache(maxsize=1024)
def _exists(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True
