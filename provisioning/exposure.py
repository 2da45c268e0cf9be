"""Whether a trunk takes calls from anybody. Pure.

``allowed_addresses`` as livekit-server reads it (livekit/protocol sip/sip.go): an empty list allows
everybody; digest counts only when both user and password are there.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provisioning.sections.trunks import Trunk

_WIDEST_PREFIX = {4: 7, 6: 15}
"""A range this wide names no carrier: it is the world in pieces."""


def addresses_allow_everybody(addresses: Sequence[str]) -> bool:
    """Whether a list of sources keeps nobody out."""
    return not addresses or any(_is_world(address) for address in addresses)


def is_open_to_the_world(trunk: Trunk) -> bool:
    """Whether calls in are refused to nobody: no source range, and no digest."""
    if not trunk.is_inbound:
        return False
    return not trunk.challenges_callers and addresses_allow_everybody(trunk.allowed_addresses or ())


def _is_world(address: str) -> bool:
    try:
        network = ipaddress.ip_network(address, strict=False)
    except ValueError:
        return False
    return network.prefixlen <= _WIDEST_PREFIX[network.version]
