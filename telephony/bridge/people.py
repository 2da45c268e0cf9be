"""Who else is in a call's room, counted. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from livekit.protocol.models import ParticipantInfo

if TYPE_CHECKING:
    from collections.abc import Iterable

_OTHERS = (ParticipantInfo.Kind.STANDARD, ParticipantInfo.Kind.INGRESS)


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


def count_people(participants: Iterable[tuple[int, bool]]) -> People:
    """Count participants given as (kind, whether it has a published audio track).

    Kinds are those of ``livekit.ParticipantInfo.Kind``; the SDK's enumeration has the same numbers.
    """
    agents = sip = others = audible = 0
    for kind, has_audio in participants:
        agents += kind == ParticipantInfo.Kind.AGENT
        sip += kind == ParticipantInfo.Kind.SIP
        others += kind in _OTHERS
        audible += has_audio
    return People(agents, sip, others, audible)
