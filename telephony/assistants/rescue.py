"""What an assistant says when it fails or is late itself, in each language. Pure data."""

from __future__ import annotations

from typing import Any, Final

from pydantic import Field

from telephony.assistants.part import Part, Speech

_RUSSIAN: Final[dict[str, Any]] = {
    "fillers": ["Одну секунду.", "Ещё секунду, пожалуйста."],
    "again": "Простите, я не расслышал. Повторите, пожалуйста.",
    "apology": "Простите, у меня неполадки. Соединяю вас с оператором.",
    "moment": "Одну минуту, пожалуйста.",
    "goodbye": (
        "Простите, у нас неполадки на линии. Перезвоните, пожалуйста, через несколько минут. До свидания."
    ),
}


class Rescue(Part):
    """What is played when the agent itself fails, or is late; it is recorded beforehand."""

    fillers: list[Speech] = Field(default=["One moment.", "Just a second, please."], max_length=5)
    """Said in turn when an answer is late; none: silence."""
    again: Speech = "I am sorry, I missed that. Could you say it again?"
    """Said when a turn could not be answered by any provider."""
    apology: Speech = "I am sorry, I have a technical problem. I will put you through to somebody."
    """Said before such a call is handed over to the operator."""
    moment: Speech = "One moment, please."
    """Said at once, and again while another process takes over."""
    goodbye: Speech = (
        "I am sorry, we have a problem on our line. Please call again in a few minutes. Goodbye."
    )
    """Said when none does; then the line is hung up."""


def rescue_words(language: object) -> dict[str, Any]:
    """The words of a language that are other than the defaults; none for English."""
    return _RUSSIAN if language == "ru" else {}
