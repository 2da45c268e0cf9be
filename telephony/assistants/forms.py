"""What an answer says about the blanks of a form. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from telephony.assistants.slots.types import SlotTypeName, slot_types
from telephony.assistants.wording import Phrase, any_in, words_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telephony.assistants.schema import FormState, SlotQuestion
    from telephony.assistants.turns import FlowState

READ_BACK: Final = "?read_back"
"""``FlowState.asking`` while a form is being confirmed."""
CHANGE: Final = "?change"
"""``FlowState.asking`` while the caller says what is wrong in a form."""

MOST: Final = 999_999
"""The largest number that is taken for an answer where the file names none."""

_UNASKED: Final[tuple[SlotTypeName, ...]] = ("day", "time", "name")


def question_for(form: FormState, slot: str) -> SlotQuestion:
    """The blank of that name, or the first."""
    return next((question for question in form.slots if question.slot == slot), form.slots[0])


def next_asked(form: FormState, state: FlowState) -> str:
    """The first blank without a value, or ``READ_BACK``."""
    known = dict(state.slots)
    return next((question.slot for question in form.slots if question.slot not in known), READ_BACK)


def with_values(state: FlowState, values: Mapping[str, str]) -> FlowState:
    """The state with these slots filled."""
    return replace(state, slots=tuple(sorted((dict(state.slots) | dict(values)).items())))


def without(state: FlowState, slots: list[str]) -> FlowState:
    """The state with these slots blank."""
    return replace(state, slots=tuple(pair for pair in state.slots if pair[0] not in slots))


def noting(state: FlowState, heard: Mapping[str, str]) -> FlowState:
    """The state that remembers, for the next form, what was said before anything asked for it."""
    return replace(state, noted=tuple(sorted((dict(state.noted) | dict(heard)).items())))


def prefilled(form: FormState, state: FlowState, heard: Mapping[str, str]) -> FlowState:
    """The state in which a form's blanks hold what was noted and heard; what is known is kept."""
    told = dict(state.noted) | dict(heard)
    fills = {blank.slot: told[blank.type] for blank in form.slots if blank.type in told}
    return with_values(state, fills | dict(state.slots))


def answers(form: FormState, state: FlowState, text: str, language: str = "en") -> dict[str, str]:
    """The blanks that an answer fills: the one asked for, and others said along with it."""
    found = (
        (blank.slot, read(blank, text, asked=blank.slot == state.asking, language=language))
        for blank in form.slots
    )
    return {slot: value for slot, value in found if value is not None}


def corrections(
    form: FormState, state: FlowState, text: str, *, refused: bool, language: str = "en"
) -> dict[str, str]:
    """The blanks that an answer to the read-back gives another value.

    Args:
        form: the form that was read back.
        state: with the values that were read back.
        text: the answer.
        refused: whether it refuses; then a bare ``four`` is a time, and otherwise could be anything.
    """
    found: dict[str, str] = {}
    for blank in form.slots:
        value = read(blank, text, asked=refused and blank.type in {"day", "time"}, language=language)
        if value is not None and value != state.slot(blank.slot):
            found[blank.slot] = value
    return found


def read(blank: SlotQuestion, text: str, *, asked: bool, language: str = "en") -> str | None:
    """The value of one blank in an utterance, or None."""
    if blank.type == "choice":
        return chosen(blank, text) if asked else None
    value = slot_types(language)[blank.type].read(text, asked)
    if value is not None and blank.digits is not None and len(value) != blank.digits:
        return None
    if value is not None and blank.type == "number" and not in_range(blank, value):
        return None
    return value


def chosen(blank: SlotQuestion, text: str) -> str | None:
    """Which of the values that may be chosen an utterance names; the first that fits."""
    words = words_of(text)
    for value, phrases in blank.choices.items():
        if any_in([Phrase.parse(phrase) for phrase in phrases], words):
            return value
    return None


def in_range(blank: SlotQuestion, value: str) -> bool:
    """Whether a number is one that may be answered."""
    least = 0 if blank.least is None else blank.least
    most = MOST if blank.most is None else blank.most
    return least <= int(value) <= most


def heard_in(text: str, language: str = "en") -> dict[str, str]:
    """What an utterance that was no answer says anyway, by type of slot."""
    found = ((kind, slot_types(language)[kind].read(text, False)) for kind in _UNASKED)
    return {kind: value for kind, value in found if value is not None}
