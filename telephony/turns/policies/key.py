"""A key of the telephone takes the floor: nobody presses one to agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.turns.decision import Decision

if TYPE_CHECKING:
    from telephony.turns.evidence import Evidence


class Key:
    """Yields to a key, but not out of what must be heard; the key is acted on after that."""

    name = "key"

    def consider(self, evidence: Evidence) -> Decision | None:
        if not evidence.key or evidence.must_hear is not None:
            return None
        return Decision("yield", self.name, "a key was pressed")
