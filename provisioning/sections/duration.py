"""Times as operators write them: ``500ms``, ``30s``, ``1m30s``, ``24h``. Pure."""

from __future__ import annotations

import math
import re

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_WHOLE = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+")
_BARE = re.compile(r"\d+(?:\.\d+)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LONGEST_S = 366 * 86400.0


def parse_duration(value: object) -> float:
    """Read a time; a bare number is seconds.

    Returns:
        Seconds, from 0 to a year.

    Raises:
        ValueError: it is not a time.
    """
    seconds: float | None = None
    if isinstance(value, str):
        text = value.strip()
        if _WHOLE.fullmatch(text):
            seconds = sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
        elif _BARE.fullmatch(text):
            seconds = float(text)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    if seconds is None or not math.isfinite(seconds) or not 0 <= seconds <= _LONGEST_S:
        raise ValueError("must be a time such as 500ms, 30s, 1m30s or 24h, at most a year")
    return seconds


def format_duration(seconds: float) -> str:
    """Spell a time as ``parse_duration`` and Go read it: 90.0 becomes ``1m30s``, 4.5 ``4.5s``."""
    if seconds == 0:
        return "0s"
    if 1 <= seconds < 60:
        return f"{round(seconds, 3):g}s"
    milliseconds = round(seconds * 1000)
    parts = []
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        amount, milliseconds = divmod(milliseconds, size)
        if amount:
            parts.append(f"{amount}{unit}")
    return "".join(parts)
