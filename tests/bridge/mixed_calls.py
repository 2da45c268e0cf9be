"""Calls in and out, mixed, ended from either side at any moment, over a network that loses SIP packets."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

from livekit import api

from telephony.sip.transport import Loss
from tests.bridge.called_phone import CalledLeg, CalledPhone
from tests.bridge.dialling import dial
from tests.bridge.phone import HOST, Phone
from tests.waiting import limit, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bridge.line import TestLine

LONGEST_S = 2.5
_PATIENCE_S = 60.0
_SECONDS_OF_LOSS = 40.0

_BY_PHONE = {"caller_hung_up", "caller_cancelled", "callee_hung_up", "busy"}
_BY_ROOM = {"caller_removed", "refused"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """One call that is over at the phone.

    Args:
        ended_by: who ended it.
        reason: the bridge's word; ``refused`` for an INVITE that it refused, empty if it told none; what the
            API said of a call that it did not begin.
        told: how many ends the bridge told of it.
    """

    direction: Literal["in", "out"]
    ended_by: Literal["phone", "room"]
    reason: str
    told: int

    @property
    def agrees(self) -> bool:
        """Whether both sides tell the same of it, once."""
        return self.told == 1 and self.reason in (_BY_PHONE if self.ended_by == "phone" else _BY_ROOM)


class LossyPhone(Phone):
    """A telephone whose SIP packets get lost."""

    def __init__(self, loss: Loss) -> None:
        super().__init__()
        self._loss = loss

    async def __aenter__(self) -> Self:
        await self.endpoint.start(HOST, 0, loss=self._loss)
        self.media.start()
        return self


class MixedCalls:
    """Makes calls on a line, in a room where somebody talks.

    Args:
        line: provisioned for its number.
        share_lost: of SIP packets, each way.
    """

    def __init__(self, line: TestLine, *, seed: int = 7, share_lost: float = 0.2) -> None:
        self._line = line
        self._random = random.Random(seed)
        self._phone = LossyPhone(Loss(seed, inbound=share_lost, outbound=share_lost))
        self._not_begun: dict[str, str] = {}
        self._called = CalledPhone(loss=Loss(seed + 1, inbound=share_lost, outbound=share_lost))

    async def run(self, calls: int, *, pace_s: float, at_once: int) -> list[Outcome]:
        """Begin a call each ``pace_s`` seconds, at most so many at once."""
        free = asyncio.Semaphore(at_once)
        ids: list[tuple[Literal["in", "out"], Literal["phone", "room"], asyncio.Task[str]]] = []
        async with self._phone, self._called, asyncio.TaskGroup() as tasks:
            for number in range(calls):
                await free.acquire()
                inbound, by_phone = self._random.random() < 0.5, self._random.random() < 0.5
                after_s = self._random.uniform(0.0, LONGEST_S)
                one = self._call_in if inbound else self._call_out
                task = tasks.create_task(one(number, after_s, by_phone=by_phone))
                task.add_done_callback(lambda _: free.release())
                ids.append(("in" if inbound else "out", "phone" if by_phone else "room", task))
                await asyncio.sleep(pace_s)
            await asyncio.gather(*(task for _, _, task in ids))
            await until(lambda: not self._line.bridge.active_calls, _SECONDS_OF_LOSS)
        return [self._outcome(direction, by, task.result()) for direction, by, task in ids]

    def _outcome(self, direction: Literal["in", "out"], by: Literal["phone", "room"], call: str) -> Outcome:
        events = self._line.events()
        ours = {
            str(event["call_id"])
            for event in events
            if call in (event["data"].get("sip_call_id_full"), event["data"].get("sip_call_id"))
        }
        ends = [
            "refused" if event["type"] == "call.refused" else str(event["data"]["reason"])
            for event in events
            if event["call_id"] in ours and event["type"] in ("call.ended", "call.refused")
        ]
        reason = ends[0] if ends else self._not_begun.get(call, "")
        return Outcome(direction, by, reason, len(ends))

    async def _call_in(self, number: int, after_s: float, *, by_phone: bool) -> str:
        caller = f"+1777{number:07d}"
        call = await self._phone.call(self._line.number, self._line.port, caller=caller)
        final = asyncio.create_task(call.final(_PATIENCE_S))
        await asyncio.sleep(after_s)
        if not by_phone:
            # While it is still joining, a participant that is removed comes back: the SDK tries again.
            await final
            await self._remove(f"sip_{caller}", lambda: final.result().status >= 300)
        elif not final.done():
            call.invite.cancel()
        response = await final
        if response.status < 300:
            if by_phone and not call.invite.cancelled:
                await call.bye()
            await call.hung_up(_PATIENCE_S)
        return call.invite.call_id

    async def _call_out(self, number: int, after_s: float, *, by_phone: bool) -> str:
        callee, identity = f"+1666{number:07d}", f"out-{number}"
        try:
            info = await dial(
                self._line,
                self._called.address,
                sip_call_to=callee,
                participant_identity=identity,
                wait_until_answered=False,
            )
        except api.TwirpError as error:
            self._not_begun[identity] = error.message
            return identity
        removing = None if by_phone else asyncio.create_task(self._remove_later(identity, after_s))
        leg = await self._leg(callee, removing)
        if leg is not None:
            await self._answer(leg, after_s, by_phone=by_phone)
        if removing is not None:
            await removing
        if leg is not None and leg.session is not None:
            await leg.hung_up(_PATIENCE_S)
        return str(info.sip_call_id)

    async def _leg(self, callee: str, removing: asyncio.Task[None] | None) -> CalledLeg | None:
        """The call at the phone; None where it was called off before it came there."""
        begun = asyncio.get_running_loop().time()
        while asyncio.get_running_loop().time() < begun + _SECONDS_OF_LOSS:
            for leg in self._called.legs:
                if leg.invite.request.to.uri.user == callee:
                    return leg
            if removing is not None and removing.done():
                return None
            await asyncio.sleep(0.01)
        raise TimeoutError(f"the call to {callee} never came")

    async def _answer(self, leg: CalledLeg, after_s: float, *, by_phone: bool) -> None:
        leg.ring()
        answers_after_s = self._random.uniform(0.0, LONGEST_S / 2)
        if by_phone and after_s < answers_after_s:
            await asyncio.sleep(after_s)
            leg.refuse(486)
            return
        await asyncio.sleep(answers_after_s)
        if leg.invite.cancelled.is_set():
            return
        await leg.answer()
        if by_phone:
            await asyncio.sleep(after_s - answers_after_s)
            await leg.bye()

    async def _remove_later(self, identity: str, after_s: float) -> None:
        await asyncio.sleep(after_s)
        await self._remove(identity, lambda: False)

    async def _remove(self, identity: str, is_over: Callable[[], bool]) -> None:
        """Take the phone out of the room, once it is there."""
        room = api.RoomParticipantIdentity(room=self._line.room_name, identity=identity)
        async with limit(_PATIENCE_S):
            while not is_over():
                try:
                    await self._line.api.room.remove_participant(room)
                except api.TwirpError:
                    await asyncio.sleep(0.05)
                else:
                    return
