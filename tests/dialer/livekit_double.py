"""livekit-server, its agent and a bridge with a telephone, as far as a dialler sees them, in memory.

A test says where the process dies: ``Killed`` passes through everything, as a kill leaves nothing done.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from livekit.protocol import sip as proto_sip
from livekit.protocol.models import ParticipantInfo, Room

from telephony.errors import LiveKitError
from telephony.livekit_client import LiveKit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from livekit.protocol.room import CreateRoomRequest


class Killed(BaseException):
    """The process was killed here."""


class LiveKitDouble(LiveKit):
    """One server.

    Attributes:
        rings: the permits for which the telephone rang, in order.
        rooms: who is where.
        dies: the points at which the process is killed, once each.
        far_end: what the telephone does once it rings: returns, or raises what livekit-server would.
        agents: whether agents come when a room asks for them.
        asked_again: how many times an agent was sent for anew.
        comes_when_asked_again: whether it comes then.
    """

    def __init__(self) -> None:
        super().__init__("ws://double", "key", "secret")
        self.rings: list[str] = []
        self.rooms: dict[str, list[ParticipantInfo]] = {}
        self.dies: set[str] = set()
        self.away: set[str] = set()
        self.agents = True
        self.asked_again = 0
        self.comes_when_asked_again = False
        self.far_end: Callable[[], Awaitable[None]] = _answers

    def reach(self, point: str) -> None:
        """Get here, or not."""
        if point in self.dies:
            self.dies.discard(point)
            raise Killed(point)
        if point in self.away:
            raise LiveKitError(f"livekit-server did not answer {point}.", code="no_answer", retryable=True)

    async def list_outbound_trunks(self) -> list[proto_sip.SIPOutboundTrunkInfo]:
        self.reach("before the room")
        mark = '{"trunkline":{"line":"default","key":"outbound/out","fields":{}}}'
        return [proto_sip.SIPOutboundTrunkInfo(sip_trunk_id="ST_1", metadata=mark)]

    async def create_room(self, request: CreateRoomRequest) -> Room:
        if request.name not in self.rooms:
            self.rooms[request.name] = [_agent()] * len(request.agents) if self.agents else []
        self.reach("after the room")
        return Room(name=request.name)

    async def dispatch_anew(self, room: str, agent_name: str, metadata: str) -> None:
        self.asked_again += 1
        if self.comes_when_asked_again:
            self.rooms[room] = [_agent()]

    async def delete_room(self, room: str) -> bool:
        return self.rooms.pop(room, None) is not None

    async def list_participants(self, room: str) -> list[ParticipantInfo]:
        people = self.rooms.get(room, [])
        if any(person.kind == ParticipantInfo.Kind.AGENT for person in people):
            self.reach("with the agent")
        return people

    async def dial(
        self, request: proto_sip.CreateSIPParticipantRequest, *, timeout_s: float
    ) -> proto_sip.SIPParticipantInfo:
        self.reach("before the request")
        self.rings.append(request.participant_attributes["trunkline.permit"])
        phone = ParticipantInfo(
            identity=request.participant_identity,
            kind=ParticipantInfo.Kind.SIP,
            state=ParticipantInfo.State.ACTIVE,
            attributes={**request.participant_attributes, "sip.callStatus": "ringing"},
        )
        self.rooms.setdefault(request.room_name, []).append(phone)
        self.reach("while it rings")
        await self.far_end()
        phone.attributes["sip.callStatus"] = "active"
        self.reach("after the answer")
        return proto_sip.SIPParticipantInfo(sip_call_id="SCL_abcDEF123456")


def _agent() -> ParticipantInfo:
    return ParticipantInfo(
        identity="agent", kind=ParticipantInfo.Kind.AGENT, state=ParticipantInfo.State.ACTIVE
    )


async def _answers() -> None:
    await asyncio.sleep(0.01)


def refuses(code: str, message: str = "", **details: Any) -> Callable[[], Awaitable[None]]:
    """A far end that does not take the call."""

    async def refuse() -> None:
        raise LiveKitError(message, code=code, details={name: str(value) for name, value in details.items()})

    return refuse


async def rings_on() -> None:
    """A far end that never answers."""
    await asyncio.sleep(60)
