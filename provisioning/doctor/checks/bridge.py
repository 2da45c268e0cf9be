"""The bridge from outside: does SIP answer, is it well, are there media ports enough."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp

from provisioning.doctor.finding import Finding, ok, problem, skipped, warning
from provisioning.doctor.options import ask_options
from provisioning.sections.bridge import parse_port_range
from telephony.errors import SipError

if TYPE_CHECKING:
    from provisioning.doctor.patient import Patient

_PATIENCE_S = 2.0
_ANY = "0.0.0.0"  # noqa: S104 - compared, not bound
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_SERVER_MEDIA = (50_000, 60_000)


async def sip_port(patient: Patient) -> list[Finding]:
    """Whether an OPTIONS to the bridge is answered; every bridge answers them."""
    port = patient.sip_port
    if not port:
        text = "the file lets the line choose the SIP port, and no running line is known."
        return [skipped("bridge.sip", text, "Say --line var/line.")]
    host = "127.0.0.1" if patient.config.bridge.listen_ip == _ANY else patient.config.bridge.listen_ip
    try:
        answer = await ask_options(host, port, timeout_s=_PATIENCE_S)
    except SipError as error:
        text = f"nobody answers SIP at {host}:{port}/udp ({_port_state(host, port)}; {error.message})"
        return [problem("bridge.sip", text, "Start the bridge, or correct bridge.listen_ip and sip_port.")]
    except OSError as error:
        return [skipped("bridge.sip", f"{host} is not an address of this machine: {error.strerror}.")]
    return [
        ok("bridge.sip", f"{host}:{port}/udp answers OPTIONS with {answer.status} in {answer.ms:.0f} ms.")
    ]


def _port_state(host: str, port: int) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host, port))
        except OSError:
            return "some program has the port"
        return "the port is free"


async def health(patient: Patient) -> list[Finding]:
    """What the bridge's health port says."""
    port = patient.health_port
    if not port:
        return [
            skipped("bridge.health", "no health port is known.", "Set bridge.health_port, or say --line.")
        ]
    try:
        async with patient.http.get(f"http://127.0.0.1:{port}/") as response:
            text = (await response.text())[:200].strip()
            words = f"127.0.0.1:{port} says {response.status} {text!r}."
            if response.status == 200:
                return [ok("bridge.health", words)]
            if response.status == 429:
                return [warning("bridge.health", words, "It is at its limit of calls: raise it, or add one.")]
            return [problem("bridge.health", words, "It is stopping, or without Redis; see its log.")]
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        text = f"127.0.0.1:{port} does not answer: {error or type(error).__name__}."
        return [problem("bridge.health", text, "Is the bridge running on this machine?")]


async def media_ports(patient: Patient) -> list[Finding]:
    """Whether the range holds as many calls as the agent takes, and collides with nothing."""
    settings = patient.config.bridge
    low, high = parse_port_range(settings.rtp_port)
    calls = (high - low + 1) // 2
    wanted = settings.max_active_calls or patient.config.agent.max_calls
    if calls < wanted:
        text = f"{settings.rtp_port} holds {calls} calls at once, the line takes {wanted}."
        fix = "Widen bridge.rtp_port: a call takes one even port."
        return [problem("bridge.media", text, fix)]
    if low <= _SERVER_MEDIA[1] and high >= _SERVER_MEDIA[0]:
        text = f"{settings.rtp_port} overlaps livekit-server's own media ports (50000-60000)."
        return [warning("bridge.media", text, "Keep them apart: 10000-20000 is usual.")]
    ephemeral = await asyncio.to_thread(_ephemeral_range)
    if ephemeral and low <= ephemeral[1] and high >= ephemeral[0]:
        given = f"{ephemeral[0]}-{ephemeral[1]}"
        text = f"{settings.rtp_port} overlaps the ports that this system gives out ({given})."
        return [warning("bridge.media", text, "Choose a range below: 10000-20000 is usual.")]
    return [ok("bridge.media", f"{settings.rtp_port} holds {calls} calls at once.")]


def _ephemeral_range() -> tuple[int, int] | None:
    try:
        low, high = _EPHEMERAL.read_text().split()
        return int(low), int(high)
    except (OSError, ValueError):
        return None
