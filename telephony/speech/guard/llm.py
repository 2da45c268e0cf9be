"""A language model that answers in time: deadlines for the first token and for each further one.

Mirrors ``livekit.agents.llm.FallbackAdapter`` in what a session sees of it. That one notices no stream which
is open and mute, and gives up where a word has been said; here the next model then answers anew.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from livekit.agents import (
    DEFAULT_API_CONNECT_OPTIONS,
    NOT_GIVEN,
    APIConnectionError,
    APIConnectOptions,
    NotGivenOr,
    llm,
)

from telephony.speech.guard.rota import error_of, is_final, reason_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterable

    from telephony.speech.guard.rota import Rota
    from telephony.speech.settings import DeadlineSettings

_Events = Literal["metrics_collected", "error"]


class GuardedLlm(llm.LLM[_Events]):
    """Several models as one.

    Args:
        rota: who is asked.
        deadlines: how long each may take.
    """

    def __init__(self, rota: Rota[llm.LLM[Any]], deadlines: DeadlineSettings) -> None:
        super().__init__()
        self.rota = rota
        self.deadlines = deadlines
        for model in rota.providers:
            model.on("metrics_collected", self._measured)

    @property
    def model(self) -> str:
        return self.rota.serving.model

    @property
    def provider(self) -> str:
        return self.rota.serving.provider

    def chat(
        self,
        *,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool] | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        parallel_tool_calls: NotGivenOr[bool] = NOT_GIVEN,
        tool_choice: NotGivenOr[llm.ToolChoice] = NOT_GIVEN,
        extra_kwargs: NotGivenOr[dict[str, Any]] = NOT_GIVEN,
    ) -> GuardedAnswer:
        """Answer by whoever can."""
        asked = {
            "parallel_tool_calls": parallel_tool_calls,
            "tool_choice": tool_choice,
            "extra_kwargs": extra_kwargs,
        }
        return GuardedAnswer(self, chat_ctx, tools or [], asked)

    def prewarm(self, *, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Connect to all of them: who stands in has no time for a handshake."""
        for model in self.rota.providers:
            model.prewarm(loop=loop)

    async def aclose(self) -> None:
        for model in self.rota.providers:
            model.off("metrics_collected", self._measured)
        await asyncio.gather(*(model.aclose() for model in self.rota.providers), return_exceptions=True)
        await super().aclose()

    def _measured(self, *measured: Any) -> None:
        self.emit("metrics_collected", *measured)


class GuardedAnswer(llm.LLMStream):
    """One answer."""

    _llm_request_span_name: ClassVar[str] = "guarded_llm"
    _llm_attempt_span_name: ClassVar[str | None] = None
    _genai_operation_name: ClassVar[str | None] = None

    def __init__(
        self, model: GuardedLlm, chat_ctx: llm.ChatContext, tools: list[llm.Tool], asked: dict[str, Any]
    ) -> None:
        self._guarded = model
        self._asked = asked
        self._said = False
        self._calls = False
        # Retries are the rota's.
        super().__init__(model, chat_ctx=chat_ctx, tools=tools, conn_options=APIConnectOptions(max_retry=0))

    async def _run(self) -> None:
        rota = self._guarded.rota
        said = False
        last: BaseException | None = None
        for model in rota.order():
            if is_final(last) and len(rota.providers) == 1:
                break
            try:
                async with aclosing(self._chunks(model)) as chunks:
                    async for chunk in chunks:
                        if said and chunk.delta is not None and chunk.delta.content:
                            # The one before broke off in the middle of a word.
                            self._event_ch.send_nowait(_space(chunk))
                        said = False
                        self._event_ch.send_nowait(chunk)
                rota.good(model)
            except TimeoutError:
                last = None
                rota.bad(model, "late", "no token in time")
            except Exception as error:
                last = error
                rota.bad(model, "failed", reason_of(error))
            else:
                return
            if self._calls:
                # A tool that was called once is not called again.
                return
            said = self._said
        rota.report("exhausted", rota.first)
        raise error_of(last, "no language model has answered")

    async def _chunks(self, model: llm.LLM[Any]) -> AsyncGenerator[llm.ChatChunk, None]:
        deadlines = self._guarded.deadlines
        first_s, next_s = deadlines.llm_first_token_ms / 1000, deadlines.llm_next_token_ms / 1000
        options = APIConnectOptions(max_retry=0, timeout=max(first_s, next_s))
        until = asyncio.get_running_loop().time() + first_s
        spoke = False
        async with model.chat(
            chat_ctx=self._chat_ctx, tools=self._tools, conn_options=options, **self._asked
        ) as stream:
            iterator = aiter(stream)
            while True:
                try:
                    async with asyncio.timeout_at(until):
                        chunk = await anext(iterator)
                except StopAsyncIteration:
                    break
                if chunk.delta is not None and (chunk.delta.content or chunk.delta.tool_calls):
                    if not spoke:
                        self._guarded.rota.serves(model)
                    spoke = True
                    until = asyncio.get_running_loop().time() + next_s
                    self._note(chunk.delta)
                yield chunk
        if not spoke:
            raise APIConnectionError("it said nothing", retryable=False)

    def _note(self, delta: llm.ChoiceDelta) -> None:
        self._said = self._said or bool(delta.content)
        self._calls = self._calls or bool(delta.tool_calls)

    async def _metrics_monitor_task(self, event_aiter: AsyncIterable[llm.ChatChunk]) -> None:
        """Whoever answers is measured by itself."""
        async for _ in event_aiter:
            pass


def _space(chunk: llm.ChatChunk) -> llm.ChatChunk:
    return llm.ChatChunk(id=chunk.id, delta=llm.ChoiceDelta(role="assistant", content=" "))
