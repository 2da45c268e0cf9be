"""The transfers that one call asks for, one at a time, and what is left of the agent after one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from telephony.agent.handover.handover import OPERATOR_HUNG_UP, Handover
from telephony.agent.handover.left_over import settle_left_over
from telephony.agent.handover.told import briefing_of
from telephony.agent.pipeline import second_recogniser
from telephony.errors import TransferError

if TYPE_CHECKING:
    from livekit.agents import JobContext

    from telephony.agent.caller import Caller
    from telephony.agent.end_of_call import EndOfCall
    from telephony.agent.handover.operator_leg import OperatorLeg
    from telephony.agent.record_keeper import RecordKeeper
    from telephony.agent.talk import Talk
    from telephony.assistants.tools.desk import Desk


class Transfers:
    """One call's.

    Args:
        ctx: the job; in its room.
        caller: who is handed over.
        desk: knows the assistant's way of handing over, and what the caller wants.
        talk: falls silent where the operator talks to the caller in the room.
        end: of the call, which may be the operator's.
        keeper: writes each attempt down.
        drain_s: from the end of playout to the telephone's last sample.
    """

    def __init__(
        self,
        ctx: JobContext,
        caller: Caller,
        desk: Desk,
        talk: Talk,
        end: EndOfCall,
        keeper: RecordKeeper,
        *,
        drain_s: float,
    ) -> None:
        self._ctx = ctx
        self._caller = caller
        self._desk = desk
        self._talk = talk
        self._end = end
        self._keeper = keeper
        self._drain_s = drain_s
        self._running = False

    async def run(self, target: str) -> None:
        """Hand the caller over.

        Args:
            target: a ``sip:`` or ``tel:`` address.

        Raises:
            TransferError: nobody took the call, or another transfer is under way.
        """
        if self._running:
            raise TransferError("one is under way", outcome="failed", cause="Another transfer was under way.")
        self._running = True
        handover = self._handover(target)
        try:
            # The end of what announced it is still on its way to the telephone.
            await asyncio.sleep(self._drain_s)
            await handover.run(target, self._briefing())
        finally:
            self._running = False
        if handover.leg is None:
            self._end.handed_over = True
        else:
            self._leave_to(handover.leg)

    async def settle_left_over(self) -> None:
        """Bring a transfer to its end whose job died."""
        leg = await settle_left_over(self._ctx, self._caller.identity)
        if leg is not None:
            self._leave_to(leg)

    def _handover(self, target: str) -> Handover:
        pipeline = self._talk.pipeline
        return Handover(
            self._ctx,
            self._caller.identity,
            self._desk.assistant.operator,
            pipeline.tts,
            second_recogniser(pipeline),
            number=self._caller.line_number,
            tell=lambda kind, failure: self._keeper.transferred(target, kind, failure),
        )

    def _briefing(self) -> str:
        return briefing_of(self._desk.assistant, self._desk, self._talk.session, self._keeper.fields)

    def _leave_to(self, leg: OperatorLeg) -> None:
        """Caller and operator talk in the room: the agent neither speaks nor listens, and sees to the end."""
        self._talk.fall_silent()
        leg.on_gone = lambda: self._end.end(OPERATOR_HUNG_UP)
        if leg.gone.is_set():
            leg.on_gone()
