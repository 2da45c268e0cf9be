"""The machine: room on its disk, its time zones, its limits."""

from __future__ import annotations

import asyncio
import resource
import shutil
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from provisioning.doctor.finding import Finding, ok, problem, warning

if TYPE_CHECKING:
    from provisioning.doctor.patient import Patient

_DISK_PROBLEM = 500 * 2**20
_DISK_WARNING = 5 * 2**30
_FILES_A_CALL = 40
_FILES_ALWAYS = 200
_RECEIVE_BUFFER = 1_000_000
_RMEM_MAX = Path("/proc/sys/net/core/rmem_max")


async def disk(patient: Patient) -> list[Finding]:
    """Whether events and recordings have somewhere to go."""
    folders = {patient.line.folder if patient.line is not None else Path.cwd()}
    if patient.config.recording.directory:
        folders.add(Path(patient.config.recording.directory))
    return [await asyncio.to_thread(_free, folder) for folder in sorted(folders)]


def _free(folder: Path) -> Finding:
    existing = next((path for path in (folder, *folder.resolve().parents) if path.exists()), Path("/"))
    free = shutil.disk_usage(existing).free
    words = f"{free / 2**30:.1f} GiB are free at {folder}."
    if free < _DISK_PROBLEM:
        return problem("machine.disk", words, "Make room: events and recordings would be lost.")
    if free < _DISK_WARNING:
        return warning("machine.disk", words, "Make room, or set recording.retention.")
    return ok("machine.disk", words)


async def time_zones(patient: Patient) -> list[Finding]:
    """Whether time zone data is installed; calling hours need it."""
    hours = patient.config.outbound.calling_hours
    wanted = hours.timezone if hours is not None and hours.timezone else "Europe/Moscow"
    try:
        zone = await asyncio.to_thread(ZoneInfo, wanted)
    except ZoneInfoNotFoundError:
        text = f"there is no data for the time zone {wanted}."
        return [
            problem("machine.zones", text, "Install the package tzdata: calling hours are refused without.")
        ]
    return [ok("machine.zones", f"time zones are known ({zone.key}).")]


async def limits(patient: Patient) -> list[Finding]:
    """Whether open files and UDP buffers suffice for the calls that the line takes."""
    calls = patient.config.agent.max_calls
    wanted = _FILES_ALWAYS + _FILES_A_CALL * calls
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= soft < wanted:
        text = f"a process may open {soft} files; {calls} calls want about {wanted}."
        return [warning("machine.limits", text, f"ulimit -n {wanted}, or LimitNOFILE= in the unit.")]
    buffer = await asyncio.to_thread(_rmem_max)
    if buffer is not None and buffer < _RECEIVE_BUFFER and calls > 50:
        text = f"net.core.rmem_max is {buffer}: bursts of RTP can be lost with many calls."
        return [warning("machine.limits", text, "sysctl -w net.core.rmem_max=5000000")]
    return [ok("machine.limits", f"{soft} open files are allowed, enough for {calls} calls.")]


def _rmem_max() -> int | None:
    try:
        return int(_RMEM_MAX.read_text())
    except (OSError, ValueError):
        return None
