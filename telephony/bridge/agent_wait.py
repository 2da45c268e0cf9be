"""An inbound call's wait for whoever answers it: an agent of this machine, or somebody in the room.

Guarantee: decides once, to answer or to refuse and why. On the direct line a job is sent for before it
rings, and the caller joins the room beside that; through the room the caller joins first, and
livekit-server sends for the agent.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from telephony.bridge import ending, refusal
from telephony.bridge.agent_order import AgentOrder, order_agent
from telephony.bridge.answering import RINGING_TIMEOUT_S, AnswerGate
from telephony.bridge.direct_line import DirectLine
from telephony.bridge.people import People
from telephony.bridge.watch import MAX_DURATION_S
from telephony.errors import DispatchError, LinkError
from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.bridge.call import Call
    from telephony.bridge.io_service import Dispatch
    from telephony.bridge.refusal import Refusal

log = get_logger(__name__)

_AGENT_FIRST_S = 0.3


class AgentWait:
    """One call's wait.

    Args:
        ring: begins to ring; harmless when repeated.

    Attributes:
        dispatch: what the rule says, without the agent that this machine sends for.
    """

    def __init__(self, call: Call, dispatch: Dispatch, ring: Callable[[], None]) -> None:
        self.dispatch = dispatch
        self._call = call
        self._services = call.services
        self._record = call.record
        self._ring = ring
        self._order: AgentOrder | None = None
        self._gate: AnswerGate | None = None
        self._agent_ready = asyncio.Event()

    @property
    def is_direct(self) -> bool:
        """Whether an agent of this machine was sent for, or is about to be."""
        return self._order is not None

    def choose_path(self) -> Refusal | None:
        """Direct where this machine's dispatcher can send for the agent; only then ringing waits for it."""
        dispatcher = self._services.dispatcher
        found = order_agent(self.dispatch, dispatcher.serves) if dispatcher is not None else None
        if found is not None:
            self._order, self.dispatch = found
            return None
        if self._services.config.audio_path == "direct":
            config = self.dispatch.room_config
            return refusal.not_served(
                ", ".join(agent.agent_name for agent in config.agents) if config is not None else ""
            )
        self._ring()
        return None

    async def send_for_agent(self) -> Refusal | None:
        """On the direct line: have a job on its way, and ring; why the call is refused, or None."""
        order, services = self._order, self._services
        if order is None:
            return None
        assert services.dispatcher is not None, "it serves the agent"
        assert services.config.link_dir is not None, "checked with audio_path"
        direct = DirectLine(
            services.clock,
            services.config.link_dir,
            services.dispatcher,
            order,
            self._record.call_id,
            services.media,
        )
        self._call.use_direct(direct)
        gate = self._made_gate()
        direct.on_here = lambda is_here: gate.people(People(agents=int(is_here)))
        direct.on_ready = lambda: self._direct_ready(gate)
        direct.on_failed = lambda: gate.refuse(refusal.agent_failed(services.config.refuse_status))
        self._refuse_when_closed(gate)
        gate.start(People())
        until = self._invited_at + (services.config.agent_wait_timeout or RINGING_TIMEOUT_S)
        try:
            await direct.send_for(until, self._ring)
        except DispatchError as error:
            return refusal.not_dispatched(services.config.refuse_status, error)
        except LinkError as error:
            return refusal.no_socket(error)
        self._record.mark("dispatched")
        self._ring()
        people = await self.people_by_server()
        if people.sip or people.others:
            # As with livekit-server: who joins others is not given an agent of their own.
            self._call.leave_direct()
            self._order = None
        return None

    async def agent_first(self) -> None:
        """Wait until the agent is ready, whose start needs the processors more, or only a moment."""
        try:
            async with asyncio.timeout(_AGENT_FIRST_S):
                await self._agent_ready.wait()
        except TimeoutError:
            log.debug("joined_before_agent", call_id=self._record.call_id)

    def watch_room(self) -> None:
        """Through the room: let whoever is heard there answer; before joining."""
        gate = self._made_gate()
        self._call.on_audible = gate.audible
        self._call.on_people = gate.people

    async def decided(self, tasks: asyncio.TaskGroup) -> Refusal | None:
        """Wait; None to answer, or to look why the call was given up."""
        gate = self._made_gate()
        if not self.is_direct:
            if self._call.over.value is not None:
                return refusal.room_closed(self._call.over.value)
            self._refuse_when_closed(gate)
            gate.look = lambda: self._look(gate, tasks)
            gate.start(self._call.caller.people())
        return await gate.decision.wait(self._services.clock, 2 * MAX_DURATION_S)

    def refuse(self, refused: Refusal) -> None:
        """Something else ends the wait."""
        if self._gate is not None:
            self._gate.refuse(refused)

    def abandon(self) -> None:
        """The caller gave up: whoever waits is woken, nothing is to be answered."""
        if self._gate is not None:
            self._gate.abandon()

    def close(self) -> None:
        """Decide nothing more, and keep nobody from going on."""
        self._agent_ready.set()
        if self._gate is not None:
            self._gate.close()

    async def people_by_server(self) -> People:
        """Who else is in the room, asked of livekit-server."""
        dispatch = self.dispatch
        return await self._services.rooms.people(dispatch.room_name, but=dispatch.identity)

    def _direct_ready(self, gate: AnswerGate) -> None:
        self._agent_ready.set()
        gate.audible()

    def _refuse_when_closed(self, gate: AnswerGate) -> None:
        self._call.caller.on_closed = lambda reason: gate.refuse(refusal.room_closed(ending.by_room(reason)))

    def _look(self, gate: AnswerGate, tasks: asyncio.TaskGroup) -> None:
        async def look() -> None:
            gate.looked(await self.people_by_server())

        tasks.create_task(look())

    def _made_gate(self) -> AnswerGate:
        if self._gate is None:
            config = self._services.config
            self._gate = AnswerGate(
                self._services.clock,
                invited_at=self._invited_at,
                agent_wait_s=config.agent_wait_timeout,
                ringing_s=self.dispatch.ringing_timeout_s or RINGING_TIMEOUT_S,
                refuse_status=config.refuse_status,
            )
        return self._gate

    @property
    def _invited_at(self) -> float:
        # Who entered a PIN waits from then on.
        return self._record.at("pin") or self._record.at("invite") or self._services.clock.now()
