"""Whether LiveKit's media library has an interface to use."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import psutil

from telephony.errors import StartError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_LOOPBACK = ("127.", "::1")


def require_interface() -> None:
    """See that this machine has an interface besides loopback.

    LiveKit's SDK (libwebrtc) gathers no candidates on loopback, so without any other interface nobody
    could join a room, not even on this machine; the interface need not lead anywhere.

    Raises:
        StartError: there is none.
    """
    stats = psutil.net_if_stats()
    families = {socket.AF_INET, socket.AF_INET6}
    addresses = {
        name: [entry.address for entry in entries if entry.family in families]
        for name, entries in psutil.net_if_addrs().items()
        if name in stats and stats[name].isup
    }
    if not has_interface(addresses):
        raise StartError(
            "this machine has no network interface besides loopback, and LiveKit's media needs one.",
            fix="Connect any network, or make one that leads nowhere: "
            "ip link add line0 type veth peer name line1 && ip addr add 10.99.0.1/24 dev line0 && "
            "ip link set line0 up && ip link set line1 up",
        )


def has_interface(addresses: Mapping[str, Collection[str]]) -> bool:
    """Whether any interface that is up has an address other than loopback's."""
    return any(not address.startswith(_LOOPBACK) for found in addresses.values() for address in found)
