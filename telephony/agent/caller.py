"""Who is on the telephone: the participant that a call is about."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Any

from livekit import rtc

from telephony.calls.ids import call_id_from_sip, is_call_id
from telephony.calls.job_attributes import OPERATOR, ROLE

if TYPE_CHECKING:
    from collections.abc import Mapping

_KINDS = frozenset(
    {
        rtc.ParticipantKind.PARTICIPANT_KIND_SIP,
        rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD,
        rtc.ParticipantKind.PARTICIPANT_KIND_CONNECTOR,
    }
)


class Caller:
    """The participant at the other end, and how far the call has come."""

    def __init__(self, participant: rtc.RemoteParticipant) -> None:
        self.identity = participant.identity
        self.is_telephone = participant.kind == rtc.ParticipantKind.PARTICIPANT_KIND_SIP
        self._attributes = dict(participant.attributes)
        self.answered = False
        self.update({})

    @property
    def number(self) -> str:
        """The far number; empty when it is withheld or there is none."""
        return self._attributes.get("sip.phoneNumber", "")

    @property
    def line_number(self) -> str:
        """Our number in this call."""
        return self._attributes.get("sip.trunkPhoneNumber", "")

    @property
    def has_hung_up(self) -> bool:
        """Whether the bridge says so, which it may before the participant leaves."""
        return self._attributes.get("sip.callStatus") == "hangup"

    def update(self, attributes: Mapping[str, str]) -> None:
        """Take over attributes that have changed."""
        self._attributes.update(attributes)
        if not self.is_telephone or self._attributes.get("sip.callStatus") == "active":
            self.answered = True

    def call_id(self, job_metadata: str, job_id: str) -> str:
        """The call's id: what the job was told, else from ``sip.callID``, else from the job's own id."""
        told = _told(job_metadata)
        if told:
            return told
        try:
            return call_id_from_sip(self._attributes.get("sip.callID", ""))
        except ValueError:
            return "call_" + re.sub(r"[^0-9A-Za-z]", "", job_id)[:64].rjust(6, "0")


async def find_caller(
    room: rtc.Room, limit_s: float, over: asyncio.Event, *, telephone: bool = False
) -> Caller | None:
    """Wait for the caller to be in the room; None when nobody came in time, or the call is over.

    Args:
        telephone: whether only a telephone can be meant.
    """
    kinds = {rtc.ParticipantKind.PARTICIPANT_KIND_SIP} if telephone else _KINDS
    arrived: asyncio.Future[rtc.RemoteParticipant] = asyncio.get_running_loop().create_future()

    def look(participant: rtc.RemoteParticipant) -> None:
        is_operator = participant.attributes.get(ROLE) == OPERATOR
        if participant.kind in kinds and not is_operator and not arrived.done():
            arrived.set_result(participant)

    room.on("participant_connected", look)
    ended = asyncio.create_task(over.wait())
    try:
        for participant in room.remote_participants.values():
            look(participant)
        waited: set[asyncio.Future[Any]] = {arrived, ended}
        await asyncio.wait(waited, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        return Caller(arrived.result()) if arrived.done() else None
    finally:
        room.off("participant_connected", look)
        ended.cancel()
        arrived.cancel()


def _told(job_metadata: str) -> str:
    try:
        told = json.loads(job_metadata or "{}").get("call_id", "")
    except (ValueError, AttributeError):
        return ""
    return told if isinstance(told, str) and is_call_id(told) else ""
