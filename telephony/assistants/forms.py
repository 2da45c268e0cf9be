"""What an answer says about the blanks of a form. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from telephony.assistants.slots.types import SLOT_TYPES, SlotTypeName

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telephony.assistants.schema import FormState, SlotQuestion
    from telephony.assistants.turns import FlowState

READ_BACK: Final = "?read_back"
"""``FlowState.asking`` while a form is being confirmed."""
CHANGE: Final = "?change"
"""``FlowState.asking`` while the caller says what is wrong in a form."""

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


def answers(form: FormState, state: FlowState, text: str) -> dict[str, str]:
    """The blanks that an answer fills: the one asked for, and others said along with it."""
    found = ((blank.slot, read(blank, text, asked=blank.slot == state.asking)) for blank in form.slots)
    return {slot: value for slot, value in found if value is not None}


def corrections(form: FormState, state: FlowState, text: str, *, refused: bool) -> dict[str, str]:
    """The blanks that an answer to the read-back gives another value.

    Args:
        form: the form that was read back.
        state: with the values that were read back.
        text: the answer.
        refused: whether it refuses; then a bare ``four`` is a time, and otherwise could be anything.
    """
    found: dict[str, str] = {}
    for blank in form.slots:
        value = read(blank, text, asked=refused and blank.type in {"day", "time"})
        if value is not None and value != state.slot(blank.slot):
            found[blank.slot] = value
    return found


def read(blank: SlotQuestion, text: str, *, asked: bool) -> str | None:
    """The value of one blank in an utterance, or None."""
    value = SLOT_TYPES[blank.type].read(text, asked)
    if value is not None and blank.digits is not None and len(value) != blank.digits:
        return None
    return value


def heard_in(text: str) -> dict[str, str]:
    """What an utterance that was no answer says anyway, by type of slot."""
    found = ((kind, SLOT_TYPES[kind].read(text, False)) for kind in _UNASKED)
    return {kind: value for kind, value in found if value is not None}
