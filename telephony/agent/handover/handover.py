"""One attempt after the other to hand a caller over, and the way back to the agent when none succeeds.

Cold: the caller's own leg is referred, and the call is the operator's. Where the caller's side takes no
REFER, or the assistant wants it so, the operator's telephone is called into the caller's room instead: the
caller is on hold with music meanwhile, and hears the operator as soon as he is there (second leg), or as
soon as he has been told of the caller and has agreed (warm). Guarantees: the operator is told of a caller
only when the bridge has said that the caller does not hear it; each way rings the operator once; whatever
becomes of it, the hold ends, and a leg that did not become the caller's is hung up.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from telephony.agent.ending import Ending
from telephony.agent.handover.consent import Ears
from telephony.agent.handover.hold import Hold
from telephony.agent.handover.operator_leg import OperatorLeg
from telephony.agent.handover.operator_track import OperatorTrack
from telephony.agent.handover.refer import refer
from telephony.errors import LiveKitError, TransferError
from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from livekit.agents import JobContext, stt, tts

    from telephony.agent.handover.outcome import TransferKind
    from telephony.assistants.schema import Operator

log = get_logger(__name__)

OPERATOR_HUNG_UP = Ending("operator", "the operator hung up")
"""How a call ends whose operator took it and has left."""

_TIMES_ASKED = 2
"""How often the operator is asked whether he takes the call."""


class Handover:
    """The transfers of one call.

    Args:
        ctx: the job.
        identity: the caller's in the room.
        wanted: the assistant's way of handing over.
        voice: speaks the briefing.
        recogniser: hears what the operator says to it; None where there is none, then keys alone count.
        number: ours, shown to the operator.
        tell: told of each attempt's kind, and what it failed of; None for a success.

    Attributes:
        leg: the operator's telephone, once it is the caller's.
    """

    def __init__(
        self,
        ctx: JobContext,
        identity: str,
        wanted: Operator,
        voice: tts.TTS[Any],
        recogniser: stt.STT[Any] | None,
        *,
        number: str,
        tell: Callable[[TransferKind, TransferError | None], None],
    ) -> None:
        self.leg: OperatorLeg | None = None
        self._ctx = ctx
        self._identity = identity
        self._wanted = wanted
        self._voice = voice
        self._recogniser = recogniser
        self._number = number
        self._tell = tell

    async def run(self, target: str, briefing: str) -> TransferKind:
        """Hand the caller over; returns how, once he has been.

        Args:
            target: a ``sip:`` or ``tel:`` address.
            briefing: what an operator is told in a warm transfer.

        Raises:
            TransferError: nobody took the call; the caller is the agent's again.
        """
        if self._wanted.mode == "cold":
            try:
                await self._attempt("cold", self._refer(target))
            except TransferError as error:
                if not error.not_supported or self._wanted.when_refused != "second_leg":
                    raise
                log.info("refer_not_supported", sip_status=error.sip_status)
            else:
                return "cold"
        hold = Hold(self._ctx, self._identity)
        held = await hold.put()
        kind: TransferKind = "warm" if self._wanted.mode == "warm" and held else "second_leg"
        try:
            await self._attempt(kind, self._second_leg(target, briefing if kind == "warm" else ""))
        finally:
            if held:
                await asyncio.shield(hold.release())
        return kind

    async def _attempt(self, kind: TransferKind, attempt: Any) -> None:
        try:
            await attempt
        except TransferError as error:
            self._tell(kind, error)
            raise
        except asyncio.CancelledError:
            self._tell(
                kind,
                TransferError("the call ended", outcome="abandoned", cause="The call ended before."),
            )
            raise
        self._tell(kind, None)

    async def _refer(self, target: str) -> None:
        try:
            await refer(self._ctx, self._identity, target, ringing_s=self._wanted.ringing_s)
        except LiveKitError as error:
            raise _failed(error.message) from error

    async def _second_leg(self, target: str, briefing: str) -> None:
        leg = OperatorLeg(self._ctx)
        track = OperatorTrack(self._ctx.room, self._voice) if briefing else None
        try:
            if track is not None:
                await track.publish()
            await leg.dial(
                target, trunk=self._wanted.trunk, number=self._number, ringing_s=self._wanted.ringing_s
            )
            if not await leg.active():
                raise _failed("the operator hung up")
            if track is not None:
                await self._announce(leg, track, briefing)
            self.leg = leg
        except LiveKitError as error:
            raise _failed(error.message) from error
        finally:
            if self.leg is None:
                await asyncio.shield(leg.hang_up())
            if track is not None:
                await asyncio.shield(track.close())

    async def _announce(self, leg: OperatorLeg, track: OperatorTrack, briefing: str) -> None:
        """Tell the operator of the caller; returns when he agrees."""
        ears = Ears(leg, self._recogniser, self._wanted)
        gone = asyncio.create_task(leg.gone.wait())
        ears.listen()
        try:
            for _ in range(_TIMES_ASKED):
                await self._ask(ears, track, briefing, gone)
                if ears.answered.done() or gone.done():
                    break
            answer = ears.answered.result() if ears.answered.done() else None
        finally:
            gone.cancel()
            await ears.close()
        if answer == "accepted" and not leg.gone.is_set():
            return
        if leg.gone.is_set():
            raise TransferError(
                "the operator hung up", outcome="declined", cause="The operator hung up instead of accepting."
            )
        if answer == "declined":
            raise TransferError(
                "the operator declined", outcome="declined", cause="The operator declined the call."
            )
        raise TransferError(
            "the operator did not accept", outcome="no_answer", cause="Whoever answered did not accept."
        )

    async def _ask(self, ears: Ears, track: OperatorTrack, briefing: str, gone: asyncio.Task[bool]) -> None:
        speaking = asyncio.create_task(track.say(briefing), name="brief_operator")
        waiting: set[asyncio.Future[Any]] = {ears.answered, gone}
        try:
            await asyncio.wait({speaking, *waiting}, return_when=asyncio.FIRST_COMPLETED)
            if speaking.done() and (error := speaking.exception()) is not None:
                raise _failed(f"the operator could not be told of the caller: {error}") from error
        finally:
            speaking.cancel()
            await asyncio.gather(speaking, return_exceptions=True)
        ears.asked()
        await asyncio.wait(waiting, timeout=self._wanted.accept_s, return_when=asyncio.FIRST_COMPLETED)


def _failed(message: str) -> TransferError:
    return TransferError(message, outcome="failed", cause=f"{message[:1].upper()}{message[1:]}.")
