"""The tool that hands the caller over to a person, and says honestly when it cannot."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field

from telephony.errors import TransferError, TrunklineError
from telephony.logs import get_logger

if TYPE_CHECKING:
    from telephony.assistants.tools.desk import Desk
    from telephony.assistants.tools.tool import Result

log = get_logger(__name__)

_WORDS: Final = {
    "en": {
        "connected": "You are being connected.",
        "busy": "the line is busy at the moment",
        "no_answer": "nobody answers at the moment",
        "nobody": "nobody can take your call at the moment",
        "numberless": "I am sorry, {why}, and I cannot see your number.",
        "callback": "I am sorry, {why}. The operator will call you back.",
    },
    "ru": {
        "connected": "Соединяю вас.",
        "busy": "сейчас там занято",
        "no_answer": "сейчас там не отвечают",
        "nobody": "сейчас никто не может ответить",
        "numberless": "К сожалению, {why}, и вашего номера я не вижу.",
        "callback": "К сожалению, {why}. Оператор вам перезвонит.",
    },
}


async def transfer_to_operator(
    desk: Desk,
    about: Annotated[
        str,
        Field(
            max_length=400,
            description="What the caller wants, in one sentence for the person who takes over.",
        ),
    ] = "",
) -> Result:
    """Hand the caller over to a person. If nobody can take the call, a call back is noted instead."""
    words = _WORDS[desk.assistant.language]
    target, reason = desk.assistant.operator.transfer_to, ""
    if target is not None and desk.transfer is not None:
        desk.about = about
        try:
            await desk.transfer(target)
        except TrunklineError as error:
            log.warning("transfer_failed", call_id=desk.call_id, reason=str(error))
            reason = error.outcome if isinstance(error, TransferError) else "failed"
        else:
            return {"transferred": True, "text": words["connected"]}
    told = {"transferred": False} | ({"reason": reason} if reason else {})
    why = words[reason] if reason in ("busy", "no_answer") else words["nobody"]
    if not desk.caller_number:
        return {**told, "callback": False, "text": words["numberless"].format(why=why)}
    await asyncio.to_thread(desk.callbacks.note, desk.caller_number, desk.now(), call_id=desk.call_id)
    desk.collected({"callback": True})
    return {**told, "callback": True, "text": words["callback"].format(why=why)}
