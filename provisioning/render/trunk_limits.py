"""How many calls each carrier line bears at once, as the bridge's file has it. Pure.

A trunk of the file may be two at LiveKit, one for each direction; the carrier counts both alike, and so does
the bridge, which knows a trunk's calls by its numbers.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from provisioning.spelling import without_separators

if TYPE_CHECKING:
    from provisioning.config import LineConfig


def trunk_limits(config: LineConfig) -> list[dict[str, Any]]:
    """The bridge's ``trunk_limits``: trunks that say ``max_calls`` and have numbers of their own.

    A number that is shown over several lines tells nothing of the line; it counts towards none of them.
    """
    shared = _shared(config)
    lines = [
        {
            "name": trunk.name,
            "numbers": [
                *(bare for number in trunk.numbers if (bare := without_separators(number)) not in shared),
                # Calls to and from a registered line carry the login.
                *([trunk.auth_username] if trunk.auth_username else []),
            ],
            "max_calls": trunk.max_calls,
        }
        for trunk in config.sip_trunks
        if trunk.max_calls is not None and trunk.numbers
    ]
    return [line for line in lines if line["numbers"]]


def _shared(config: LineConfig) -> set[str]:
    """Numbers that several trunks of one direction have."""
    trunks = config.sip_trunks
    ways = (
        [trunk for trunk in trunks if not trunk.outbound_only],
        [trunk for trunk in trunks if not trunk.inbound_only],
    )
    counted = [
        Counter(without_separators(number) for trunk in way for number in set(trunk.numbers)) for way in ways
    ]
    return {number for counts in counted for number, times in counts.items() if times > 1}
