"""The host's firewall as an nftables file: carriers reach SIP and RTP, nobody else reaches anything of ours.

Pure. The images that cannot bind to loopback (livekit-sip's health and metrics) are closed here. Only
ports of ours are touched; what else the host lets in is left to its own rules.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from provisioning.carriers.fill import filled
from provisioning.carriers.pack import load_pack
from provisioning.render.servers import EGRESS_HEALTH_PORT, RTC_TCP_PORT, RTC_UDP_PORT, SIP_HEALTH_PORT
from provisioning.render.servers import WORKER_HEALTH_PORT as WORKER_PORT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from provisioning.config import LineConfig

_API_PORT = 8080
_PRIVATE_PORTS = (6379, 5432, 7880, WORKER_PORT, _API_PORT, SIP_HEALTH_PORT, EGRESS_HEALTH_PORT, 7980)
_NEW_CALLS = "20/second burst 60 packets"


def nftables(config: LineConfig, *, browsers: bool = False) -> str:
    """An nftables file; load it with ``nft -f``.

    Args:
        config: the operator's file; its trunks say where calls come from.
        browsers: listeners connect from elsewhere, so LiveKit's media ports are let in too.
    """
    trunks = [filled(trunk) for trunk in config.sip_trunks]
    inbound = [trunk for trunk in trunks if trunk.is_inbound]
    four, six = _ranges(address for trunk in inbound for address in trunk.allowed_addresses or ())
    media, _ = _ranges(
        address for trunk in trunks for address in load_pack(trunk.carrier).known("media_ranges") or ()
    )
    everybody = any(trunk.open_to_the_world for trunk in inbound)
    sip = config.bridge.sip_port or 5060
    tls = config.bridge.tls.port if config.bridge.tls is not None else None
    ports = f"{{ {sip}, {tls} }}" if tls else str(sip)
    private = {*_PRIVATE_PORTS, config.bridge.health_port, config.bridge.prometheus_port or 0} - {0}
    closed = [str(port) for port in sorted(private if browsers else {*private, RTC_TCP_PORT})]
    lines = [
        "#!/usr/sbin/nft -f",
        "# Written by `provision render`. Carriers reach SIP and RTP; nobody reaches what is private.",
        "# The public port of the API is the TLS proxy's (443), which is not touched here.",
        "",
        "table inet trunkline",
        "delete table inet trunkline",
        "",
        "table inet trunkline {",
        *_set("carriers", "ipv4_addr", four),
        *_set("carriers6", "ipv6_addr", six),
        *_set("media", "ipv4_addr", media),
        "",
        "    chain input {",
        "        type filter hook input priority filter; policy accept;",
        '        iifname "lo" accept',
        "",
        "        # Replies to calls of ours, and calls that are up.",
        "        ct state established,related accept",
        "",
        "        # New calls: from carriers only, and no more than a carrier would send.",
        *_sip_rules(ports, bool(four), bool(six), everybody),
        "",
        f"        # RTP: from {'the carriers of which the media ranges are known' if media else 'anywhere'};"
        " the bridge takes it from one address a call.",
        f"        {'ip saddr @media ' if media else ''}udp dport {config.bridge.rtp_port} accept",
        *([f"        udp dport {config.bridge.rtp_port} drop"] if media else []),
        "",
        "        # Redis, databases, LiveKit's API, health and metrics: this machine only.",
        f"        tcp dport {{ {', '.join(closed)} }} drop",
        *([] if browsers else [f"        udp dport {RTC_UDP_PORT} drop"]),
        "    }",
        "}",
        "",
    ]
    return "\n".join(lines)


def _sip_rules(ports: str, four: bool, six: bool, everybody: bool) -> list[str]:
    rules = []
    if everybody:
        rules.append(f"        meta l4proto {{ tcp, udp }} th dport {ports} limit rate {_NEW_CALLS} accept")
    if four:
        source = "ip saddr @carriers meta l4proto { tcp, udp }"
        rules.append(f"        {source} th dport {ports} limit rate {_NEW_CALLS} accept")
    if six:
        source = "ip6 saddr @carriers6 meta l4proto { tcp, udp }"
        rules.append(f"        {source} th dport {ports} limit rate {_NEW_CALLS} accept")
    return [*rules, f"        meta l4proto {{ tcp, udp }} th dport {ports} drop"]


def _set(name: str, kind: str, ranges: list[str]) -> list[str]:
    if not ranges:
        return []
    listed = ", ".join(ranges)
    return [
        f"    set {name} {{",
        f"        type {kind}; flags interval;",
        f"        elements = {{ {listed} }}",
        "    }",
    ]


def _ranges(addresses: Iterable[str]) -> tuple[list[str], list[str]]:
    """IPv4 and IPv6 ranges, overlaps merged; names are for the SIP side alone."""
    networks = []
    for address in addresses:
        try:
            networks.append(ipaddress.ip_network(address, strict=False))
        except ValueError:
            continue
    four = ipaddress.collapse_addresses(n for n in networks if isinstance(n, ipaddress.IPv4Network))
    six = ipaddress.collapse_addresses(n for n in networks if isinstance(n, ipaddress.IPv6Network))
    return [str(network) for network in four], [str(network) for network in six]
