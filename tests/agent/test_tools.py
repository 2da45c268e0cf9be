"""Tools in a real session: never from an answer that was worked out ahead, and never in silence when slow."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, Agent, AgentSession, llm, stt, utils, vad

from telephony.agent.session import phone_session
from telephony.agent.tools import function_tools
from telephony.assistants.http_tool import HttpTool
from telephony.assistants.loader import load_assistant
from telephony.assistants.tools.desk import Desk
from telephony.assistants.tools.http import HttpReach
from telephony.speech.expectation import Expectation
from telephony.speech.providers import Providers
from telephony.speech.settings import TimedTtsSettings
from telephony.speech.simulators.serving import serve
from telephony.speech.timed import TimedTts
from telephony.webhooks.guard import AddressGuard, networks
from tests.agent.talk import Phone, Talk, ToldStt, ToldVad
from tests.speech.conversation import Microphone
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from livekit.agents import APIConnectOptions

    from telephony.assistants.schema import Assistant

pytestmark = [pytest.mark.component, pytest.mark.asyncio]


@dataclass
class Shop:
    """A service that takes orders, and counts them."""

    delay_s: float = 0.0
    orders: list[dict[str, Any]] = field(default_factory=list)

    async def order(self, request: web.Request) -> web.Response:
        self.orders.append(await request.json())
        await asyncio.sleep(self.delay_s)
        return web.json_response({"number": len(self.orders)})


class EagerModel(llm.LLM[Any]):
    """Orders whatever it was told, at once; speaks when the tool has answered."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def chat(
        self,
        *,
        chat_ctx: llm.ChatContext,
        tools: list[llm.Tool] | None = None,
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
        **_: Any,
    ) -> EagerAnswer:
        return EagerAnswer(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


class EagerAnswer(llm.LLMStream):
    async def _run(self) -> None:
        assert isinstance(self._llm, EagerModel)
        last = self._chat_ctx.items[-1]
        delta = llm.ChoiceDelta(role="assistant", content="Done.")
        if isinstance(last, llm.ChatMessage):
            self._llm.asked.append(last.text_content or "")
            call = llm.FunctionToolCall(
                name="order", arguments=json.dumps({"item": last.text_content}), call_id=utils.shortuuid()
            )
            delta = llm.ChoiceDelta(role="assistant", tool_calls=[call])
        self._event_ch.send_nowait(llm.ChatChunk(id="1", delta=delta))


def shopping(root: str) -> Assistant:
    tool = {
        "description": "Order it.",
        "method": "POST",
        "url": f"{root}/orders",
        "parameters": {"item": {}},
        "json": {"item": "{item}"},
        "result": {"number": {"type": "integer"}},
        "waiting": {"say": "One moment, I am ordering.", "after_s": 0.2},
    }
    reception = load_assistant("reception")
    return reception.model_copy(update={"tools": [], "http_tools": {"order": HttpTool.model_validate(tool)}})


@asynccontextmanager
async def ordering(shop: Shop) -> AsyncIterator[tuple[Talk, EagerModel]]:
    """A call whose model orders everything it hears."""
    app = web.Application()
    app.router.add_post("/orders", shop.order)
    recogniser, detector, phone, model = ToldStt(), ToldVad(), Phone(), EagerModel()
    voice = TimedTts(TimedTtsSettings(provider="timed", tts_ms=10, duration_s=0.3))
    reach = HttpReach(AddressGuard(networks(["127.0.0.0/8"])))
    async with serve(app) as root:
        assistant = shopping(root)
        tools = function_tools(
            assistant,
            Desk(assistant, http=reach),
            scripted=False,
            on_tool=lambda *_: None,
            on_end=lambda _: None,
        )
        providers = Providers(recogniser, model, voice, detector, Expectation())
        session: AgentSession[None] = phone_session(providers, assistant, None)
        session.input.audio, session.output.audio = Microphone(), phone.output
        listening = asyncio.create_task(phone.listen())
        await session.start(Agent(instructions="unused", tools=tools))
        try:
            yield Talk(session, None, phone, recogniser, detector), model  # type: ignore[arg-type]
        finally:
            await session.aclose()
            await reach.aclose()
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


async def test_an_answer_worked_out_ahead_acts_on_nothing() -> None:
    """The model is asked twice while the caller still speaks, and orders once, when the turn is over."""
    shop = Shop()
    async with ordering(shop) as (talk, model):
        talk._detected(vad.VADEventType.START_OF_SPEECH, 0.05)
        talk._said(stt.SpeechEventType.FINAL_TRANSCRIPT, "One tea,")
        await until(lambda: len(model.asked) == 1)
        await asyncio.sleep(0.3)
        assert shop.orders == [], "the caller still speaks"
        talk._said(stt.SpeechEventType.FINAL_TRANSCRIPT, "no, two.")
        await until(lambda: len(model.asked) == 2)
        await asyncio.sleep(0.2)
        assert shop.orders == [], "nor does a second guess act"
        talk._detected(vad.VADEventType.END_OF_SPEECH, 1.0)
        await until(lambda: bool(shop.orders))
        await until(lambda: ("assistant", "Done.", False) in talk.messages())
        assert shop.orders == [{"item": "One tea, no, two."}]


async def test_a_caller_hears_a_sentence_while_a_slow_tool_works() -> None:
    """The words of the file are spoken in between, and the answer after them."""
    shop = Shop(delay_s=1.5)
    async with ordering(shop) as (talk, _):
        await talk.sound(0.3, "One tea.")
        await until(lambda: ("assistant", "Done.", False) in talk.messages())
        assert [text for who, text, _ in talk.messages() if who == "assistant"] == [
            "One moment, I am ordering.",
            "Done.",
        ]
        assert len(shop.orders) == 1


async def test_a_quick_tool_needs_no_sentence() -> None:
    """Nothing is said in between where the answer comes at once."""
    shop = Shop()
    async with ordering(shop) as (talk, _):
        await talk.sound(0.3, "One tea.")
        await until(lambda: ("assistant", "Done.", False) in talk.messages())
        assert [text for who, text, _ in talk.messages() if who == "assistant"] == ["Done."]
