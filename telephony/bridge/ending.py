"""Why a call that was in progress ended, by whom, and whether the phone must be told.

Pure. ``name`` is a static word for logs and metrics, ``code`` a key of ``telephony.calls.outcomes.CAUSES``,
``sentence`` the same for people.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from livekit.protocol.models import DisconnectReason

EndedBy = Literal["caller", "callee", "agent", "operator", "line", "carrier", "unknown"]


@dataclass(frozen=True, slots=True)
class Ending:
    """One end of a call.

    ``code`` is empty where only the agent's job knows why; ``says_bye`` is False where the phone knows.
    """

    name: str
    ended_by: EndedBy
    sentence: str
    code: str = ""
    says_bye: bool = True


CALLER_HUNG_UP = Ending("caller_hung_up", "caller", "The caller hung up.", "caller_hung_up", says_bye=False)
CALLEE_HUNG_UP = Ending(
    "callee_hung_up", "callee", "The called party hung up.", "callee_hung_up", says_bye=False
)
CALLER_CANCELLED = Ending(
    "caller_cancelled",
    "caller",
    "The caller gave up before the call was answered.",
    "abandoned",
    says_bye=False,
)
CALLER_VANISHED = Ending(
    "caller_vanished", "caller", "The phone no longer knows the call.", "caller_hung_up", says_bye=False
)
CALLEE_VANISHED = Ending(
    "callee_vanished", "callee", "The phone no longer knows the call.", "callee_hung_up", says_bye=False
)
NOT_WANTED = Ending(
    "not_wanted", "operator", "Whoever asked for the call did not wait for it any longer.", "cancelled"
)
NOT_ACKNOWLEDGED = Ending(
    "not_acknowledged", "line", "The phone never acknowledged the answer.", "line_ended"
)
TRANSFERRED = Ending("transferred", "agent", "The call was handed over to another party.", "transferred")
AGENT_HUNG_UP = Ending("agent_hung_up", "agent", "The agent asked to end the call.")
AGENT_LEFT = Ending("agent_left", "agent", "The agent left and nobody else could talk to the caller.")
AGENT_LOST = Ending(
    "agent_lost",
    "line",
    "The agent was lost without a word and nobody else could talk to the caller.",
    "agent_lost",
)
ROOM_DELETED = Ending("room_deleted", "agent", "The room was deleted.")
CALLER_REMOVED = Ending("caller_removed", "agent", "The caller was removed from the room.")
CALLER_REPLACED = Ending(
    "caller_replaced",
    "line",
    "Another call with the same identity took the caller's place in the room.",
    "replaced",
)
MEDIA_TIMEOUT = Ending("media_timeout", "line", "No audio came from the phone for too long.", "media_timeout")
MAX_DURATION = Ending("max_duration", "line", "The call reached its longest duration.", "max_duration")
SERVER_LOST = Ending(
    "server_lost", "line", "The connection to livekit-server was lost and did not come back.", "server_lost"
)
BRIDGE_STOPPED = Ending("bridge_stopped", "line", "The bridge was stopped.", "shutdown")
BRIDGE_LOST = Ending(
    "bridge_lost", "line", "The SIP bridge stopped without a word during the call.", "bridge_lost"
)
BRIDGE_FAILED = Ending("bridge_failed", "line", "The bridge failed on this call.", "line_ended")

_BY_REASON: dict[int, Ending] = {
    DisconnectReason.ROOM_DELETED: ROOM_DELETED,
    DisconnectReason.ROOM_CLOSED: ROOM_DELETED,
    DisconnectReason.PARTICIPANT_REMOVED: CALLER_REMOVED,
    DisconnectReason.DUPLICATE_IDENTITY: CALLER_REPLACED,
}


def by_room(reason: int) -> Ending:
    """The ending that a LiveKit disconnect reason stands for; unknown ones are a lost server."""
    return _BY_REASON.get(reason, SERVER_LOST)


def by_agent(last_reason: int | None) -> Ending:
    """The ending when the last agent is gone: it left by itself, or it was lost.

    Args:
        last_reason: LiveKit's disconnect reason of the agent that went last; None when nobody was seen going.
    """
    if last_reason in (None, DisconnectReason.CLIENT_INITIATED, DisconnectReason.PARTICIPANT_REMOVED):
        return AGENT_LEFT
    return AGENT_LOST
