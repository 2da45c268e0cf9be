"""What is different in a call that we dialled, once the phone answers: keys first, then the room.

Mirrors livekit/sip v1.11.0 ``pkg/sip/outbound.go``: after the answer the digits are pressed
(``sip.callStatus=automation``), then the call is ``active`` and the room's tracks are subscribed to, so
that nothing is said to a phone that still rings. Nobody needs to be in the room: a call is only ended for
want of somebody to talk to after there was somebody.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from typing_extensions import override

from telephony.bridge import attributes, ending
from telephony.bridge.call import Call
from telephony.bridge.offered_line import OfferedLine
from telephony.calls import job_attributes
from telephony.errors import RtpError
from telephony.logs import get_logger

if TYPE_CHECKING:
    from telephony.audio.frame import Samples
    from telephony.bridge.call_services import CallServices
    from telephony.bridge.ending import Ending
    from telephony.bridge.people import People
    from telephony.bridge.record import CallRecord

log = get_logger(__name__)

_AS_CALLEE = {
    ending.CALLER_HUNG_UP: ending.CALLEE_HUNG_UP,
    ending.CALLER_VANISHED: ending.CALLEE_VANISHED,
}


class DialledCall(Call):
    """One call of our own.

    Args:
        keys: pressed after the answer; ``w`` waits half a second.

    Attributes:
        answer_attributes: set together with the status, once the phone has answered.
        offered: the direct line, until it is settled who takes it.
    """

    def __init__(self, services: CallServices, record: CallRecord, *, keys: str = "") -> None:
        super().__init__(services, record)
        self.caller.subscribes = False
        self.answer_attributes: dict[str, str] = {}
        self.offered: OfferedLine | None = None
        self._keys = keys.upper().replace("W", "w")
        self._met_somebody = False
        self._ringing: asyncio.Task[None] | None = None
        self._offering: asyncio.Task[None] | None = None

    def ringing(self, tasks: asyncio.TaskGroup) -> None:
        """The phone rings: tell the room, the first time."""
        if self._ringing is None:
            status = {attributes.CALL_STATUS: "ringing"}
            self._ringing = tasks.create_task(self.caller.set_attributes(status))

    async def publish(self) -> None:
        """Publish the phone's track: who publishes nothing is not told of to others.

        Raises:
            LiveKitError: livekit-server does not let us.
        """
        await self._room_audio.start()

    def play_to_room(self, frame: Samples) -> None:
        """Let everybody who waits hear 20 ms, before the answer."""
        self._room_audio.feed(frame)
        if self.offered is not None:
            self.offered.link.hear(frame)

    async def offer_line(self) -> str:
        """Offer the call's audio to an agent of this machine; the socket's name, empty where there is none.

        Raises:
            LinkError: no socket can be made.
        """
        config, dispatcher = self.services.config, self.services.dispatcher
        if dispatcher is None or config.link_dir is None:
            return ""
        room = str(self.record.fields.get("room", ""))
        offered = OfferedLine(
            self.services.clock,
            config.link_dir,
            dispatcher,
            room,
            self.record.call_id,
            self.services.media,
        )
        offered.link.on_hang_up = self.services.media.to_owner(lambda: self.end(ending.AGENT_HUNG_UP))
        offered.on_offered = self._offer_again
        name = await offered.offer()
        self.offered = offered
        return name

    def _offer_again(self, name: str) -> None:
        """The agent's job is gone: whoever follows it finds another socket."""
        self._stop_offering()
        link = {job_attributes.LINK: name}
        self._offering = asyncio.get_running_loop().create_task(self.caller.set_attributes(link))

    def _stop_offering(self) -> None:
        if self._offering is not None:
            self._offering.cancel()

    def settle_path(self) -> None:
        """The phone has answered: its audio goes to whoever took the offer, else through the room."""
        offered, self.offered = self.offered, None
        if offered is None:
            return
        if offered.taken:
            self.use_direct(offered)
        else:
            offered.close("not taken")

    @override
    def drop(self) -> None:
        if self.offered is not None:
            self.offered.close(self.over.value.name if self.over.value is not None else "not answered")
            self.offered = None
        self._stop_offering()
        super().drop()

    def stop_telling(self) -> None:
        """The room need not be told of the ringing any more."""
        if self._ringing is not None:
            self._ringing.cancel()

    @override
    def end(self, how: Ending) -> None:
        super().end(_AS_CALLEE.get(how, how))

    @override
    def _with_agent(self, people: People) -> People:
        people = super()._with_agent(people)
        self._met_somebody = self._met_somebody or people.can_talk
        return people if self._met_somebody else replace(people, agents=1)

    @override
    async def _become_active(self) -> None:
        # The SDK may wait for ever for a change that another one has overtaken.
        self.stop_telling()
        if self._keys and self.rtp is not None:
            await self.caller.set_attributes({**self.answer_attributes, attributes.CALL_STATUS: "automation"})
            try:
                await self.rtp.send_digits(self._keys)
            except RtpError as error:
                log.warning("keys_not_sent", call_id=self.record.call_id, reason=error.message)
        self.caller.subscribe()
        await self.caller.set_attributes({**self.answer_attributes, attributes.CALL_STATUS: "active"})
        self.record.mark("active")
