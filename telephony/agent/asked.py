"""What kind of answer the caller is asked for, as far as a flow knows. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.assistants.forms import READ_BACK
from telephony.assistants.schema import ChoiceState, FormState

if TYPE_CHECKING:
    from telephony.assistants.schema import Assistant
    from telephony.assistants.turns import FlowState
    from telephony.turns.evidence import Question

_OF_SLOTS: dict[str, Question] = {"digits": "digits", "yes_no": "yes_no"}


def digits_asked(assistant: Assistant, state: FlowState | None) -> int | None:
    """How many digits the answer has; None where nobody knows."""
    flow = assistant.flow
    spec = flow.states.get(state.at) if flow is not None and state is not None else None
    if not isinstance(spec, FormState) or state is None:
        return None
    return next((blank.digits for blank in spec.slots if blank.slot == state.asking), None)


def question_kind(assistant: Assistant, state: FlowState | None) -> Question:
    """The kind of a question that is being asked in that state; ``open`` where nobody can tell."""
    flow = assistant.flow
    spec = flow.states.get(state.at) if flow is not None and state is not None else None
    if isinstance(spec, ChoiceState):
        return "yes_no" if any(choice.answer for choice in spec.choices) else "choice"
    if isinstance(spec, FormState) and state is not None:
        if state.asking == READ_BACK:
            return "yes_no"
        kinds = {blank.slot: _OF_SLOTS.get(blank.type, "open") for blank in spec.slots}
        return kinds.get(state.asking, "open")
    return "open"
