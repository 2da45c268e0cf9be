"""INVITEs that the bridge refused lately, in sentences: what happened, how often, what to change."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from provisioning.doctor.finding import Finding, ok, skipped, warning
from telephony.spool import read_events

if TYPE_CHECKING:
    from pathlib import Path

    from provisioning.doctor.patient import Patient
    from telephony.calls.events import Event

WITHIN = timedelta(hours=24)
_FILES_AT_MOST = 5000
_SHOWN_AT_MOST = 5


async def lately(patient: Patient) -> list[Finding]:
    """Group the refusals of the last day by what was at fault."""
    if patient.line is None:
        text = "refused calls are in the folder of the line that runs here, and none was named."
        return [skipped("calls.rejected", text, "Say --line var/line.")]
    refused = await asyncio.to_thread(_refused_since, patient.line.events, datetime.now(UTC) - WITHIN)
    if not refused:
        return [ok("calls.rejected", "no INVITE was refused in the last 24 hours.")]
    groups = Counter((str(event.data.get("field", "")), event.data.get("status")) for event in refused)
    findings = []
    for (field, status), count in groups.most_common(_SHOWN_AT_MOST):
        events = [
            e for e in refused if (str(e.data.get("field", "")), e.data.get("status")) == (field, status)
        ]
        last = max(events, key=lambda event: event.time)
        times = "once" if count == 1 else f"{count} times"
        text = f"{times}, last at {last.time:%H:%M} UTC, {status}: {last.data.get('sentence', field)}"
        findings.append(warning(f"calls.rejected.{field or status}", text, _fix(last)))
    return findings


def _fix(event: Event) -> str:
    called, caller = event.data.get("to"), event.data.get("from")
    if not called or not caller:
        return "See `provision explain` with the call's numbers."
    return f"See `provision explain --from {caller} --to {called} --source ADDRESS`."


def _refused_since(folder: Path, since: datetime) -> list[Event]:
    found: list[Event] = []
    files = sorted(folder.glob("*.bridge.jsonl"), key=lambda file: file.stat().st_mtime, reverse=True)
    for file in files[:_FILES_AT_MOST]:
        if file.stat().st_mtime < since.timestamp():
            break
        found += [
            event for event in read_events(file) if event.type == "call.refused" and event.time >= since
        ]
    return found
