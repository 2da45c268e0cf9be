"""The address that carriers are told, and what the firewall must let in for it."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from provisioning.carriers.fill import filled
from provisioning.doctor.finding import Finding, ok, problem, warning
from provisioning.sections.livekit import is_loopback

if TYPE_CHECKING:
    from provisioning.doctor.patient import Patient
    from provisioning.sections.bridge import BridgeSection

_ANY = "0.0.0.0"  # noqa: S104 - compared, not bound


async def advertised(patient: Patient) -> list[Finding]:
    """Whether a carrier can reach the address that SDP and Contact will announce."""
    settings = patient.config.bridge
    host = announced_host(settings)
    outside = _sources_outside(patient)
    if host is None:
        if settings.use_external_ip:
            text = "the announced address is asked of a public STUN server when the bridge starts."
            return [ok("address.advertised", text)]
        text = "SIP is bound to every address, and none is announced."
        fix = "Set bridge.nat_1_to_1_ip to the address that the carrier knows."
        return [problem("address.advertised", text, fix)]
    if is_loopback(host):
        if outside:
            text = (
                f"{host} is announced, which only this machine reaches, but trunks take calls from {outside}."
            )
            fix = "Set bridge.listen_ip to this machine's address, and nat_1_to_1_ip if it is behind NAT."
            return [problem("address.advertised", text, fix)]
        return [ok("address.advertised", f"{host}: calls from this machine only, as the trunks say.")]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return [ok("address.advertised", f"{host} is announced by name.")]
    if address.is_private:
        text = f"{host} is announced, a private address: a carrier on the internet cannot send audio to it."
        fix = "Set bridge.nat_1_to_1_ip to the public address, unless the carrier is in your network."
        return [warning("address.advertised", text, fix)]
    return [ok("address.advertised", f"{host} is announced, a public address.")]


def announced_host(settings: BridgeSection) -> str | None:
    """The address in Contact and SDP; None when the file does not fix it."""
    host = settings.media_nat_1_to_1_ip or settings.nat_1_to_1_ip
    if host is not None:
        return host
    return None if settings.use_external_ip or settings.listen_ip == _ANY else settings.listen_ip


def _sources_outside(patient: Patient) -> str:
    for trunk in patient.config.sip_trunks:
        for source in filled(trunk).allowed_addresses or ():
            if trunk.is_inbound and not is_loopback(source.partition("/")[0]):
                return source
    return ""


async def firewall(patient: Patient) -> list[Finding]:
    """What must be let in, and from where, in words for whoever keeps the firewall."""
    settings = patient.config.bridge
    if is_loopback(settings.listen_ip):
        text = f"SIP is bound to {settings.listen_ip}: nothing need be let in."
        return [ok("address.firewall", text)]
    sources = sorted(
        {
            source
            for trunk in patient.config.sip_trunks
            for source in filled(trunk).allowed_addresses or ()
            if trunk.is_inbound
        }
    )
    port = patient.sip_port or "the SIP port"
    whom = ", ".join(sources[:6]) + (f" and {len(sources) - 6} more" if len(sources) > 6 else "")
    media = f"UDP {settings.rtp_port} from the carrier's media"
    rule = f"let in UDP {port} from {whom or 'nobody yet'}, and {media}."
    fix = "`provision render --only nftables` writes it; scanners find an open SIP port within days."
    return [warning("address.firewall", f"cannot be seen from inside: {rule}", fix)]
