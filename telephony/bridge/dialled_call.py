"""What is different in a call that we dialled, once the phone answers: keys first, then the room.

Mirrors livekit/sip v1.11.0 ``pkg/sip/outbound.go``: after the answer the digits are pressed
(``sip.callStatus=automation``), then the call is ``active`` and the room's tracks are subscribed to, so
that nothing is said to a phone that still rings. Nobody needs to be in the room: a call is only ended for
want of somebody to talk to after there was somebody.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from typing_extensions import override

from telephony.bridge import attributes, ending
from telephony.bridge.call import Call
from telephony.errors import RtpError
from telephony.logs import get_logger

if TYPE_CHECKING:
    import asyncio

    from telephony.bridge.call import CallServices
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
    """

    def __init__(self, services: CallServices, record: CallRecord, *, keys: str = "") -> None:
        super().__init__(services, record)
        self.caller.subscribes = False
        self.answer_attributes: dict[str, str] = {}
        self._keys = keys.upper().replace("W", "w")
        self._met_somebody = False
        self._ringing: asyncio.Task[None] | None = None

    def ringing(self, tasks: asyncio.TaskGroup) -> None:
        """The phone rings: tell the room, the first time."""
        if self._ringing is None:
            status = {attributes.CALL_STATUS: "ringing"}
            self._ringing = tasks.create_task(self.caller.set_attributes(status))

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
