"""Where a line stands: which addresses it binds and announces. Pure."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from provisioning.sections.livekit import is_loopback
from telephony.errors import ConfigError

if TYPE_CHECKING:
    from provisioning.sections.bridge import BridgeSection

Kind = Literal["loopback", "private", "nat", "public"]
"""loopback: this machine only · private: a network without NAT between carrier and us · nat: behind a
router that owns the public address · public: the machine has the public address itself."""

KINDS: tuple[str, ...] = get_args(Kind)
_ANY = "0.0.0.0"  # noqa: S104 - compared and written, not bound


@dataclass(frozen=True, slots=True)
class Place:
    """Addresses of one kind of place.

    Attributes:
        kind: which kind.
        listen: what SIP is bound to.
        announced: what carriers are told, where it differs; None: the same.
        asks_stun: the announced address is asked of a public STUN server.
    """

    kind: Kind
    listen: str
    announced: str | None = None
    asks_stun: bool = False

    @property
    def host(self) -> str:
        """What carriers are told; empty when only a STUN server knows it."""
        return self.announced or ("" if self.asks_stun else self.listen)


def place_of(bridge: BridgeSection, kind: str | None = None, address: str | None = None) -> Place:
    """The place that the file describes, or another one for the same file.

    Args:
        bridge: the file's section.
        kind: one of ``KINDS``; None: as the file says.
        address: private and public: the machine's own address; nat: the router's public one.

    Raises:
        ConfigError: the kind wants an address and there is none, or it is not an address.
    """
    if address is not None:
        _check(address)
    if kind is None:
        return _described(bridge)
    if kind == "loopback":
        return Place("loopback", "127.0.0.1")
    if kind == "nat":
        public = address or bridge.nat_1_to_1_ip
        listen = _ANY if is_loopback(bridge.listen_ip) else bridge.listen_ip
        return Place("nat", listen, public, asks_stun=public is None)
    own = address or (None if is_loopback(bridge.listen_ip) or bridge.listen_ip == _ANY else bridge.listen_ip)
    if own is None:
        raise ConfigError(
            f"a {kind} place needs the machine's address.",
            field="--address",
            fix="Say --address 203.0.113.10.",
        )
    return Place("private" if kind == "private" else "public", own)


def _described(bridge: BridgeSection) -> Place:
    if is_loopback(bridge.listen_ip):
        return Place("loopback", bridge.listen_ip, bridge.nat_1_to_1_ip)
    if bridge.use_external_ip or bridge.nat_1_to_1_ip is not None:
        return Place("nat", bridge.listen_ip, bridge.nat_1_to_1_ip, asks_stun=bridge.use_external_ip)
    try:
        private = ipaddress.ip_address(bridge.listen_ip).is_private and bridge.listen_ip != _ANY
    except ValueError:
        private = False
    return Place("private" if private else "public", bridge.listen_ip)


def _check(address: str) -> None:
    try:
        ipaddress.IPv4Address(address)
    except ValueError as error:
        raise ConfigError(
            f"{address!r} is not an IPv4 address.",
            field="--address",
            fix="LiveKit's SIP side speaks IPv4 only.",
        ) from error
