"""A call without a telephone: the session, the flow or the model, and the tools of a real one, in text."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from livekit.agents import Agent, AgentSession, RunContext, llm
from livekit.agents.utils import http_context

from telephony.agent.keypad import END_KEY
from telephony.agent.questionnaire import Questionnaire
from telephony.agent.tools import function_tools
from telephony.assistants.call_data import filled
from telephony.assistants.flow import MAX_KEYS, Flow
from telephony.assistants.tools.desk import Desk
from telephony.assistants.tools.http import HttpReach
from telephony.errors import AssistantError, TrunklineError
from telephony.speech.cloud_settings import OpenAiLlmSettings
from telephony.speech.dialogue import keys_as_text
from telephony.speech.dialogue_llm import DialogueLlm
from telephony.speech.providers import build
from telephony.speech.settings import (
    DeadlineSettings,
    SpeechSettings,
    TimedSttSettings,
    TimedTtsSettings,
)
from telephony.webhooks.guard import AddressGuard, networks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from livekit.agents.voice.run_result import RunResult

    from telephony.assistants.schema import Assistant

Kind = Literal["agent", "tool", "fields", "ended"]

CALLER_NUMBER = "+15550100199"
"""Whose number the tools see: one that nobody has (NANP 555-01XX)."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One thing that happened after the caller's words.

    Attributes:
        kind: the agent's words, a tool's call, fields that were brought in, or the end of the call.
        text: the words; for a tool its name.
        data: for a tool its ``arguments`` and ``result``, for fields their values.
    """

    kind: Kind
    text: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


class Talk:
    """One conversation; made by ``open_talk``."""

    def __init__(
        self, assistant: Assistant, session: AgentSession[None], model: llm.LLM[Any], flow: Flow | None
    ) -> None:
        self.assistant = assistant
        self.ended = False
        """Whether the agent has ended the call."""
        self.fields: dict[str, Any] = {}
        """What the call has brought in so far."""
        self._session = session
        self._model = model
        self._flow = flow
        self._questionnaire = Questionnaire(assistant)
        self._shown: list[Shown] = []
        self._done: list[Shown] = []

    @property
    def greeting(self) -> str:
        """The agent's first words."""
        return self.assistant.greeting

    async def hear(self, text: str) -> list[Shown]:
        """The caller says something; what the agent says and does until it listens again.

        Raises:
            TrunklineError: the language model or the session failed.
        """
        self._shown = []
        try:
            result: RunResult[Any] = await self._session.run(user_input=text)
        except TrunklineError:
            raise
        except Exception as error:
            raise AssistantError(f"the agent did not answer: {error}.", retryable=True) from error
        for event in result.events:
            if event.type == "message" and event.item.role == "assistant":
                self._shown.append(Shown("agent", (event.item.text_content or "").strip()))
            elif event.type == "function_call_output":
                self._shown += self._done[:1]
                del self._done[:1]
        self._collect()
        if self.ended:
            self._shown.append(Shown("ended"))
        return self._shown

    async def press(self, keys: str) -> list[Shown]:
        """The caller presses keys, taken one by one or as one input, as the keypad of a call does."""
        shown: list[Shown] = []
        while keys and not self.ended:
            expected, end_key = self._keys_expected()
            given = keys[:expected].partition(end_key)[0] if expected > 1 else keys[0]
            keys = keys[max(1, len(given)) :]
            if expected > 1 and given and keys.startswith(end_key):
                keys = keys[len(end_key) :]
            shown = shown + await self.hear(keys_as_text(given or end_key))
        return shown

    def _keys_expected(self) -> tuple[int, str]:
        if self._flow is None or not isinstance(self._model, DialogueLlm):
            return MAX_KEYS, END_KEY
        state = self._model.state_after(self._session.history)
        return self._flow.keys_expected(state), self._flow.key_rules(state)[0]

    # What the tools tell

    def on_tool(self, name: str, arguments: dict[str, Any], result: dict[str, Any]) -> None:
        """A tool was called and has answered."""
        self._done.append(Shown("tool", name, {"arguments": arguments, "result": result}))

    def on_end(self, context: RunContext[None]) -> None:
        """The agent ends the call."""
        self.ended = True

    def on_fields(self, fields: dict[str, Any]) -> None:
        """A tool has settled something."""
        self._note(self._questionnaire.settle(fields))

    def _collect(self) -> None:
        if isinstance(self._model, DialogueLlm):
            state = self._model.state_after(self._session.history)
            self._note(self._questionnaire.after(state, turn=None, confidence=None))

    def _note(self, changed: Mapping[str, Mapping[str, Any]]) -> None:
        values = {name: told.get("value") for name, told in changed.items()}
        self.fields |= values
        self.fields = {name: value for name, value in self.fields.items() if value is not None}
        if values:
            self._shown.append(Shown("fields", data=values))


@contextlib.asynccontextmanager
async def open_talk(
    assistant: Assistant,
    speech: SpeechSettings,
    *,
    model_url: str | None = None,
    allowed_networks: Sequence[str] = (),
    data: Mapping[str, Any] | None = None,
) -> AsyncIterator[Talk]:
    """Begin a conversation in text.

    Args:
        assistant: as its file has it.
        speech: the line's; of it only the language model is used.
        model_url: the simulated model's root, for a line that has none.
        allowed_networks: private networks that HTTP tools may reach.
        data: what the call brings along; the file's examples stand for what is missing.

    Raises:
        TrunklineError: the assistant needs a model and the line has none, or a key is missing.
    """
    assistant = filled(assistant, data, examples=True)
    settings = text_speech(assistant, speech, model_url)
    flow = Flow(assistant) if settings.llm.provider == "offline" and assistant.flow is not None else None
    async with http_context.open():
        providers = build(settings, dialogue=flow)
        session: AgentSession[None] = AgentSession(llm=providers.llm)
        talk = Talk(assistant, session, providers.llm, flow)
        http = HttpReach(AddressGuard(networks(list(allowed_networks))))
        desk = Desk(
            assistant, caller_number=CALLER_NUMBER, collected=talk.on_fields, call_id="call_text", http=http
        )
        tools = function_tools(
            assistant, desk, scripted=flow is not None, on_tool=talk.on_tool, on_end=talk.on_end
        )
        history = llm.ChatContext.empty()
        history.add_message(role="assistant", content=assistant.greeting)
        try:
            await session.start(Agent(instructions=assistant.instructions, tools=tools, chat_ctx=history))
            yield talk
        finally:
            await session.aclose()
            await http.aclose()
            await providers.aclose()


def text_speech(assistant: Assistant, line: SpeechSettings, model_url: str | None) -> SpeechSettings:
    """The line's speech for a conversation in text: its language model and nothing else.

    Raises:
        AssistantError: there is no flow, and no language model to lead the call.
    """
    # A model that hears and speaks cannot be asked in text: another stands in for it.
    model: Any = None if assistant.pipeline == "realtime" else assistant.speech.llm or line.llm
    if model is None or (model.provider == "offline" and assistant.flow is None):
        if model_url is None:
            raise AssistantError(
                f"{assistant.name} is led by a language model, and there is none here.",
                field="speech.llm",
                fix="Configure one in the line's file, or write its answers to scripts/"
                f"{assistant.name}.answers.yaml.",
            )
        model = OpenAiLlmSettings(provider="openai", base_url=f"{model_url}/v1")
    return SpeechSettings(
        stt=TimedSttSettings(provider="timed"),
        llm=model,
        tts=TimedTtsSettings(provider="timed"),
        # Nobody is on the telephone who could be kept waiting.
        deadlines=DeadlineSettings(llm_first_token_ms=30_000, llm_next_token_ms=30_000),
    )
