"""Webhook receivers: reachable, and the signature as it should be.

LiveKit's own hook is tried with a signed event of no meaning, which must be taken, and with an unsigned
one, which must not. A customer's receiver gets no event: a HEAD is enough to know that it is there.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import json
import secrets
import time
from typing import TYPE_CHECKING

import aiohttp
from livekit import api

from provisioning.doctor.finding import Finding, ok, problem, skipped, warning
from provisioning.doctor.reason import reason_of

if TYPE_CHECKING:
    from provisioning.doctor.patient import Patient

_SECRET_PREFIX = "whsec_"  # noqa: S105 - the form, not a secret
_SHORTEST_KEY = 24
_EVENT = "doctor_ping"


async def receivers(patient: Patient) -> list[Finding]:
    """Every receiver of the file."""
    hooks = patient.config.webhooks
    if not hooks.enabled:
        return [ok("webhooks", "webhooks are off.")]
    work = []
    if hooks.url is not None and hooks.is_livekits_own:
        work.append(_livekits_own(patient, hooks.url))
    elif hooks.url is not None:
        secret = hooks.secret.get_secret_value() if hooks.secret else ""
        work.append(_customers(patient, "webhooks.url", hooks.url, secret))
    for endpoint in hooks.endpoints:
        if endpoint.enabled:
            secret = endpoint.secret.get_secret_value() if endpoint.secret else ""
            work.append(_customers(patient, f"webhooks.{endpoint.name}", endpoint.url, secret))
    if not work:
        return [skipped("webhooks", "no receiver is named.")]
    return [finding for group in await asyncio.gather(*work) for finding in group]


async def _livekits_own(patient: Patient, url: str) -> list[Finding]:
    check = "webhooks.livekit"
    body = json.dumps(
        {"event": _EVENT, "id": f"EV_{secrets.token_hex(6)}", "createdAt": str(int(time.time()))}
    )
    key, secret = patient.credentials()
    digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
    token = api.AccessToken(key, secret).with_sha256(digest).to_jwt()
    try:
        signed = await _post(patient, url, body, {"Authorization": token})
        unsigned = await _post(patient, url, body, {})
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        text = f"{url} cannot be reached: {reason_of(error)}."
        return [problem(check, text, "Start the API, or correct webhooks.url.")]
    if signed >= 400:
        text = f"{url} refuses a rightly signed event with {signed}."
        return [problem(check, text, "The receiver must verify with livekit.api_key and api_secret.")]
    if unsigned < 400:
        text = f"{url} takes an event without signature ({unsigned}): anybody can tell it of calls."
        return [problem(check, text, "Have the receiver verify the Authorization header.")]
    return [ok(check, f"{url} takes signed events ({signed}) and refuses others ({unsigned}).")]


async def _post(patient: Patient, url: str, body: str, headers: dict[str, str]) -> int:
    kind = {"Content-Type": "application/webhook+json", **headers}
    timeout = aiohttp.ClientTimeout(total=patient.config.webhooks.timeout)
    async with patient.http.post(
        url, data=body, headers=kind, timeout=timeout, allow_redirects=False
    ) as answer:
        return answer.status


async def _customers(patient: Patient, check: str, url: str, secret: str) -> list[Finding]:
    findings = []
    fault = _secret_fault(secret)
    if fault:
        fix = "Generate one: whsec_ and the base64 of 24 random bytes or more (Standard Webhooks)."
        findings.append(problem(f"{check}.secret", fault, fix))
    if url.startswith("http://") and not url.startswith(("http://127.", "http://localhost")):
        text = f"{url} is not encrypted: numbers and transcripts travel in clear."
        findings.append(warning(check, text, "Use https."))
    timeout = aiohttp.ClientTimeout(total=patient.config.webhooks.timeout)
    try:
        async with patient.http.head(url, timeout=timeout, allow_redirects=False) as answer:
            findings.append(ok(check, f"{url} is there (HEAD {answer.status}); no event was sent."))
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        text = f"{url} cannot be reached: {reason_of(error)}."
        findings.append(problem(check, text, "Correct the URL, or see the receiver."))
    return findings


def _secret_fault(secret: str) -> str:
    if not secret:
        return "events are not signed: there is no secret."
    if not secret.startswith(_SECRET_PREFIX):
        return "the secret is not in the form whsec_…"
    try:
        key = base64.b64decode(secret.removeprefix(_SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return "the secret behind whsec_ is not base64."
    return (
        "" if len(key) >= _SHORTEST_KEY else f"the secret has {len(key)} bytes; {_SHORTEST_KEY} are wanted."
    )
