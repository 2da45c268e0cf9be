"""livekit-server: does it answer, is our key its key, do the clocks agree."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aiohttp

from provisioning.doctor.finding import Finding, ok, problem, warning
from provisioning.doctor.reason import reason_of
from telephony.errors import LiveKitError

if TYPE_CHECKING:
    from provisioning.doctor.patient import Patient

_SHORTEST_SECRET = 32
_SKEW_WARNING_S = 10.0
_SKEW_PROBLEM_S = 60.0
_STALE = 406


def http_url(url: str) -> str:
    """The server's URL for HTTP."""
    parts = urlsplit(url)
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    return f"{scheme}://{parts.netloc}{parts.path.rstrip('/')}/"


async def reachable(patient: Patient) -> list[Finding]:
    """Whether it answers HTTP at all."""
    url = patient.config.livekit.url
    started = time.perf_counter()
    try:
        async with patient.http.get(http_url(url)) as response:
            took = (time.perf_counter() - started) * 1000
            if response.status == _STALE:
                text = f"{url} answers 406: its own statistics stand still."
                return [problem("server.reachable", text, "Restart livekit-server; see its log.")]
            if response.status >= 400:
                text = f"{url} answers HTTP {response.status}; livekit-server says 200."
                return [problem("server.reachable", text, "Is that livekit-server, or a proxy before it?")]
            return [ok("server.reachable", f"{url} answers in {took:.0f} ms.")]
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        text = f"{url} cannot be reached: {reason_of(error)}."
        fix = (
            "Start livekit-server, or correct livekit.url; for a line of `trunkline up` say --line var/line."
        )
        return [problem("server.reachable", text, fix)]


async def key(patient: Patient) -> list[Finding]:
    """Whether the key may administer trunks, and whether the secret is long enough."""
    _, secret = patient.credentials()
    try:
        lives = await patient.lives()
    except LiveKitError as error:
        fix = error.fix or "Set livekit.api_key and livekit.api_secret to a pair from the server's own keys."
        return [problem("server.key", error.message, fix)]
    text = f"the key may administer SIP; there are {len(lives)} trunks and rules."
    if len(secret) < _SHORTEST_SECRET:
        text = f"the key works, but its secret has only {len(secret)} characters."
        return [warning("server.key", text, "Generate one of 32 or more: `livekit-server generate-keys`.")]
    return [ok("server.key", text)]


async def clock(patient: Patient) -> list[Finding]:
    """Whether our clock and the server's agree; tokens are refused when they do not."""
    url = patient.config.livekit.url
    try:
        sent = time.time()
        async with patient.http.get(http_url(url)) as response:
            middle = (sent + time.time()) / 2
            said = response.headers.get("Date")
    except (aiohttp.ClientError, OSError, TimeoutError):
        return [Finding("server.clock", "skipped", "the server does not answer.")]
    if said is None:
        return [Finding("server.clock", "skipped", "the server does not say its time.")]
    skew = parsedate_to_datetime(said).timestamp() + 0.5 - middle  # the header has whole seconds
    words = f"the server's clock differs by {abs(skew):.0f} s from this machine's."
    if abs(skew) > _SKEW_PROBLEM_S:
        return [
            problem("server.clock", words, "Synchronise both clocks (NTP): tokens are refused otherwise.")
        ]
    if abs(skew) > _SKEW_WARNING_S:
        return [warning("server.clock", words, "Synchronise both clocks (NTP).")]
    return [ok("server.clock", "clocks agree within a few seconds.")]
