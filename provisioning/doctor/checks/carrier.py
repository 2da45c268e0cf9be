"""The carriers: do their hosts answer SIP, and are lines with a login registered."""

from __future__ import annotations

import asyncio
import re
import socket
from typing import TYPE_CHECKING

import aiohttp

from provisioning.carriers.fill import filled
from provisioning.carriers.pack import load_pack
from provisioning.doctor.finding import Finding, ok, problem, skipped, warning
from provisioning.doctor.options import ask_options
from telephony.errors import SipError

if TYPE_CHECKING:
    from provisioning.doctor.patient import Patient
    from provisioning.sections.trunks import Trunk

_PATIENCE_S = 3.0
_REGISTERED = re.compile(r'^bridge_registered\{[^}]*trunk="([^"]+)"[^}]*\}\s+([01])', re.MULTILINE)


async def answers(patient: Patient) -> list[Finding]:
    """Ask every host that calls go out to."""
    trunks = [trunk for trunk in map(filled, patient.config.sip_trunks) if trunk.is_outbound and trunk.host]
    if not trunks:
        return [skipped("carrier", "the file has no trunk for calls out.")]
    return list(await asyncio.gather(*(_ask(trunk) for trunk in trunks)))


async def _ask(trunk: Trunk) -> Finding:
    check = f"carrier.{trunk.name}"
    transport = trunk.transport or "udp"
    host, port = (trunk.host or "").strip("[]"), trunk.port or (5061 if transport == "tls" else 5060)
    try:
        async with asyncio.timeout(_PATIENCE_S):
            loop = asyncio.get_running_loop()
            found = await loop.getaddrinfo(host, port, family=socket.AF_INET, type=socket.SOCK_DGRAM)
    except (OSError, TimeoutError) as error:
        text = f"{host} has no address: {getattr(error, 'strerror', None) or 'no answer from DNS'}."
        return problem(check, text, "Correct host, or the name servers of this machine.")
    address = str(found[0][4][0])
    if transport in {"tcp", "tls"}:
        return await _connect(check, host, address, port, transport)
    try:
        answer = await ask_options(address, port, timeout_s=_PATIENCE_S)
    except SipError as error:
        text = f"{host} ({address}:{port}/udp) does not answer OPTIONS: {error.message}"
        fix = "Some carriers never answer them; if calls out fail too, see the firewall and the host."
        return warning(check, text, fix)
    who = f", {answer.agent}" if answer.agent else ""
    return ok(check, f"{host} ({address}:{port}/udp{who}) answers {answer.status} in {answer.ms:.0f} ms.")


async def _connect(check: str, host: str, address: str, port: int, transport: str) -> Finding:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            _, writer = await asyncio.open_connection(
                address,
                port,
                ssl=True if transport == "tls" else None,
                server_hostname=_name(host, transport),
            )
            writer.close()
            await writer.wait_closed()
    except (OSError, TimeoutError) as error:
        reason = getattr(error, "strerror", None) or str(error) or "no answer"
        text = f"{host} ({address}:{port}/{transport}) does not take a connection: {reason}."
        return problem(check, text, "Correct host, port and transport, or open the firewall.")
    return ok(check, f"{host} ({address}:{port}/{transport}) takes a connection.")


def _name(host: str, transport: str) -> str | None:
    return host if transport == "tls" else None


async def registered(patient: Patient) -> list[Finding]:
    """Whether lines that need REGISTER have it, as the bridge's own figures say."""
    lines = [
        trunk.name
        for trunk in map(filled, patient.config.sip_trunks)
        if trunk.register_line is not None or load_pack(trunk.carrier).known("register_needed")
    ]
    if not lines:
        return [ok("carrier.registration", "no trunk needs to be registered.")]
    states = await _states(patient)
    if states is None:
        text = f"{', '.join(lines)} must be registered, and the bridge does not say whether they are."
        return [skipped("carrier.registration", text, "The embedded bridge registers; livekit-sip cannot.")]
    lost = [name for name in lines if not states.get(name)]
    if lost:
        text = f"{', '.join(lost)} not registered: calls to them just do not come."
        return [
            problem(
                "carrier.registration", text, "Check login, password and registrar; see the bridge's log."
            )
        ]
    return [ok("carrier.registration", f"{', '.join(lines)} registered.")]


async def _states(patient: Patient) -> dict[str, bool] | None:
    if not patient.health_port:
        return None
    try:
        async with patient.http.get(f"http://127.0.0.1:{patient.health_port}/metrics") as response:
            found = dict(_REGISTERED.findall(await response.text()))
    except (aiohttp.ClientError, OSError, TimeoutError, UnicodeDecodeError):
        return None
    return {name: value == "1" for name, value in found.items()} or None
