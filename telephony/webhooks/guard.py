"""Never send to an address inside: checked for every resolved address, at the moment of connecting.

A check of the URL alone cannot hold: a name may resolve to another address a second later. So each
socket is made by this guard, which is given the very address that will be connected to.
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Sequence

    Network = ipaddress.IPv4Network | ipaddress.IPv6Network
    Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Global to ``ipaddress`` though a gateway turns them into an IPv4 address inside: NAT64 (RFC 6052, RFC 8215),
# 6to4 (RFC 3056), Teredo (RFC 4380) and IPv4-compatible addresses (RFC 4291 section 2.5.5.1).
_DISGUISES = tuple(
    ipaddress.IPv6Network(text)
    for text in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96")
)


class RefusedAddressError(OSError):
    """The receiver's address is one that webhooks are not sent to."""


@dataclass(frozen=True, slots=True)
class AddressGuard:
    """Lets sockets be made to public addresses, and to the private networks that the operator allows."""

    allowed: tuple[Network, ...] = ()

    def __call__(self, addr_info: tuple[Any, ...]) -> socket.socket:
        """Make the socket for one resolved address.

        Raises:
            RefusedAddressError: it is not allowed.
        """
        family, kind, protocol, _, address = addr_info
        if family not in (socket.AF_INET, socket.AF_INET6) or not self.allows(str(address[0])):
            raise RefusedAddressError(f"webhooks are not sent to the address {address[0]}")
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        return made

    def allows(self, text: str) -> bool:
        """Whether an address may be connected to."""
        try:
            address = plain_address(text)
        except ValueError:
            return False
        if any(address in network for network in self.allowed if network.version == address.version):
            return True
        if address.version == 6 and any(address in network for network in _DISGUISES):
            return False
        return address.is_global and not address.is_multicast

    def objection(self, url: str) -> str | None:
        """What is wrong with an endpoint's URL, as far as its text can tell; None when nothing is."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            return "It is not an URL."
        if parts.scheme not in ("http", "https") or not host:
            return "It must start with https:// and name a host."
        if parts.username or parts.password:
            return "It must not carry a name or password; the signature says who sends."
        if parts.fragment or port == 0 or any(ord(letter) <= 32 for letter in url):
            return "It must not have a fragment, a port 0 or blanks."
        literal = _literal(host)
        if literal is not None and not self.allows(literal):
            return f"Webhooks are not sent to {host}; list its network under webhooks.allowed_networks."
        if parts.scheme == "http" and not (literal is not None or host == "localhost" or self.allowed):
            return "It must start with https://; plain http is for webhooks.allowed_networks only."
        return None


def plain_address(text: str) -> Address:
    """An address without its zone; an IPv4 address written as IPv6 is the IPv4 address."""
    address = ipaddress.ip_address(text.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address


def networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """Read networks such as ``10.0.0.0/8``.

    Raises:
        ValueError: one is none.
    """
    return tuple(ipaddress.ip_network(text) for text in texts)


def _literal(host: str) -> str | None:
    """The address that a host names by itself, in any spelling that the resolver would take."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        # 127.1, 0x7f000001, 2130706433 and their kind.
        return socket.inet_ntoa(socket.inet_aton(host))
    except OSError:
        return None
