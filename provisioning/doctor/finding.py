"""What a check found: how it is, on what evidence, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Status = Literal["ok", "warning", "problem", "skipped"]
"""problem: calls fail, or money or secrets are at risk · warning: they may · skipped: cannot be seen here."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check.

    Attributes:
        id: what was checked, such as ``server.key``.
        status: how it is.
        evidence: what was seen, with figures, in a sentence.
        fix: what to do, in the imperative; empty when all is well.
        mend: does it, and says what it did; None where that is not safe without a person.
    """

    id: str
    status: Status
    evidence: str
    fix: str = ""
    mend: Callable[[], Awaitable[str]] | None = None

    def to_json(self) -> dict[str, Any]:
        """The published shape."""
        return {
            "id": self.id,
            "status": self.status,
            "evidence": self.evidence,
            "fix": self.fix or None,
            "can_mend": self.mend is not None,
        }


def ok(check: str, evidence: str) -> Finding:
    """All is well."""
    return Finding(check, "ok", evidence)


def warning(check: str, evidence: str, fix: str = "") -> Finding:
    """Calls may fail."""
    return Finding(check, "warning", evidence, fix)


def problem(check: str, evidence: str, fix: str = "") -> Finding:
    """Calls fail, or money or secrets are at risk."""
    return Finding(check, "problem", evidence, fix)


def skipped(check: str, evidence: str, fix: str = "") -> Finding:
    """It cannot be checked here, and why."""
    return Finding(check, "skipped", evidence, fix)
