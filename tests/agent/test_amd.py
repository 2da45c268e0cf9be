"""LiveKit's classifier, led by us: the calls that are made to it, on a model that answers as a test says."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from livekit.agents import NOT_GIVEN, APIConnectOptions, llm

from telephony.agent.amd import ModelJudge
from tests.waiting import limit

if TYPE_CHECKING:
    from livekit.agents import NotGivenOr

pytestmark = pytest.mark.pure


class Labeller(llm.LLM[Any]):
    """A model that gives every transcript the same label, by the tool that it is given."""

    def __init__(self, label: str) -> None:
        super().__init__()
        self.verdict = label
        self.asked: list[str] = []

    def chat(
        self,
        *,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool] | None = None,
        conn_options: APIConnectOptions = APIConnectOptions(),  # noqa: B008 - as livekit-agents has it
        parallel_tool_calls: NotGivenOr[bool] = NOT_GIVEN,
        tool_choice: NotGivenOr[llm.ToolChoice] = NOT_GIVEN,
        extra_kwargs: NotGivenOr[dict[str, Any]] = NOT_GIVEN,
    ) -> llm.LLMStream:
        self.asked.append(chat_ctx.messages()[-1].text_content or "")
        return Labelled(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


class Labelled(llm.LLMStream):
    """One answer."""

    async def _run(self) -> None:
        assert isinstance(self._llm, Labeller)
        call = llm.FunctionToolCall(
            name="save_prediction", arguments=f'{{"label": "{self._llm.verdict}"}}', call_id="call_1"
        )
        delta = llm.ChoiceDelta(role="assistant", tool_calls=[call])
        self._event_ch.send_nowait(llm.ChatChunk(id="1", delta=delta))


async def _verdict(label: str) -> tuple[list[tuple[str, str]], list[str]]:
    told: list[tuple[str, str]] = []
    model = Labeller(label)
    judge = ModelJudge(model, lambda category, reason: told.append((category, reason)))
    try:
        judge.start()
        judge.voice(True, 0.0)
        judge.words("We are out until Monday.")
        judge.voice(False, 0.3)
        async with limit(10):
            while not told:
                await asyncio.sleep(0.02)
    finally:
        await judge.aclose()
    return told, model.asked


@pytest.mark.parametrize("label", ["machine-vm", "machine-ivr", "machine-unavailable", "human"])
async def test_the_models_label_is_told_once(label: str) -> None:
    """With the words that were recognised, after the silence that follows them."""
    told, asked = await _verdict(label)
    assert told == [(label, "llm")]
    assert asked == ["We are out until Monday."]


async def test_nothing_is_told_once_it_is_closed() -> None:
    """A call that ends asks nobody any more."""
    told: list[str] = []
    judge = ModelJudge(Labeller("human"), lambda category, _: told.append(category))
    judge.start()
    judge.voice(True, 0.0)
    await judge.aclose()
    judge.words("Hello?")
    await asyncio.sleep(0.05)
    assert told == []
