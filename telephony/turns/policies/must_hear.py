"""What must be heard is spoken on; what the caller says meanwhile is kept until it has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.turns.decision import Decision

if TYPE_CHECKING:
    from telephony.turns.evidence import Evidence


class MustHear:
    """Speaks on, whatever the caller says."""

    name = "must_hear"

    def consider(self, evidence: Evidence) -> Decision | None:
        if evidence.must_hear is None:
            return None
        return Decision("resume", self.name, f"the {evidence.must_hear.kind} must be heard")
