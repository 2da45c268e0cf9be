"""What the doctor says of calls out before one is tried."""

from __future__ import annotations

import aiohttp
import pytest

from provisioning.doctor.checks.outbound import guard
from provisioning.doctor.patient import Patient
from tests.provisioning.files import loaded

pytestmark = pytest.mark.pure

FILE = """
livekit: {{url: "ws://127.0.0.1:7880", api_key: k, api_secret: a-secret-of-enough-characters-here}}
sip_trunks:
  - {{name: out, outbound_only: true, numbers: ["+15550100100"], host: 192.0.2.1, max_calls: 10}}
outbound: {{enabled: {enabled}{more}}}
"""


async def said(more: str = "", *, enabled: str = "true") -> dict[str, tuple[str, str, str]]:
    """Status, evidence and fix by id."""
    file = loaded(FILE.format(enabled=enabled, more=f", {more}" if more else ""), {})
    async with aiohttp.ClientSession() as http:
        findings = await guard(Patient(file, None, http))
    return {one.id: (one.status, one.evidence, one.fix) for one in findings}


async def test_calls_out_that_are_off_are_no_fault() -> None:
    """It is the default."""
    [(status, evidence, _)] = (await said(enabled="false")).values()
    assert status == "ok"
    assert "outbound.enabled" in evidence


async def test_nothing_allowed_is_said_before_the_first_call() -> None:
    """Enabled alone dials nobody."""
    [(status, _, fix)] = (await said()).values()
    assert status == "problem"
    assert "outbound.allowed_regions" in fix


async def test_each_allowed_country_is_tried() -> None:
    """By a number such as people there have."""
    found = await said('allowed_regions: [DE, GB], extra_numbers: ["+15550100999"]')
    assert set(found) == {"outbound.guard.DE", "outbound.guard.GB", "outbound.guard.extra_numbers"}
    assert {status for status, _, _ in found.values()} == {"ok"}
    assert "+49" in found["outbound.guard.DE"][1]
    assert "dialled by out" in found["outbound.guard.DE"][1]


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ("allowed_regions: [DE], max_calls_per_day: 0", "outbound.max_calls_per_day"),
        ('allowed_regions: [DE], denied_prefixes: ["+49"]', "outbound.denied_prefixes"),
    ],
)
async def test_what_would_refuse_every_call_is_named_with_its_setting(more: str, named: str) -> None:
    """In the words of the guard itself."""
    status, evidence, fix = (await said(more))["outbound.guard.DE"]
    assert status == "problem"
    assert named in evidence + fix


async def test_hours_that_are_over_are_no_fault() -> None:
    """A call would wait; when it may go is said."""
    hours = 'allowed_regions: [DE], calling_hours: {start: "00:00", end: "00:01", days: [mon]}'
    status, evidence, _ = (await said(hours))["outbound.guard.DE"]
    assert status == "ok"
    assert "would wait until" in evidence
