"""Speech providers: are their keys accepted, and their models known. As little as can be is used up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.doctor.finding import Finding, ok
from telephony.speech.check import Verdict, look

if TYPE_CHECKING:
    from provisioning.doctor.finding import Status
    from provisioning.doctor.patient import Patient

_STATUS: dict[str, Status] = {
    "accepted": "ok",
    "refused": "problem",
    "unreachable": "problem",
    "limited": "warning",
    "unclear": "warning",
}


async def keys(patient: Patient) -> list[Finding]:
    """Every provider of the file that is behind a network."""
    verdicts = await look(patient.config.speech, patient.http)
    if not verdicts:
        return [ok("speech", "speech is offline: no key is needed.")]
    return [_finding(verdict) for verdict in verdicts]


def _finding(verdict: Verdict) -> Finding:
    evidence = verdict.sentence
    if verdict.field != verdict.path:
        evidence = f"{verdict.field}: {evidence}"
    return Finding(verdict.path, _STATUS[verdict.outcome], evidence, verdict.fix)
