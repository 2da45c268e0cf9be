"""What livekit-server says of one INVITE: its trunk, whether the caller is who it says, and its room.

Mirrors steps 3, 4 and 6 of livekit/sip v1.11.0 ``pkg/sip/inbound.go``, with the two questions asked at the
same time: livekit-server finds the trunk for itself when it evaluates the rules, and says which it was.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from telephony.bridge import attributes, refusal
from telephony.bridge.caller_identity import is_hidden
from telephony.bridge.io_service import Dispatch, DispatchResult, TrunkAuthentication, describe_call
from telephony.bridge.trunk_auth import Judgement
from telephony.errors import BusError
from telephony.logs import get_logger

if TYPE_CHECKING:
    import asyncio

    from telephony.bridge.io_service import IoService
    from telephony.bridge.limits import CallLimits
    from telephony.bridge.record import CallRecord
    from telephony.bridge.refusal import Refusal
    from telephony.bridge.trunk_auth import TrunkAuth
    from telephony.sip.incoming import IncomingInvite

log = get_logger(__name__)

_NOT_DECIDED = frozenset({"unavailable", "deadline_exceeded", "canceled"})
"""livekit-server did not say anything about the call."""


class CallRouting:
    """Trunk and rule of one call.

    Attributes:
        trunk, dispatch: what was found; empty before.
        challenge: for the caller, where it is to be asked for credentials.
    """

    def __init__(
        self,
        invite: IncomingInvite,
        sip_call_id: str,
        io: IoService,
        trunk_auth: TrunkAuth,
        record: CallRecord,
        limits: CallLimits,
    ) -> None:
        self.trunk = TrunkAuthentication()
        self.dispatch = Dispatch()
        self.challenge = ""
        self._invite = invite
        self._sip_call_id = sip_call_id
        self._io = io
        self._trunk_auth = trunk_auth
        self._record = record
        self._limits = limits
        self._evaluating: asyncio.Task[Dispatch | None] | None = None

    async def find_trunk(self, tasks: asyncio.TaskGroup) -> Refusal | None:
        """Find the trunk and see who calls; why the call is refused, or None."""
        request = self._invite.request
        self._description = describe_call(request, self._invite.source[0], self._sip_call_id)
        self._evaluating = tasks.create_task(self._evaluate())
        try:
            self.trunk = await self._io.authenticate(self._description)
        except BusError as error:
            return refusal.bus_failed(error)
        trunk_id = self.trunk.trunk_id
        self._record.mark("auth")
        self._record.parties["trunk_id"] = trunk_id
        self._record.fields["trunk_id"] = trunk_id
        refused = refusal.by_trunk(self.trunk, self.called)
        if refused is not None:
            return refused
        verdict = self._trunk_auth.judge(request, self.trunk)
        if verdict.judgement is Judgement.ASK:
            self.challenge = verdict.challenge
        elif verdict.judgement is not Judgement.ACCEPTED:
            return refusal.wrong_credentials(
                trunk_id, username_matches=verdict.judgement is Judgement.WRONG_PASSWORD
            )
        else:
            # Only now: whoever cannot prove who it is must not take the places of those who can.
            return self._limits.on_trunk(self._sip_call_id, trunk_id, self.called)
        return None

    async def find_room(self) -> Refusal | None:
        """Find the room; why the call is refused, or None. After ``find_trunk``."""
        assert self._evaluating is not None, "asked with the trunk"
        try:
            found = await self._evaluating
            if found is None or found.trunk_id != self.trunk.trunk_id:
                found = await self._io.evaluate(self._description, self.trunk.trunk_id)
        except BusError as error:
            return refusal.bus_failed(error)
        self._record.mark("dispatch")
        return self._go_to(found)

    @property
    def asks_pin(self) -> bool:
        """Whether the caller must enter a PIN before it is known where the call goes."""
        return self.dispatch.result == DispatchResult.REQUEST_PIN

    async def admit(self, pin: str) -> Refusal | None:
        """Find the room by what the caller entered; ``refusal.WRONG_PIN`` where no rule takes that."""
        try:
            found = await self._io.evaluate(self._description, self.trunk.trunk_id, pin=pin)
        except BusError as error:
            return refusal.bus_failed(error) if error.code in _NOT_DECIDED else refusal.WRONG_PIN
        return self._go_to(found) if found.result == DispatchResult.ACCEPT else refusal.WRONG_PIN

    def _go_to(self, found: Dispatch) -> Refusal | None:
        self.dispatch = found = self._apart(found)
        self._record.fields.update(rule_id=found.rule_id, room=found.room_name)
        refused = refusal.by_dispatch(found, self.called)
        if refused is None and not self.asks_pin:
            # The rule may hide the caller's number: then it is not among the attributes.
            self._record.parties.update(
                {
                    "from": found.attributes.get(attributes.PHONE_NUMBER),
                    "to": found.attributes.get(attributes.TRUNK_PHONE_NUMBER),
                    "rule_id": found.rule_id,
                    "room": found.room_name,
                }
            )
        return refused

    def close(self) -> None:
        """Ask no more."""
        if self._evaluating is not None:
            self._evaluating.cancel()

    def _apart(self, found: Dispatch) -> Dispatch:
        """Hidden callers of one room have one identity to livekit-server, and would throw each other out."""
        if not found.identity or not is_hidden(self._invite.request):
            return found
        return replace(found, identity=f"{found.identity}_{self._sip_call_id[-6:]}")

    @property
    def called(self) -> str:
        """The number that was called, as the phone wrote it."""
        return self._invite.request.to.uri.user or ""

    async def _evaluate(self) -> Dispatch | None:
        """What the rules say of the call on the trunk that livekit-server finds; None where that failed."""
        try:
            return await self._io.evaluate(self._description, "")
        except BusError as error:
            log.debug("rules_not_asked", call_id=self._record.call_id, reason=str(error))
            return None
