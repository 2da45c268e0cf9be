"""``provision doctor``: every check that can be made without a caller, and with ``--call`` one with."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import aiohttp
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from provisioning.commands.frame import Screen, line_at, read
from provisioning.doctor.examination import CHECKS, examine, mend
from provisioning.doctor.patient import Patient
from provisioning.views.doctor import doctor_view, mended_view

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from provisioning.doctor.examination import Check
    from provisioning.doctor.finding import Finding

_HTTP_S = 5.0


async def doctor(
    screen: Screen,
    config: Path,
    folder: Path | None,
    *,
    only: Sequence[str],
    fix: bool,
    with_call: bool,
    to: str | None,
    report: Path | None,
) -> int:
    """Examine, mend what is safe if asked to, call if asked to; 1 when a problem is left."""
    line = line_at(folder)
    loaded = read(config, screen, line=line)
    timeout = aiohttp.ClientTimeout(total=_HTTP_S)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        patient = Patient(loaded, line, http)
        try:
            findings = await _examined(screen, patient, only)
            done = await mend(findings) if fix else []
            if done:
                screen.show(mended_view(done))
                again = Patient(loaded, line, http)
                findings = await _examined(screen, again, only)
                await again.close()
            if with_call:
                from provisioning.doctor.call import call

                findings += await call(patient, to=to, report_dir=report)
        finally:
            await patient.close()
    screen.show(doctor_view(findings))
    screen.give(_json(findings, done))
    return 1 if any(finding.status == "problem" for finding in findings) else 0


async def _examined(screen: Screen, patient: Patient, only: Sequence[str]) -> list[Finding]:
    with _progress(screen) as on_done:
        return await examine(patient, only=only, on_done=on_done)


def _json(findings: Sequence[Finding], done: Sequence[tuple[Finding, str]]) -> dict[str, object]:
    return {
        "healthy": not any(finding.status == "problem" for finding in findings),
        "findings": [finding.to_json() for finding in findings],
        "mended": [{"id": finding.id, "what": what} for finding, what in done],
    }


@contextlib.contextmanager
def _progress(screen: Screen) -> Iterator[Callable[[Check], None] | None]:
    if not screen.is_live:
        yield None
        return
    columns = (TextColumn("  examining"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=screen.error_console, transient=True) as progress:
        task = progress.add_task("", total=len(CHECKS))
        waiting = {check.id: check.title for check in CHECKS}

        def on_done(check: Check) -> None:
            waiting.pop(check.id, None)
            progress.update(task, advance=1, description=next(iter(waiting.values()), ""))

        yield on_done
