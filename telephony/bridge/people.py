"""Who else is in a call's room, counted. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class People:
    """Participants other than the caller.

    Args:
        agents: of kind AGENT.
        sip: other callers.
        others: people at an app or stream; recorders do not count.
        audible: of all these, those with a published audio track.
    """

    agents: int = 0
    sip: int = 0
    others: int = 0
    audible: int = 0

    @property
    def anybody(self) -> bool:
        """Whether there is somebody who could answer."""
        return bool(self.agents or self.sip or self.others)

    @property
    def can_talk(self) -> bool:
        """Whether a caller who stays has somebody to talk to."""
        return bool(self.agents or self.audible)
