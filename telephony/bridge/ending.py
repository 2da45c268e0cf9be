"""Why a call that was in progress ended, by whom, and whether the phone must be told.

Pure. ``cause`` is a static word for machines, ``sentence`` the same for people.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from livekit.protocol.models import DisconnectReason

EndedBy = Literal["caller", "agent", "line"]


@dataclass(frozen=True, slots=True)
class Ending:
    """One end of a call; ``says_bye`` is False where the phone knows already."""

    cause: str
    ended_by: EndedBy
    sentence: str
    says_bye: bool = True


CALLER_HUNG_UP = Ending("caller_hung_up", "caller", "The caller hung up.", says_bye=False)
CALLER_CANCELLED = Ending(
    "caller_cancelled", "caller", "The caller gave up before the call was answered.", says_bye=False
)
CALLER_VANISHED = Ending("caller_vanished", "caller", "The phone no longer knows the call.", says_bye=False)
NOT_ACKNOWLEDGED = Ending("not_acknowledged", "line", "The phone never acknowledged the answer.")
AGENT_HUNG_UP = Ending("agent_hung_up", "agent", "The agent asked to end the call.")
AGENT_LEFT = Ending("agent_left", "agent", "The agent left and nobody else could talk to the caller.")
ROOM_DELETED = Ending("room_deleted", "agent", "The room was deleted.")
CALLER_REMOVED = Ending("caller_removed", "agent", "The caller was removed from the room.")
CALLER_REPLACED = Ending(
    "caller_replaced", "line", "Another call with the same identity took the caller's place in the room."
)
MEDIA_TIMEOUT = Ending("media_timeout", "line", "No audio came from the phone for too long.")
MAX_DURATION = Ending("max_duration", "line", "The call reached its longest duration.")
SERVER_LOST = Ending(
    "server_lost", "line", "The connection to livekit-server was lost and did not come back."
)
BRIDGE_STOPPED = Ending("bridge_stopped", "line", "The bridge was stopped.")
BRIDGE_FAILED = Ending("bridge_failed", "line", "The bridge failed on this call.")

_BY_REASON: dict[int, Ending] = {
    DisconnectReason.ROOM_DELETED: ROOM_DELETED,
    DisconnectReason.ROOM_CLOSED: ROOM_DELETED,
    DisconnectReason.PARTICIPANT_REMOVED: CALLER_REMOVED,
    DisconnectReason.DUPLICATE_IDENTITY: CALLER_REPLACED,
}


def by_room(reason: int) -> Ending:
    """The ending that a LiveKit disconnect reason stands for; unknown ones are a lost server."""
    return _BY_REASON.get(reason, SERVER_LOST)
