"""Why a call ended, and who ended it. Pure: of LiveKit only its numbers for reasons are used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from livekit import rtc

EndedBy = Literal["caller", "agent", "operator", "line"]
"""``line`` is the room, the server or this process, when none of the people ended the call."""


@dataclass(frozen=True, slots=True)
class Ending:
    """One end of one call; ``cause`` is a sentence without its full stop."""

    by: EndedBy
    cause: str


_LOST: Final = Ending("line", "the caller's leg was lost")
_LEFT: Final = {
    rtc.DisconnectReason.CLIENT_INITIATED: Ending("caller", "the caller hung up"),
    rtc.DisconnectReason.USER_REJECTED: Ending("caller", "the caller refused the call"),
    rtc.DisconnectReason.USER_UNAVAILABLE: Ending("caller", "the caller did not answer"),
    rtc.DisconnectReason.PARTICIPANT_REMOVED: Ending("line", "the caller was removed from the room"),
    rtc.DisconnectReason.ROOM_DELETED: Ending("line", "the room was deleted"),
    rtc.DisconnectReason.ROOM_CLOSED: Ending("line", "the room was closed"),
    rtc.DisconnectReason.DUPLICATE_IDENTITY: Ending("line", "the same caller joined a second time"),
    rtc.DisconnectReason.SIP_TRUNK_FAILURE: Ending("line", "the trunk failed"),
    rtc.DisconnectReason.CONNECTION_TIMEOUT: Ending("line", "the bridge lost its connection"),
    rtc.DisconnectReason.SIGNAL_CLOSE: Ending("line", "the bridge lost its connection"),
    rtc.DisconnectReason.MEDIA_FAILURE: Ending("line", "the caller's audio stopped"),
    rtc.DisconnectReason.SERVER_SHUTDOWN: Ending("line", "livekit-server was stopped"),
}


SERVER_LOST: Final = Ending("line", "the connection to livekit-server was lost")

_MEANT: Final = frozenset(
    {
        rtc.DisconnectReason.CLIENT_INITIATED,
        rtc.DisconnectReason.USER_REJECTED,
        rtc.DisconnectReason.USER_UNAVAILABLE,
        rtc.DisconnectReason.PARTICIPANT_REMOVED,
        rtc.DisconnectReason.ROOM_DELETED,
        rtc.DisconnectReason.SIP_TRUNK_FAILURE,
    }
)


def is_meant(reason: object) -> bool:
    """Whether somebody wanted a participant out of the room; else its connection was lost and may come back.

    Args:
        reason: LiveKit's, None where nothing was said; of another call with the same identity it is said too
            when a bridge comes back before the server has missed it.
    """
    return reason in _MEANT


_BY_BRIDGE: Final = {
    "caller_hung_up": Ending("caller", "the caller hung up"),
    "caller_vanished": Ending("line", "the telephone no longer knew the call"),
    "refused": Ending("caller", "the caller gave up before the call was answered"),
    "not answered": Ending("caller", "the call was not answered"),
    "callee_hung_up": Ending("caller", "the called party hung up"),
    "callee_vanished": Ending("line", "the telephone no longer knew the call"),
    "not_wanted": Ending("operator", "the call was called off"),
    "media_timeout": Ending("line", "the caller's audio stopped"),
    "max_duration": Ending("line", "the call reached its longest duration"),
    "not_acknowledged": Ending("line", "the telephone never acknowledged the answer"),
    "server_lost": SERVER_LOST,
    "bridge_stopped": Ending("line", "the bridge was stopped"),
    "room_deleted": Ending("line", "the room was deleted"),
}


def bridge_hung_up(cause: str, *, handed_over: bool) -> Ending:
    """What the bridge's word for the end of a call means.

    Args:
        cause: the name of the bridge's ending.
        handed_over: whether the operator's side has taken the call.
    """
    if handed_over:
        return Ending("operator", "the operator took the call over")
    return _BY_BRIDGE.get(cause, Ending("line", "the bridge ended the call"))


def caller_left(reason: rtc.DisconnectReason.ValueType | None, *, handed_over: bool) -> Ending:
    """What a caller's leaving the room means.

    Args:
        reason: why, as the server says; None where it says nothing.
        handed_over: whether the operator's side has taken the call.
    """
    if handed_over:
        return Ending("operator", "the operator took the call over")
    return _LOST if reason is None else _LEFT.get(reason, _LOST)
