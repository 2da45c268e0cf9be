"""The tool for a caller who does not want to be recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from telephony.assistants.tools.desk import Desk
    from telephony.assistants.tools.tool import Result

_WORDS: Final = {
    "en": "Of course. No recording of this call will be kept.",
    "ru": "Конечно. Запись этого разговора не сохранится.",
}


async def refuse_recording(desk: Desk) -> Result:
    """Keep no recording of this call. What was recorded so far is deleted when the call is over."""
    desk.refuse_recording()
    return {"refused": True, "text": _WORDS[desk.assistant.language]}
