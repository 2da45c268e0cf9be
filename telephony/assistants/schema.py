"""The file of an assistant: what it says, how a call goes, which tools it has.

Strict: unknown keys, wrong types, a ``goto`` without its state, a placeholder that nothing fills and
a way round that never lets the caller speak are all refused when the file is read, not in a call.
``flow`` is what the offline engine follows; ``instructions`` is what a language model is told. An
assistant may have both, and then works with either.
"""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    Field,
    PrivateAttr,
    StringConstraints,
    field_validator,
    model_validator,
)

from telephony.assistants.answering import AnsweringSettings
from telephony.assistants.http_tool import HttpTool  # noqa: TC001 - pydantic reads it
from telephony.assistants.part import Name, Part, Speech
from telephony.assistants.pipeline import PipelineName, StageOverrides
from telephony.assistants.rescue import Rescue, rescue_words
from telephony.assistants.slots.types import SlotTypeName  # noqa: TC001 - pydantic reads it
from telephony.assistants.wording import Phrase
from telephony.turns.endpointing import EndpointingSettings
from telephony.turns.settings import TurnSettings

BACK: Final = "back"
"""A ``goto`` that returns to the state from which an intent was answered."""

PLACEHOLDER: Final = re.compile(r"\{([a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)?)\}")
"""``{day}`` is a slot as it is spoken, ``{result.text}`` a tool's answer, ``{heard.day}`` see ToolState."""


def _is_phrase(text: str) -> str:
    Phrase.parse(text)
    return text


ToolName = Annotated[
    str, StringConstraints(pattern=r"^([a-z][a-z0-9_]{0,63}|[A-Za-z_][\w.]{0,200}:[a-z][a-z0-9_]{0,63})$")
]
"""A tool that comes with the product, or a function of one's own as ``package.module:function``."""

PhraseText = Annotated[str, AfterValidator(_is_phrase)]
"""A phrase in the notation of ``wording.Phrase``."""

Key = Annotated[str, StringConstraints(pattern=r"^[0-9*#]$")]
"""A key of the telephone."""

Hours = Annotated[
    str, StringConstraints(pattern=r"^(closed|([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d)$")
]
"""``09:00-17:30``, or ``closed``."""

Language = Literal["en", "ru"]
"""Languages whose yes, days, times and numbers a flow understands."""

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


class Choice(Part):
    """One thing the caller may want, and where it leads."""

    phrases: list[PhraseText] = Field(default_factory=list)
    """What is said for it: ``book/make * appointment``."""
    answer: Literal["yes", "no"] | None = None
    """Or: agreement, or refusal."""
    keys: list[Key] = Field(default_factory=list)
    """Or: keys of the telephone, in quotes."""
    goto: Name
    """The state it leads to, or ``back``."""


class Intent(Choice):
    """A choice that is open in every state."""

    answer: None = None


class ChoiceState(Part):
    """Asks, and chooses by the answer."""

    kind: Literal["choice"]
    ask: Speech
    """The question."""
    hint: str = ""
    """What the recogniser should expect, as sentences."""
    choices: list[Choice] = Field(min_length=1)
    """What may be answered; the first that fits is taken."""


class SlotQuestion(Part):
    """One blank of a form."""

    slot: Name
    """Its name, for ``{name}`` in texts."""
    type: SlotTypeName
    """What it holds."""
    ask: Speech
    """The question for it."""
    again: Speech | None = None
    """The question after an answer that held no such thing. Default: ``ask``."""
    called: list[PhraseText] = Field(default_factory=list)
    """What a caller calls it who wants to change it. Default: its name."""
    choices: dict[Name, list[PhraseText]] = Field(default_factory=dict, max_length=50)
    """For ``choice``: each value with the phrases that mean it; it is said by the first of them."""
    least: int | None = None
    """For ``number``: the smallest. Default: 0."""
    most: int | None = None
    """For ``number``: the largest. Default: 999999."""
    digits: int | None = Field(default=None, ge=1, le=32)
    """For ``digits``: how many there must be. Default: any number."""
    end_key: Key = "#"
    """For ``digits``: the key that ends them early, and is none of them. Default #."""
    key_pause_s: float = Field(default=2.5, ge=0.5, le=15)
    """For ``digits``: the pause after a key that ends them, in s. Default 2.5."""
    secret: bool = False
    """A PIN or card number: neither keys nor words of the answer are written down. Default false."""
    hint: str = ""
    """What the recogniser should expect. Default: examples of the type."""


class FormState(Part):
    """Asks for what is missing, reads it back, and lets the caller correct it."""

    kind: Literal["form"]
    slots: list[SlotQuestion] = Field(min_length=1, max_length=10)
    """In the order of asking. Days and times are also taken when they are said unasked."""
    read_back: Speech | None = None
    """The question that repeats everything: ``{day} at {time}, is that right?``. Default: nothing is read
    back, the form is done with its last answer."""
    change: Speech | None = None
    """Asked when the caller says no and nothing else; needed with ``read_back``."""
    goto: Name
    """Where a form leads that is done, or confirmed."""

    @model_validator(mode="after")
    def _can_be_changed(self) -> FormState:
        if (self.read_back is None) != (self.change is None):
            raise ValueError("read_back and change go together: write both, or none")
        return self


class Result(Part):
    """What to say and do about a tool's answer."""

    when: dict[Name, str | int | bool] = Field(default_factory=dict)
    """Values the answer must have; none: any answer."""
    say: Speech
    """``{result.text}`` is the answer's ``text``."""
    clear: list[Name] = Field(default_factory=list)
    """Slots to ask for again."""
    goto: Name
    """Where it leads, or ``back``."""


class ToolState(Part):
    """Calls a tool and goes on by its answer."""

    kind: Literal["tool"]
    say: Speech | None = None
    """Spoken before the call."""
    call: Name
    """The tool, by its own name or by that of its function."""
    arguments: dict[Name, str] = Field(default_factory=dict)
    """``{day}`` is the slot's value, ``{heard.day}`` the day in the utterance that led here, if any."""
    results: list[Result] = Field(min_length=1)
    """The first that fits is taken; the last must fit any answer, a failure of the tool included."""

    @field_validator("results")
    @classmethod
    def _last_fits_all(cls, results: list[Result]) -> list[Result]:
        if results[-1].when:
            raise ValueError("the last result must have no `when`, so that every answer has a way on")
        return results


class EndState(Part):
    """Says goodbye; the line is hung up when it has been heard."""

    kind: Literal["end"]
    say: Speech
    """The goodbye."""


State = Annotated[ChoiceState | FormState | ToolState | EndState, Field(discriminator="kind")]


class FlowTable(Part):
    """A conversation as states."""

    start: Name
    """The state after the greeting, which must itself ask the state's question."""
    patience: int = Field(default=3, ge=1, le=10)
    """Answers in a row that were not understood before ``give_up``. Default 3."""
    give_up: Name
    """Where a caller goes who was not understood ``patience`` times."""
    intents: list[Intent] = Field(default_factory=list)
    """What can be said in every state, looked at before the state's own choices."""
    repeat: list[PhraseText] = Field(default_factory=list)
    """What asks for the last words again."""
    states: dict[Name, State] = Field(min_length=1)
    """The states by name."""


class Silence(Part):
    """What is done about a caller who says nothing."""

    after_s: float = Field(default=8.0, ge=2, le=60)
    """Silence before each prompt, in s. Default 8."""
    prompts: list[Speech] = Field(min_length=1, max_length=5)
    """Said in turn; the open question of the flow follows."""
    hold_s: float = Field(default=120.0, ge=5, le=3600)
    """How long a caller is waited for who plays music: who was put on hold is not asked whether somebody is
    there. Default 120."""
    goodbye: Speech
    """Said after the last; then the line is hung up."""


class BudgetTable(Part):
    """What one call may use before the agent says goodbye; ten times what a long call needs."""

    tokens: int = Field(default=500_000, ge=100)
    """Of language models, in and out. Default 500000."""
    characters: int = Field(default=100_000, ge=100)
    """Spoken by the agent. Default 100000."""
    tool_calls: int = Field(default=200, ge=1)
    """Calls of tools. Default 200."""
    duration_s: float | None = Field(default=None, ge=10, le=86_400)
    """How long a call may last, in s, where that is less than the line's ``agent.max_call_duration``.
    Default: the line's."""


class Operator(Part):
    """The person behind the assistant."""

    transfer_to: str | None = Field(default=None, pattern=r"^(sip:[^\s<>]{1,250}|tel:\+?[0-9]{3,20})$")
    """Where calls are handed over to, ``sip:`` or ``tel:``. Default: nobody can take a call."""
    mode: Literal["cold", "second_leg", "warm"] = "cold"
    """cold: the caller's leg is referred (REFER). second_leg: the operator is called into the room, while the
    caller hears music. warm: the same, and the operator is told of the caller first and agrees. Default:
    cold."""
    when_refused: Literal["second_leg", "give_up"] = "second_leg"
    """Where mode is cold and the carrier takes no REFER. Default second_leg."""
    trunk: str | None = Field(default=None, min_length=1, max_length=256)
    """The outbound trunk of the second leg, by name. Default: a sip: address is called at its own host, a
    number through the only outbound trunk."""
    ringing_s: int = Field(default=30, ge=5, le=120)
    """How long the operator's telephone rings, in seconds. Default 30."""
    briefing: Speech = "I have a caller for you. {about} {fields} To take the call, press 1 or say yes."
    """What the operator hears in a warm transfer. {about} is what the caller wants, {number} the caller's
    number, {fields} what the call has brought in so far."""
    accept_key: Key = "1"
    """The key with which the operator takes the call. Default 1; "yes" does it too."""
    decline_key: Key = "2"
    """The key with which the operator does not. Default 2; "no" does it too."""
    accept_s: float = Field(default=10.0, ge=2, le=60)
    """How long the operator may think after the briefing, which is said twice. Default 10 seconds."""


FieldType = Literal["text", "number", "integer", "boolean", "date", "time", "phone", "email", "choice"]


class CollectedField(Part):
    """One thing that a call is to bring in, for the record of the call."""

    name: Name
    """Its name in the record; a slot of the flow of the same name fills it."""
    type: FieldType = "text"
    """What it holds. Default text."""
    prompt: Speech
    """The question that asks for it; by its words the answer is found again in a transcript."""
    required: bool = True
    """Whether a call without it is told as incomplete. Default true."""
    read_back: bool = False
    """Whether the caller has it repeated and confirms it. Default false."""
    choices: list[Speech] = Field(default_factory=list, max_length=50)
    """For ``choice``: what may be answered."""


class CallData(Part):
    """One value that a call brings along, such as the order that is called about."""

    example: str = Field(default="", max_length=200)
    """What stands for it where nobody gives one: in ``trunkline assistant chat`` and ``test``."""
    default: str = Field(default="", max_length=200)
    """What stands for it in a call that does not bring it. Default: nothing."""


class Assistant(Part):
    """One assistant, as its file describes it."""

    name: Name
    """Its name, the same as the file's."""
    description: str = Field(default="", max_length=1000)
    """What it is for, for those who choose among files. Default: nothing."""
    language: Language = "en"
    """The language of its words. Default en."""
    greeting: Speech
    """Its first words; say here that it is a machine."""
    instructions: str = Field(default="", max_length=20_000)
    """What a language model is told."""
    pipeline: PipelineName | None = None
    """``stages`` (recogniser, model, voice) or ``realtime`` (one model hears and speaks). Default: the
    line's."""
    voice: str | None = Field(default=None, min_length=1, max_length=200)
    """A voice of whoever speaks on the line, by its provider's name for it. Default: the line's."""
    speech: StageOverrides = StageOverrides()
    """Stages of the line's ``speech`` section that this assistant has otherwise. Default: none."""
    tools: list[ToolName] = Field(default_factory=list)
    """What it can do: tools of the product, and ``package.module:function`` for functions of one's own."""
    http_tools: dict[Name, HttpTool] = Field(default_factory=dict, max_length=30)
    """What it can do by HTTP, declared here."""
    data: dict[Name, CallData] = Field(default_factory=dict, max_length=30)
    """What a call brings along, for ``{data.order}`` in texts. Default: nothing."""
    fields: list[CollectedField] = Field(default_factory=list, max_length=50)
    """The questionnaire: what a call is to bring in. Default: nothing in particular."""
    opening_hours: dict[Weekday, Hours] = Field(default_factory=dict)
    """For the tools; a day that is missing is closed."""
    operator: Operator = Operator()
    """Who takes over."""
    silence: Silence
    """When nobody speaks."""
    not_understood: list[Speech] = Field(min_length=1, max_length=5)
    """Said in turn when words were not understood; the open question of the flow follows."""
    time_is_up: Speech
    """Said when a call has lasted as long as the line allows, or has used up its budget."""
    budget: BudgetTable = BudgetTable()
    """What one call may use."""
    rescue: Rescue = Rescue()
    """When the agent itself fails."""
    endpointing: EndpointingSettings = EndpointingSettings()
    """When the caller's turn is over."""
    answering: AnsweringSettings = AnsweringSettings()
    """What it does about whoever answers its own calls."""
    turns: TurnSettings = TurnSettings()
    """When it stops speaking for the caller, and when it goes on."""
    flow: FlowTable | None = None
    """The conversation without a language model."""

    _edition: str = PrivateAttr(default="")

    @model_validator(mode="before")
    @classmethod
    def _speaks_one_language(cls, tree: Any) -> Any:
        """Words for a failure that the file does not give are of the assistant's language."""
        if not isinstance(tree, dict) or not isinstance(tree.get("rescue", {}), dict):
            return tree
        words = rescue_words(tree.get("language", "en"))
        return {**tree, "rescue": {**words, **tree.get("rescue", {})}} if words else tree

    @property
    def version(self) -> str:
        """Twelve hex digits that change with what the file says, and not with what a call brings along."""
        if self._edition:
            return self._edition
        # Without defaults, so that an update of the product changes no version.
        return hashlib.sha256(self.model_dump_json(exclude_unset=True).encode()).hexdigest()[:12]


def secret_slots(flow: FlowTable | None) -> frozenset[str]:
    """The slots of a flow whose values are never written down."""
    states = flow.states.values() if flow is not None else ()
    forms = (state for state in states if isinstance(state, FormState))
    return frozenset(blank.slot for form in forms for blank in form.slots if blank.secret)


def placeholders(text: str) -> list[str]:
    """The placeholders in a text, without their braces."""
    return PLACEHOLDER.findall(text)


def state_texts(state: Any) -> list[str]:
    """Every text of a state that is spoken."""
    if isinstance(state, ChoiceState):
        return [state.ask]
    if isinstance(state, EndState):
        return [state.say]
    if isinstance(state, ToolState):
        return [state.say or "", *(result.say for result in state.results)]
    if isinstance(state, FormState):
        asked = [text for question in state.slots for text in (question.ask, question.again or "")]
        return [*asked, state.read_back or "", state.change or ""]
    return []
