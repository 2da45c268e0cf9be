"""A number on the bridge under test, and the two ways in which an agent can take its calls."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Literal, Self

from livekit import api, rtc

from telephony.calls import job_attributes
from tests.bridge.direct import AGENT, JobDouble, LinkedJob
from tests.bridge.number import Number
from tests.bridge.servers import API_KEY, API_SECRET
from tests.waiting import limit, until

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from telephony.audio.frame import Samples
    from tests.bridge.agent_double import RoomPerson
    from tests.contract.process import BridgeProcess
    from tests.dispatch.machine import WorkerDouble

AudioPath = Literal["room", "direct"]
VOICE_HZ = 440.0
"""What an agent says."""
CALLER_HZ = 1000.0
"""What a telephone says."""


class ContractLine(Number):
    """One number of its own on the bridge that all tests share.

    Args:
        worker: of this machine's dispatcher; None where the bridge knows no direct line.
        links: the folder of the direct line's sockets.
    """

    def __init__(self, bridge: BridgeProcess, url: str, worker: WorkerDouble | None, links: Path) -> None:
        super().__init__(url)
        self.bridge = bridge
        self.worker = worker
        self.links = links
        self._agents: list[ContractAgent] = []

    async def __aenter__(self) -> Self:
        self.open_api()
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            for agent in self._agents:
                await agent.close()
            await self.remove_provisions()
        finally:
            await self.api.aclose()

    @property
    def port(self) -> int:
        """The bridge's SIP port."""
        return self.bridge.port

    def agent(self, path: AudioPath) -> ContractAgent:
        """Somebody who takes this number's calls in one of the two ways; left at the end."""
        agent = RoomAgent(self) if path == "room" else DirectAgent(self)
        self._agents.append(agent)
        return agent

    def watcher(self) -> ContractAgent:
        """Somebody who is no agent, so that the room stays for him when the telephone has left."""
        agent = RoomAgent(self, identity="watcher", kind="standard")
        self._agents.append(agent)
        return agent

    async def provision_for(
        self, path: AudioPath, *, rule: dict[str, Any] | None = None, **more: Any
    ) -> None:
        """A trunk and a rule; on the direct line the rule sends for this machine's agent."""
        config = api.RoomConfiguration()
        if path == "direct":
            config.agents.append(api.RoomAgentDispatch(agent_name=AGENT))
        await self.provision(rule={"room_config": config, **(rule or {})}, **more)

    async def is_gone(self, identity: str) -> bool:
        """Whether a participant is not in the room, or the room is no more."""
        return self.room_name not in await self.rooms() or identity not in await self.participants()

    async def remove(self, identity: str) -> None:
        """Take a participant out of the room."""
        participant = api.RoomParticipantIdentity(room=self.room_name, identity=identity)
        await self.api.room.remove_participant(participant)

    async def delete_room(self) -> None:
        """End the room."""
        await self.api.room.delete_room(api.DeleteRoomRequest(room=self.room_name))


class ContractAgent(ABC):
    """What the contract needs of an agent, whichever way its audio goes."""

    def __init__(self, line: ContractLine) -> None:
        self.line = line
        self.keys: list[str] = []
        self.statuses: list[str] = []
        self.reasons: dict[str, int] = {}
        """By identity: with what reason participants have left."""
        self.was_away = False
        """Whether the watcher's own connection was made anew: who left meanwhile has no reason then."""

    @property
    @abstractmethod
    def room(self) -> rtc.Room:
        """The agent's end of the room."""

    @property
    @abstractmethod
    def heard(self) -> list[Samples]:
        """What came from the telephone, in frames."""

    @abstractmethod
    async def take(self, voice_hz: float = VOICE_HZ) -> None:
        """Come for an inbound call, so that it is answered, and speak."""

    @abstractmethod
    async def await_call(self) -> None:
        """Be in the room before a call of ours is dialled."""

    @abstractmethod
    async def take_dialled(self, voice_hz: float = VOICE_HZ) -> None:
        """While it rings: be there for the call when it is answered, and speak."""

    @abstractmethod
    async def hang_up(self) -> None:
        """End the call by the means of this way."""

    @abstractmethod
    async def press(self, code: int, digit: str) -> None:
        """Send a key to the telephone."""

    @abstractmethod
    async def close(self) -> None:
        """Leave."""

    @abstractmethod
    def samples(self, last_s: float) -> np.ndarray[Any, np.dtype[np.int16]]:
        """The end of what was heard."""

    @property
    def caller(self) -> rtc.RemoteParticipant | None:
        """The telephone's participant, once it is there."""
        for participant in self.room.remote_participants.values():
            if participant.kind == rtc.ParticipantKind.PARTICIPANT_KIND_SIP:
                return participant
        return None

    @property
    def status(self) -> str:
        """The call's status by its participant's attributes."""
        caller = self.caller
        return caller.attributes.get("sip.callStatus", "") if caller else ""

    async def sees_track(self, identity: str) -> None:
        """Wait until a participant publishes: of who does not, the server tells up to three seconds late."""

        def publishes() -> bool:
            participant = self.room.remote_participants.get(identity)
            return participant is not None and bool(participant.track_publications)

        await until(publishes)

    async def sees(self, status: str) -> None:
        """Wait until the call has, or has had, a status."""
        await until(lambda: status in (self.status, *self.statuses))

    def _watch(self, room: rtc.Room) -> None:
        def changed(_: dict[str, str], participant: rtc.Participant) -> None:
            self.statuses.append(participant.attributes.get("sip.callStatus", ""))

        def left(participant: rtc.RemoteParticipant) -> None:
            self.reasons[participant.identity] = int(participant.disconnect_reason or 0)

        def away() -> None:
            self.was_away = True

        room.on("participant_attributes_changed", changed)
        room.on("participant_disconnected", left)
        room.on("reconnecting", away)


class RoomAgent(ContractAgent):
    """A participant whose track is heard, as with livekit-sip."""

    def __init__(self, line: ContractLine, *, identity: str = "agent", kind: str = "agent") -> None:
        super().__init__(line)
        self._person: RoomPerson = line.person(identity=identity, kind=kind)
        self.keys = self._person.keys
        self._watch(self._person.room)

    @property
    def room(self) -> rtc.Room:
        return self._person.room

    @property
    def heard(self) -> list[Samples]:
        return self._person.heard

    async def take(self, voice_hz: float = VOICE_HZ) -> None:
        await self.line.room_appears()
        await self.await_call()
        await self._person.speak(voice_hz)

    async def await_call(self) -> None:
        await self._person.__aenter__()

    async def take_dialled(self, voice_hz: float = VOICE_HZ) -> None:
        await self._person.speak(voice_hz)

    async def hang_up(self) -> None:
        caller = self.caller
        assert caller is not None, "the call is up"
        await self.room.local_participant.perform_rpc(
            destination_identity=caller.identity, method="lk.sip.EndCall", payload='{"headers":{}}'
        )

    async def press(self, code: int, digit: str) -> None:
        await self.room.local_participant.publish_dtmf(code=code, digit=digit)

    async def close(self) -> None:
        await self._person.leave()

    def samples(self, last_s: float) -> np.ndarray[Any, np.dtype[np.int16]]:
        return self._person.samples(last_s)


class DirectAgent(ContractAgent):
    """A job of this machine, whose audio goes by the call's socket; in the room beside it."""

    def __init__(self, line: ContractLine) -> None:
        super().__init__(line)
        self._room = rtc.Room()
        self._job: LinkedJob | None = None
        self._talking: asyncio.Task[None] | None = None

    @property
    def room(self) -> rtc.Room:
        return self._room

    @property
    def job(self) -> LinkedJob:
        """Its end of the call's socket."""
        assert self._job is not None, "it came"
        return self._job

    @property
    def heard(self) -> list[Samples]:
        return self.job.heard

    async def take(self, voice_hz: float = VOICE_HZ) -> None:
        worker = self.line.worker
        assert worker is not None, "there is a dispatcher"

        def mine() -> list[Any]:
            return [one for one in worker.assigned if one.job.room.name == self.line.room_name]

        await until(mine)
        job = self._job = JobDouble(mine()[0], self.line.links)
        await job.come(clips=False)
        self.keys = job.keys
        job.end.ready()
        self._talking = asyncio.create_task(self._talk(voice_hz))
        self._watch(self._room)
        await self._room.connect(self.line.url, job.assignment.token, rtc.RoomOptions(auto_subscribe=False))

    async def await_call(self) -> None:
        grants = api.VideoGrants(room_join=True, room=self.line.room_name, room_create=True, agent=True)
        token = api.AccessToken(API_KEY, API_SECRET).with_identity("agent").with_grants(grants)
        self._watch(self._room)
        await self._room.connect(
            self.line.url, token.with_kind("agent").to_jwt(), rtc.RoomOptions(auto_subscribe=False)
        )

    async def take_dialled(self, voice_hz: float = VOICE_HZ) -> None:
        await until(lambda: self.caller is not None)
        assert self.caller is not None
        link = self.line.links / self.caller.attributes[job_attributes.LINK]
        job = self._job = LinkedJob(link, "AJ_dialled")
        await job.come(clips=False)
        self.keys = job.keys
        job.end.ready()
        self._talking = asyncio.create_task(self._talk(voice_hz))

    async def _talk(self, voice_hz: float) -> None:
        # All at once is how voices deliver; a whole second of a tone joins the next without a click.
        while True:
            await self.job.say(voice_hz, 1.0)
            await asyncio.sleep(0.9)

    async def hang_up(self) -> None:
        self.job.end.hang_up()

    async def press(self, code: int, digit: str) -> None:
        self.job.end.press(digit)

    async def close(self) -> None:
        if self._talking is not None:
            self._talking.cancel()
            await asyncio.gather(self._talking, return_exceptions=True)
        if self._job is not None:
            await self._job.close()
        async with limit(5):
            await self._room.disconnect()

    def samples(self, last_s: float) -> np.ndarray[Any, np.dtype[np.int16]]:
        return self.job.samples(last_s)
