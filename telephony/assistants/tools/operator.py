"""The tool that hands the caller over to a person, and says honestly when it cannot."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from telephony.errors import TrunklineError
from telephony.logs import get_logger

if TYPE_CHECKING:
    from telephony.assistants.tools.desk import Desk
    from telephony.assistants.tools.tool import Result

log = get_logger(__name__)

_WORDS: Final = {
    "en": {
        "connected": "You are being connected.",
        "nobody": "I am sorry, nobody can take your call at the moment, and I cannot see your number.",
        "callback": "I am sorry, nobody can take your call at the moment. The operator will call you back.",
    },
    "ru": {
        "connected": "Соединяю вас.",
        "nobody": "К сожалению, сейчас никто не может ответить, и вашего номера я не вижу.",
        "callback": "К сожалению, сейчас никто не может ответить. Оператор вам перезвонит.",
    },
}


async def transfer_to_operator(desk: Desk) -> Result:
    """Hand the caller over to a person. If nobody can take the call, a call back is noted instead."""
    words = _WORDS[desk.assistant.language]
    target = desk.assistant.operator.transfer_to
    if target is not None and desk.transfer is not None:
        try:
            await desk.transfer(target)
        except TrunklineError as error:
            log.warning("transfer_failed", call_id=desk.call_id, reason=str(error))
        else:
            return {"transferred": True, "text": words["connected"]}
    if not desk.caller_number:
        return {"transferred": False, "callback": False, "text": words["nobody"]}
    await asyncio.to_thread(desk.callbacks.note, desk.caller_number, desk.now(), call_id=desk.call_id)
    desk.collected({"callback": True})
    return {"transferred": False, "callback": True, "text": words["callback"]}
