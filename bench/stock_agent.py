"""The agent that everybody has: livekit-agents with its default options, for measuring beside ours.

An ``AgentSession`` with a recogniser, a model and a voice and no other option, in a room, greeting in
``on_enter``, as livekit-agents' own starting example does. The one thing that is changed is the limit on the
machine's load, without which a busy machine would answer no call. Its providers are those of the line's
file, so both agents have the same delays.

Run by ``bench.stock_line`` in place of ``telephony.agent``, with the same environment.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import signal
import sys
from pathlib import Path

from livekit.agents import Agent, AgentServer, AgentSession, JobContext

from telephony.agent.settings import AgentSettings
from telephony.speech.providers import build, preload_modules

settings = AgentSettings.from_environment()


class StockAgent(Agent):
    """Greets, and answers what it hears."""

    def __init__(self) -> None:
        super().__init__(instructions="You are a helpful voice assistant.")

    async def on_enter(self) -> None:
        self.session.generate_reply()


async def entrypoint(ctx: JobContext) -> None:
    """One call."""
    providers = build(settings.line.speech, engine_socket=settings.speech_socket, dialogue=None)
    session: AgentSession[None] = AgentSession(stt=providers.stt, llm=providers.llm, tts=providers.tts)
    await session.start(StockAgent(), room=ctx.room)


server = AgentServer(
    ws_url=settings.url,
    api_key=settings.api_key,
    api_secret=settings.api_secret,
    load_fnc=lambda: 0.0,
    load_threshold=math.inf,
    preload_modules=preload_modules(settings.line.speech),
    host="127.0.0.1",
    port=settings.health_port,
    http_proxy=None,
)
server.rtc_session(entrypoint, agent_name=settings.line.agent.name)


async def _serve() -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    server.on("worker_registered", lambda *_: _ready())
    running = asyncio.create_task(server.run(devmode=False))
    ending = asyncio.create_task(ended.wait())
    await asyncio.wait({running, ending}, return_when=asyncio.FIRST_COMPLETED)
    ending.cancel()
    await server.aclose()
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


def _ready() -> None:
    if settings.ready_file is not None:
        fresh = settings.ready_file.with_suffix(".new")
        fresh.write_text(json.dumps({"pid": os.getpid()}))
        os.replace(fresh, Path(settings.ready_file))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))
    asyncio.run(_serve())
