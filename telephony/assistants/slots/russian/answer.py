"""Yes or no, in Russian. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from telephony.assistants.wording import Phrase, any_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telephony.assistants.slots.answer import Answer

_NO: Final = tuple(
    Phrase.parse(text)
    for text in (
        "нет", "неа", "неверно", "неправильно", "не верно", "не правильно", "не так", "не надо", "не нужно",
        "не подходит", "не удобно", "неудобно", "не хочу", "не буду", "не смогу", "не могу", "ничего",
        "отказываюсь", "ошибка", "не устраивает",
    )
)  # fmt: skip
_YES: Final = tuple(
    Phrase.parse(text)
    for text in (
        "да", "ага", "угу", "верно", "правильно", "конечно", "хорошо", "подходит", "удобно", "согласен",
        "согласна", "точно", "именно", "так", "можно", "давайте", "подтверждаю", "устраивает", "ладно", "ок",
        "окей", "все верно", "буду", "смогу",
    )
)  # fmt: skip


def parse_answer(words: Sequence[str]) -> Answer | None:
    """Whether an utterance agrees or refuses; refusal wins, since agreeing by mistake costs more."""
    if any_in(_NO, words):
        return "no"
    return "yes" if any_in(_YES, words) else None
