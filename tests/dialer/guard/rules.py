"""Rules for tests: calls out to Russia by one trunk, everything else as a file leaves it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from telephony.dialer.guard.of_config import known_risks
from telephony.dialer.guard.rules import GuardRules, Limits, TrunkRules

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
"""A Monday, 11:00 in Moscow."""

OWN = "+74951234567"
TRUNK = TrunkRules(
    "novofon", "sip_trunks[0]", (OWN, "+74951234568"), max_calls=None, max_calls_per_second=1000
)


def rules(**more: Any) -> GuardRules:
    """Rules that let a call to Moscow pass, but for what is given."""
    given: dict[str, Any] = {
        "enabled": True,
        "default_region": "RU",
        "allowed_regions": frozenset({"RU"}),
        "own_numbers": frozenset({"74951234567", "74951234568"}),
        "known_risks": known_risks(),
        "trunks": (TRUNK,),
        "worker_calls": 10,
        "line": Limits(10, 100, 300),
    }
    return GuardRules(**(given | more))
