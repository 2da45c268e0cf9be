"""An examination as people read it: what is wrong first in the eye, evidence, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from provisioning.views.words import BAD, DIM, GOOD, WARN, counted, line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from provisioning.doctor.finding import Finding

_SIGNS = {
    "ok": ("✓", GOOD),
    "warning": ("!", WARN),
    "problem": ("✗", BAD),
    "skipped": ("–", DIM),
}
_WIDEST_ID = 30


def doctor_view(findings: Sequence[Finding]) -> Iterator[Text]:
    """All findings in the order of the checks, and a line that sums them up."""
    width = min(max((len(finding.id) for finding in findings), default=0), _WIDEST_ID)
    for finding in findings:
        yield from _finding_rows(finding, width)
    yield Text()
    yield _summary(findings)


def _finding_rows(finding: Finding, width: int) -> Iterator[Text]:
    sign, style = _SIGNS[finding.status]
    name_style = style if finding.status in {"problem", "warning"} else ""
    evidence_style = DIM if finding.status == "skipped" else ""
    yield line(
        (sign, style), " ", (finding.id.ljust(width), name_style), "  ", (finding.evidence, evidence_style)
    )
    if finding.fix and finding.status != "ok":
        mendable = "  (--fix does it)" if finding.mend is not None else ""
        yield line(" " * (width + 4), ("→ ", style), finding.fix, (mendable, DIM))


def _summary(findings: Sequence[Finding]) -> Text:
    counts = {
        status: sum(finding.status == status for finding in findings)
        for status in ("ok", "warning", "problem", "skipped")
    }
    rest = f"{counts['ok']} fine, {counted(counts['warning'], 'warning')}, {counts['skipped']} not checked"
    if counts["problem"]:
        return line((counted(counts["problem"], "problem"), f"bold {BAD}"), f", {rest}.")
    if counts["warning"]:
        return line(("No problem", f"bold {GOOD}"), f", {rest}.")
    return line(("All is well", f"bold {GOOD}"), f": {rest}.")


def mended_view(done: Sequence[tuple[Finding, str]]) -> Iterator[Text]:
    """What ``--fix`` did."""
    for finding, what in done:
        yield line(("mended ", GOOD), f"{finding.id}: {what}")
