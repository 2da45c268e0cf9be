"""An assistant's own flow, as a LiveKit language model: the offline demo's brain.

Each request carries the whole history, and the answer is a function of it alone (``dialogue.replay``), so
LiveKit may ask early (preemptive generation), ask again or throw an answer away. The one thing that is
kept, what the recogniser should expect, moves only with turns that were taken: see ``follow``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, APIConnectOptions, llm, utils

from telephony.assistants.turns import ToolDone
from telephony.speech.dialogue import caller_turn, replay, tool_turn
from telephony.speech.expectation import Expectation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from livekit.agents import AgentSession, NotGivenOr

    from telephony.assistants.turns import FlowState, Step, ToolCall, Turn
    from telephony.speech.dialogue import DialogueEngine

_Events = Literal["metrics_collected", "error"]


class DialogueLlm(llm.LLM[_Events]):
    """Answers from a dialogue engine instead of a model.

    Args:
        dialogue: the conversation.
        expectation: written with what to expect of the caller; starts with the first question.
    """

    def __init__(self, dialogue: DialogueEngine, expectation: Expectation | None = None) -> None:
        super().__init__()
        self._dialogue = dialogue
        self.expectation = expectation or Expectation()
        self.expectation.hint = dialogue.hint(dialogue.start())

    @property
    def model(self) -> str:
        return "dialogue"

    @property
    def provider(self) -> str:
        return "offline"

    def state_after(self, history: llm.ChatContext) -> FlowState:
        """Where the conversation stands after its history."""
        return replay(self._dialogue, turns_of(history)).state

    def expect_after(self, history: llm.ChatContext) -> None:
        """Tell the recogniser what to expect after that history."""
        self.expectation.hint = self._dialogue.hint(self.state_after(history))

    def follow(self, session: AgentSession[Any]) -> None:
        """From now on, keep the expectation where the session's history is, as it is committed."""

        @session.on("conversation_item_added")
        def _on_item(_: object) -> None:
            self.expect_after(session.history)

    def chat(
        self,
        *,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool] | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        parallel_tool_calls: NotGivenOr[bool] = NOT_GIVEN,
        tool_choice: NotGivenOr[llm.ToolChoice] = NOT_GIVEN,
        extra_kwargs: NotGivenOr[dict[str, Any]] = NOT_GIVEN,
    ) -> DialogueStream:
        """Answer the last turn of a history."""
        return DialogueStream(self, self._dialogue, chat_ctx, tools or [], conn_options)


class DialogueStream(llm.LLMStream):
    """One answer."""

    def __init__(
        self,
        model: DialogueLlm,
        dialogue: DialogueEngine,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool],
        conn_options: APIConnectOptions,
    ) -> None:
        self._model = model
        self._dialogue = dialogue
        super().__init__(model, chat_ctx=chat_ctx, tools=tools, conn_options=conn_options)

    async def _run(self) -> None:
        turns = turns_of(self._chat_ctx)
        step: Step = replay(self._dialogue, turns)
        if turns and isinstance(turns[-1], ToolDone):
            # Only a turn that was taken calls a tool, so its answer is no guess either.
            self._model.expectation.hint = self._dialogue.hint(step.state)
        request_id = utils.shortuuid("dialogue_")
        if step.say:
            self._event_ch.send_nowait(_spoken(request_id, step.say))
        # Asked again for an answer whose tool has been called already, only the words are repeated.
        if step.call is not None and not _calls_since_last_turn(self._chat_ctx):
            self._event_ch.send_nowait(_called(request_id, step.call))


def turns_of(history: llm.ChatContext) -> list[Turn]:
    """The caller's words and keys and the tools' answers in a history, in order."""
    return [turn for item in history.items if (turn := _turn_of(item)) is not None]


def _turn_of(item: llm.ChatItem) -> Turn | None:
    if isinstance(item, llm.ChatMessage):
        text = (item.text_content or "").strip()
        return caller_turn(text) if item.role == "user" and text else None
    if isinstance(item, llm.FunctionCallOutput):
        return tool_turn(item.name, item.output, failed=item.is_error)
    return None


def _calls_since_last_turn(history: llm.ChatContext) -> bool:
    items: Sequence[llm.ChatItem] = history.items
    for item in reversed(items):
        if isinstance(item, llm.FunctionCall):
            return True
        if _turn_of(item) is not None:
            return False
    return False


def _spoken(request_id: str, text: str) -> llm.ChatChunk:
    return llm.ChatChunk(id=request_id, delta=llm.ChoiceDelta(role="assistant", content=text))


def _called(request_id: str, call: ToolCall) -> llm.ChatChunk:
    tool_call = llm.FunctionToolCall(
        name=call.name, arguments=json.dumps(dict(call.arguments)), call_id=utils.shortuuid("call_")
    )
    return llm.ChatChunk(id=request_id, delta=llm.ChoiceDelta(role="assistant", tool_calls=[tool_call]))
