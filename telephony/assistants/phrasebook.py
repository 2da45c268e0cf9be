"""The phrases of a flow, read once and looked up by what they are for. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.assistants.schema import Choice, ChoiceState, FlowTable, FormState
from telephony.assistants.wording import Phrase, any_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from telephony.assistants.slots.answer import Answer
    from telephony.assistants.slots.types import SlotTypeName

_Compiled = list[tuple[Choice, list[Phrase]]]


class Phrasebook:
    """Says what a caller's words ask for in a flow."""

    def __init__(self, table: FlowTable) -> None:
        blanks = [
            blank for state in table.states.values() if isinstance(state, FormState) for blank in state.slots
        ]
        self._repeat = _compile(table.repeat)
        self._intents: _Compiled = [(intent, _compile(intent.phrases)) for intent in table.intents]
        self._choices: dict[str, _Compiled] = {
            name: [(choice, _compile(choice.phrases)) for choice in state.choices]
            for name, state in table.states.items()
            if isinstance(state, ChoiceState)
        }
        self._called = {
            blank.slot: _compile(blank.called or [blank.slot.replace("_", " ")]) for blank in blanks
        }
        self._types: dict[str, SlotTypeName] = {blank.slot: blank.type for blank in blanks}
        self._said = {
            (blank.slot, value): _as_said(phrases[0])
            for blank in blanks
            for value, phrases in blank.choices.items()
            if phrases
        }

    def asks_again(self, words: Sequence[str]) -> bool:
        """Whether the last words are wanted once more."""
        return any_in(self._repeat, words)

    def intent(self, words: Sequence[str]) -> Choice | None:
        """What is open everywhere and asked for."""
        return next((choice for choice, phrases in self._intents if any_in(phrases, words)), None)

    def choice(self, state: str, words: Sequence[str], answer: Answer | None) -> Choice | None:
        """What is open in one state and asked for, by words or by agreeing or refusing."""
        for choice, phrases in self._choices[state]:
            if any_in(phrases, words) or (choice.answer is not None and choice.answer == answer):
                return choice
        return None

    def named(self, form: FormState, words: Sequence[str]) -> str | None:
        """The blank of a form that is called by its name."""
        return next((blank.slot for blank in form.slots if any_in(self._called[blank.slot], words)), None)

    def chosen(self, slot: str, value: str) -> str | None:
        """How a value that was chosen is said: by its first phrase. None where nothing was to be chosen."""
        return self._said.get((slot, value))

    def type_of(self, slot: str) -> SlotTypeName:
        """What a slot holds."""
        return self._types[slot]


def _compile(phrases: Iterable[str]) -> list[Phrase]:
    return [Phrase.parse(phrase) for phrase in phrases]


def _as_said(phrase: str) -> str:
    return " ".join(part.partition("/")[0] for part in phrase.split() if part != "*")
