"""Set a call's room up before any phone rings: the room, the agent in it, the trunk's id at LiveKit.

Everything here may be done again: a room that is there is found, its agent is asked for with the room, so
a second dialler that takes the call over brings no second agent.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from livekit.protocol.models import ParticipantInfo

from provisioning.ownership import read_metadata
from telephony.calls.ids import call_id_from_attributes
from telephony.errors import DialError
from telephony.logs import get_logger
from telephony.webhooks.livekit import describe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from livekit.protocol.room import CreateRoomRequest
    from livekit.protocol.sip import SIPOutboundTrunkInfo

    from telephony.livekit_client import LiveKit

log = get_logger(__name__)

AGENT_WAIT_S = 15.0
"""How long the agent is waited for in the room; the phone does not ring without it."""

ASK_AGAIN_S = 6.0
"""After this it is sent for anew: livekit-server gives a job that a dead worker had to nobody else."""

AT_ONCE = 6
"""How many rooms of a process wait for their agents at once; more at once would all come later."""

_LOOKS_S = (0.03, 0.05, 0.05, 0.1, 0.1, 0.2, 0.3)
_TRUNKS_KEPT_S = 30.0


@dataclass(frozen=True, slots=True)
class Present:
    """Who is in a call's room.

    Attributes:
        agents: how many.
        phone_status: ``sip.callStatus`` of the call's own phone; None where it is not there.
    """

    agents: int = 0
    phone_status: str | None = None


class Stage:
    """Asks livekit-server for what a call out needs.

    Args:
        line: the name that marks the objects at LiveKit that are ours.
    """

    def __init__(self, livekit: LiveKit, line: str) -> None:
        self._livekit = livekit
        self._line = line
        self._places = asyncio.Semaphore(AT_ONCE)
        self._trunks: dict[str, str] = {}
        self._trunks_at = -_TRUNKS_KEPT_S

    async def trunk_id(self, name: str) -> str:
        """LiveKit's id of one of our outbound trunks.

        Raises:
            DialError: LiveKit has none of that name.
            LiveKitError: livekit-server refused or did not answer.
        """
        now = time.monotonic()
        if name not in self._trunks or now - self._trunks_at > _TRUNKS_KEPT_S:
            self._trunks = trunk_ids(await self._livekit.list_outbound_trunks(), self._line)
            self._trunks_at = now
        if name not in self._trunks:
            raise DialError(
                f"LiveKit has no outbound trunk of the name {name}.",
                field="sip_trunks",
                fix="Run: trunkline provision apply",
                retryable=True,
            )
        return self._trunks[name]

    def forget_trunks(self) -> None:
        """LiveKit did not know an id: look them up anew."""
        self._trunks_at = -_TRUNKS_KEPT_S

    async def set_up(self, room: CreateRoomRequest, wait_s: float) -> bool:
        """Open the room and wait for its agent; False when none came in time.

        Raises:
            LiveKitError: livekit-server refused or did not answer.
        """
        async with self._places:
            return await self._set_up(room, wait_s)

    async def _set_up(self, room: CreateRoomRequest, wait_s: float) -> bool:
        await self._livekit.create_room(room)
        until = time.monotonic() + wait_s
        while True:
            if await self._agent_comes(room.name, min(until, time.monotonic() + ASK_AGAIN_S)):
                return True
            if time.monotonic() + _LOOKS_S[-1] > until:
                return False
            for agent in room.agents:
                log.info("agent_asked_again", room=room.name)
                await self._livekit.dispatch_anew(room.name, agent.agent_name, agent.metadata)

    async def _agent_comes(self, room: str, until: float) -> bool:
        tries = 0
        while True:
            if (await self.present(room, "")).agents:
                return True
            pause_s = _LOOKS_S[min(tries, len(_LOOKS_S) - 1)]
            if time.monotonic() + pause_s > until:
                return False
            await asyncio.sleep(pause_s)
            tries += 1

    async def present(self, room: str, call_id: str) -> Present:
        """Who is in a room now; nobody when there is no such room.

        Raises:
            LiveKitError: livekit-server refused or did not answer.
        """
        return present(await self._livekit.list_participants(room), room, call_id)


def present(people: Sequence[ParticipantInfo], room: str, call_id: str) -> Present:
    """Read a room's list of participants. Pure."""
    described = [(person, describe(person, room)) for person in people]
    agents = sum(
        data["kind"] == "AGENT" and person.state == ParticipantInfo.State.ACTIVE for person, data in described
    )
    for person, data in described:
        if data["kind"] == "SIP" and call_id_from_attributes(person.attributes) == call_id:
            return Present(agents, data["status"])
    return Present(agents)


def trunk_ids(trunks: Sequence[SIPOutboundTrunkInfo], line: str) -> dict[str, str]:
    """Name in the one file to LiveKit's id, of the trunks that carry this line's mark. Pure."""
    found = {}
    for trunk in trunks:
        _, mark = read_metadata(trunk.metadata)
        if mark is not None and mark.line == line and mark.key.startswith("outbound/"):
            found[mark.key.removeprefix("outbound/")] = trunk.sip_trunk_id
    return found
