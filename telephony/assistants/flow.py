"""A conversation without a language model: an assistant's states, followed to the letter.

Pure and deterministic: ``step`` is a function of the state and the turn, so an answer can be worked
out before the caller has surely finished, and thrown away again. Nothing moves until whoever holds
the state takes the new one over. Every step speaks and waits, calls a tool, or ends; none raises.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from telephony.assistants.forms import (
    CHANGE,
    READ_BACK,
    answers,
    corrections,
    heard_in,
    next_asked,
    noting,
    prefilled,
    question_for,
    read,
    with_values,
    without,
)
from telephony.assistants.phrasebook import Phrasebook
from telephony.assistants.schema import (
    BACK,
    PLACEHOLDER,
    Assistant,
    ChoiceState,
    EndState,
    FormState,
    ToolState,
)
from telephony.assistants.slots.types import answer_in, slot_types
from telephony.assistants.turns import FlowState, Pressed, Step, ToolCall, ToolDone, Turn
from telephony.assistants.wording import words_of

if TYPE_CHECKING:
    import re
    from collections.abc import Mapping

    from telephony.assistants.schema import FlowTable

END_TOOL: Final = "end_call"
"""The tool that hangs up."""

MAX_KEYS: Final = 32
"""Keys that make one input where any number of digits may be typed."""

_YES_KEY, _NO_KEY = "1", "2"


class Flow:
    """The flow of one assistant, ready to be asked for steps.

    Args:
        assistant: one that has a ``flow``.
    """

    def __init__(self, assistant: Assistant) -> None:
        if assistant.flow is None:
            raise ValueError(f"assistant {assistant.name!r} has no flow")
        self._assistant = assistant
        self._table: FlowTable = assistant.flow
        self._phrases = Phrasebook(self._table)
        self._language = assistant.language
        self._types = slot_types(assistant.language)

    def start(self) -> FlowState:
        """The state in which the greeting has been said."""
        state = FlowState(at=self._table.start, said=self._assistant.greeting)
        spec = self._table.states[state.at]
        return replace(state, asking=next_asked(spec, state)) if isinstance(spec, FormState) else state

    def step(self, state: FlowState, turn: Turn) -> Step:
        """Answer one turn."""
        if isinstance(turn, ToolDone):
            return self._tool_done(state, turn)
        if state.closed:
            return Step(state, "", ToolCall(END_TOOL))
        if isinstance(turn, Pressed):
            return self._pressed(state, turn.keys)
        return self._said(state, turn.text)

    def question(self, state: FlowState) -> str:
        """The question that is open, to be asked again after a silence; empty when none is."""
        spec = self._table.states[state.at]
        if isinstance(spec, ChoiceState):
            return self._render(spec.ask, state)
        if isinstance(spec, FormState):
            return self._form_question(spec, state)
        return ""

    def hint(self, state: FlowState) -> str:
        """What the recogniser should expect, as it would write it itself."""
        spec = self._table.states[state.at]
        if isinstance(spec, ChoiceState):
            return spec.hint
        if isinstance(spec, FormState):
            if state.asking in {READ_BACK, CHANGE}:
                return self._types["yes_no"].hint
            asked = question_for(spec, state.asking)
            return asked.hint or self._types[asked.type].hint
        return ""

    def keys_expected(self, state: FlowState) -> int:
        """How many keys make one input: 1 for a choice, more where digits are asked for."""
        spec = self._table.states[state.at]
        if isinstance(spec, FormState) and state.asking not in {READ_BACK, CHANGE}:
            asked = question_for(spec, state.asking)
            if self._types[asked.type].keys:
                return asked.digits or (len(str(asked.most)) if asked.most is not None else MAX_KEYS)
        return 1

    def key_rules(self, state: FlowState) -> tuple[str, float]:
        """The key that ends an input of several, and the pause in s that does."""
        spec = self._table.states[state.at]
        if isinstance(spec, FormState) and state.asking not in {READ_BACK, CHANGE}:
            asked = question_for(spec, state.asking)
            return asked.end_key, asked.key_pause_s
        return "#", 2.5

    # Turns

    def _said(self, state: FlowState, text: str) -> Step:
        words = words_of(text)
        if self._phrases.asks_again(words):
            return self._again(state)
        intent = self._phrases.intent(words)
        if intent is not None:
            return self._leave(state, intent.goto, text)
        if state.calling is not None:
            return self._call_again(state)
        spec = self._table.states[state.at]
        if isinstance(spec, FormState):
            return self._fill(spec, state, text)
        if isinstance(spec, ChoiceState):
            answer = answer_in(self._language, words)
            choice = self._phrases.choice(state.at, words, answer)
            if choice is not None:
                # "No, I am away tomorrow" names a day that is not wanted.
                refused = answer == "no" and choice.answer == "no"
                return self._enter(state, choice.goto, {} if refused else heard_in(text, self._language))
            return self._miss(noting(state, heard_in(text, self._language)))
        return self._enter(state, state.at, {})

    def _pressed(self, state: FlowState, keys: str) -> Step:
        for intent in self._table.intents:
            if keys in intent.keys:
                return self._leave(state, intent.goto, "")
        if state.calling is not None:
            return self._call_again(state)
        spec = self._table.states[state.at]
        if isinstance(spec, ChoiceState):
            for choice in spec.choices:
                if keys in choice.keys:
                    return self._enter(state, choice.goto, {})
        elif isinstance(spec, FormState):
            if state.asking == READ_BACK and keys in {_YES_KEY, _NO_KEY}:
                return self._confirmed(spec, state) if keys == _YES_KEY else self._refused(spec, state)
            blank = question_for(spec, state.asking)
            typed = state.asking not in {READ_BACK, CHANGE} and self._types[blank.type].keys
            if typed and read(blank, keys, asked=True, language=self._language) == keys:
                return self._ask_on(spec, with_values(state, {state.asking: keys}))
        return self._miss(state)

    def _tool_done(self, state: FlowState, done: ToolDone) -> Step:
        spec = self._table.states[state.at]
        if state.calling is None or state.calling.name != done.name or not isinstance(spec, ToolState):
            # An answer to a call that the conversation has left behind.
            return Step(state, "")
        last = spec.results[-1]
        result = next((each for each in spec.results if _fits(each.when, done.result)), last)
        spoken = self._render(result.say, state, done.result)
        step = self._enter(without(state, result.clear), result.goto, {})
        whole = f"{spoken} {step.say}".strip()
        return replace(step, say=whole, state=replace(step.state, said=whole))

    def _leave(self, state: FlowState, goto: str, text: str) -> Step:
        waits = isinstance(self._table.states[state.at], ChoiceState | FormState)
        back = state.at if waits and goto != state.at else state.back
        return self._enter(replace(state, back=back), goto, heard_in(text, self._language))

    def _again(self, state: FlowState) -> Step:
        if state.calling is not None:
            return self._call_again(state)
        return Step(replace(state, misses=0), state.said or self.question(state))

    def _call_again(self, state: FlowState) -> Step:
        # The caller spoke while the tool was at work, which has called it off.
        return Step(state, "", state.calling)

    def _miss(self, state: FlowState) -> Step:
        misses = state.misses + 1
        if misses >= self._table.patience and state.at != self._table.give_up:
            return self._leave(state, self._table.give_up, "")
        words = self._assistant.not_understood
        apology = words[min(misses, len(words)) - 1]
        spec = self._table.states[state.at]
        question = self.question(state)
        if isinstance(spec, FormState) and state.asking not in {READ_BACK, CHANGE}:
            question = self._render(question_for(spec, state.asking).again or question, state)
        return self._speak(replace(state, misses=misses), f"{apology} {question}")

    # Forms

    def _fill(self, form: FormState, state: FlowState, text: str) -> Step:
        if state.asking == READ_BACK:
            return self._read_back_answer(form, state, text)
        if state.asking == CHANGE:
            return self._change_answer(form, state, text)
        found = answers(form, state, text, self._language)
        return self._ask_on(form, with_values(state, found)) if found else self._miss(state)

    def _read_back_answer(self, form: FormState, state: FlowState, text: str) -> Step:
        words = words_of(text)
        answer = answer_in(self._language, words)
        corrected = corrections(form, state, text, refused=answer == "no", language=self._language)
        if corrected:
            return self._ask_on(form, with_values(state, corrected))
        if answer == "yes":
            return self._confirmed(form, state)
        wrong = self._phrases.named(form, words)
        if wrong is not None:
            return self._ask_on(form, without(state, [wrong]))
        return self._refused(form, state) if answer == "no" else self._miss(state)

    def _change_answer(self, form: FormState, state: FlowState, text: str) -> Step:
        words = words_of(text)
        corrected = corrections(form, state, text, refused=True, language=self._language)
        if corrected:
            return self._ask_on(form, with_values(state, corrected))
        wrong = self._phrases.named(form, words)
        if wrong is not None:
            return self._ask_on(form, without(state, [wrong]))
        return self._ask_on(form, state) if answer_in(self._language, words) else self._miss(state)

    def _confirmed(self, form: FormState, state: FlowState) -> Step:
        return self._enter(state, form.goto, {})

    def _refused(self, form: FormState, state: FlowState) -> Step:
        return self._speak(replace(state, asking=CHANGE, misses=0), self._render(form.change or "", state))

    def _ask_on(self, form: FormState, state: FlowState) -> Step:
        state = replace(state, asking=next_asked(form, state), misses=0)
        if state.asking == READ_BACK and form.read_back is None:
            return self._confirmed(form, state)
        return self._speak(state, self._form_question(form, state))

    def _form_question(self, form: FormState, state: FlowState) -> str:
        if state.asking == READ_BACK:
            return self._render(form.read_back or "", state)
        if state.asking == CHANGE:
            return self._render(form.change or "", state)
        return self._render(question_for(form, state.asking).ask, state)

    # Moving

    def _enter(self, state: FlowState, goto: str, heard: Mapping[str, str]) -> Step:
        name = (state.back or self._table.start) if goto == BACK else goto
        spec = self._table.states[name]
        state = replace(state, at=name, asking="", misses=0, calling=None)
        if isinstance(spec, ToolState):
            call = ToolCall(spec.call, self._arguments(spec, state, heard))
            spoken = self._render(spec.say or "", state)
            return Step(replace(state, calling=call, said=spoken or state.said), spoken, call)
        if isinstance(spec, EndState):
            spoken = self._render(spec.say, state)
            return Step(replace(state, closed=True, said=spoken), spoken, ToolCall(END_TOOL))
        if isinstance(spec, FormState):
            return self._ask_on(spec, replace(prefilled(spec, state, heard), noted=()))
        return self._speak(state, self._render(spec.ask, state))

    def _speak(self, state: FlowState, text: str) -> Step:
        return Step(replace(state, said=text), text)

    def _arguments(self, spec: ToolState, state: FlowState, heard: Mapping[str, str]) -> dict[str, str]:
        known = dict(state.slots) | {f"heard.{kind}": value for kind, value in heard.items()}
        filled = {
            key: PLACEHOLDER.sub(lambda match: known.get(match.group(1), ""), template)
            for key, template in spec.arguments.items()
        }
        return {key: text for key, text in filled.items() if text}

    def _render(self, template: str, state: FlowState, result: Mapping[str, Any] | None = None) -> str:
        def fill(match: re.Match[str]) -> str:
            name: str = match.group(1)
            if name.startswith("result."):
                return str((result or {}).get(name.removeprefix("result."), ""))
            value = state.slot(name)
            if not value:
                return ""
            return self._phrases.chosen(name, value) or self._types[self._phrases.type_of(name)].said(value)

        return PLACEHOLDER.sub(fill, template).strip()


def _fits(when: Mapping[str, Any], result: Mapping[str, Any]) -> bool:
    return all(key in result and result[key] == value for key, value in when.items())
