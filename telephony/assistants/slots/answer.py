"""Yes or no. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from telephony.assistants.wording import Phrase

if TYPE_CHECKING:
    from collections.abc import Sequence

Answer = Literal["yes", "no"]

_NO: Final = tuple(
    Phrase.parse(text)
    for text in (
        "no",
        "nope",
        "nah",
        "not * right",
        "not * correct",
        "isnt * right",
        "wrong",
        "incorrect",
        "never mind",
        "nothing",
        "dont think so",
        "please dont",
        "thats all",
        "that is all",
        "im fine",
        "im good",
    )
)
_YES: Final = tuple(
    Phrase.parse(text)
    for text in (
        "yes",
        "yeah",
        "yep",
        "yup",
        "ya",
        "yea",
        "right",
        "correct",
        "exactly",
        "sure",
        "ok",
        "okay",
        "absolutely",
        "definitely",
        "of course",
        "please do",
        "go ahead",
        "perfect",
        "sounds good",
        "that works",
    )
)


def parse_answer(words: Sequence[str]) -> Answer | None:
    """Whether an utterance agrees or refuses; refusal wins, since agreeing by mistake costs more."""
    if any(phrase.is_in(words) for phrase in _NO):
        return "no"
    if any(phrase.is_in(words) for phrase in _YES):
        return "yes"
    return None
