"""How many calls each carrier line bears at once, as the bridge's file has it. Pure.

A trunk of the file may be two at LiveKit, one for each direction; the carrier counts both alike, and so does
the bridge, which knows a trunk's calls by its numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from provisioning.spelling import without_separators

if TYPE_CHECKING:
    from provisioning.config import LineConfig


def trunk_limits(config: LineConfig) -> list[dict[str, Any]]:
    """The bridge's ``trunk_limits``: trunks that say ``max_calls`` and have numbers."""
    return [
        {
            "name": trunk.name,
            "numbers": [
                *(without_separators(number) for number in trunk.numbers),
                # Calls to and from a registered line carry the login.
                *([trunk.auth_username] if trunk.auth_username else []),
            ],
            "max_calls": trunk.max_calls,
        }
        for trunk in config.sip_trunks
        if trunk.max_calls is not None and trunk.numbers
    ]
