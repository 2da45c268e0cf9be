"""How many calls may begin now, so that they follow one another evenly. Pure.

Guarantee: in any T seconds no more than ``pace * (T + CATCH_UP_S) + 1`` calls begin, whatever was held up
before: what was not used is not saved.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

CATCH_UP_S = 0.5
"""So much of a time that went by unused may be made up for: a round that comes late."""

_PACE = re.compile(r"^(\d+(?:\.\d+)?)(?:/(s|sec|m|min|h|hour))?$")
_SECONDS = {None: 1, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "hour": 3600}


@dataclass(frozen=True, slots=True)
class Granted:
    """``count`` calls may begin now; the one after them not before ``next_at``."""

    count: int
    next_at: datetime


def grant(next_at: datetime, now: datetime, per_s: float, wanted: int) -> Granted:
    """Take from the pace what may begin now.

    Args:
        next_at: what the grant before this one said.
        wanted: how many calls there are to begin.
    """
    if wanted <= 0 or now < next_at:
        return Granted(0, next_at)
    base = max(next_at, now - timedelta(seconds=CATCH_UP_S))
    count = min(wanted, math.floor((now - base).total_seconds() * per_s) + 1)
    return Granted(count, base + timedelta(seconds=count / per_s))


def parse_pace(text: str) -> float:
    """Read ``1/s``, ``30/min`` or ``100/h`` as calls in a second.

    Raises:
        ValueError: it is none of these, or nothing.
    """
    match = _PACE.match(text.strip())
    pace = float(match.group(1)) / _SECONDS[match.group(2)] if match else 0.0
    if not pace:
        raise ValueError(f"{text!r} is no pace such as 1/s, 30/min or 100/h")
    return pace
