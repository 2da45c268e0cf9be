"""A call in which no provider helps the caller any more: a person does, or the caller is told goodbye."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.agent.dead_air import interrupt_all
from telephony.agent.ending import Ending
from telephony.errors import TransferError
from telephony.logs import get_logger

if TYPE_CHECKING:
    from telephony.agent.end_of_call import EndOfCall
    from telephony.agent.talk import Talk
    from telephony.assistants.tools.desk import Desk

log = get_logger(__name__)


async def give_up(cause: str, talk: Talk, desk: Desk, end: EndOfCall) -> None:
    """Apologise and hand the caller over; hang up where there is no operator, or none takes the call.

    Args:
        cause: why, as the call's record tells it.
        desk: has the assistant's words, its operator and the way to transfer.
    """
    dead_air, assistant = talk.dead_air, desk.assistant
    if dead_air is None or end.is_decided:
        return
    log.error("call_given_up", reason=cause)
    talk.conversation.close()
    interrupt_all(talk.session)
    operator = assistant.operator.transfer_to
    if operator is not None and desk.transfer is not None:
        await dead_air.say(assistant.rescue.apology).wait_for_playout()
        try:
            await desk.transfer(operator)
        except TransferError as error:
            log.warning("rescue_transfer_failed", reason=str(error))
        else:
            return
    end.hang_up(Ending("agent", cause), dead_air.say(assistant.rescue.goodbye))
