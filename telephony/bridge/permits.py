"""Each dial once: a call whose request carries a permit is placed for it one time, by one bridge.

The dialler sends a permit once; this is for whoever is in between and sends it twice, and for requests that
come too late to be wanted. Guarantee: of all bridges on one Redis, restarted or not, one begins a call for
a permit, and none sends an INVITE for it after its time. Where Redis cannot say, the call is not begun.
Requests without a permit are LiveKit's own and pass.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from telephony.calls import dial_attributes
from telephony.errors import BusError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telephony.bridge.rpc_client import Bus

KEPT_S = 2 * 86_400
"""Seconds for which a permit that was used is remembered; its dial is long over by then."""

_LONGEST = 80


def key(permit: str) -> str:
    """Under which Redis remembers a permit."""
    return f"trunkline:permit:{permit[:_LONGEST]}"


def is_too_late(attributes: Mapping[str, str], now_s: float | None = None) -> bool:
    """Whether an INVITE for this dial must not leave any more; never where the dial has no such limit.

    Args:
        attributes: of the participant, as the request gave them.
        now_s: seconds since 1970. Default: now.
    """
    text = attributes.get(dial_attributes.DIAL_BY, "")
    if not text.isascii() or not text.isdecimal():
        return False
    return 1000 * (time.time() if now_s is None else now_s) > int(text[:18])


async def take(bus: Bus, attributes: Mapping[str, str]) -> None:
    """Use a dial's permit up.

    Raises:
        BusError: ``already_exists``: it was used; ``unavailable``: its time is over, or Redis is away.
    """
    permit = attributes.get(dial_attributes.PERMIT, "")
    if not permit:
        return
    if is_too_late(attributes):
        raise BusError("the call could not be begun: its time is over", code="unavailable")
    if not await bus.win(key(permit), KEPT_S):
        raise BusError("a call was begun for this permit already", code="already_exists")
