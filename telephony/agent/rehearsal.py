"""A job process goes through the beginning of a call once, before it is given one.

What Python and its libraries do the first time they do it, a caller would wait for: the SDK's native
library is started, types are resolved, and each page of memory that was shared with the parent is copied
when it is first written to, which it is by merely using an object. Together that is half of a job's start.
Nobody hears the rehearsal and nothing of it stays; a process that cannot rehearse is only slower.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from livekit import rtc

from telephony.agent.audio_path import room_options
from telephony.agent.calls_waiting import calls_wait
from telephony.agent.phone_agent import PhoneAgent
from telephony.agent.session import close_without_waiting, phone_session
from telephony.agent.tools import function_tools
from telephony.agent.turn_taking import TurnTaking
from telephony.assistants.tools.desk import Desk
from telephony.audio.frame import FRAME_SAMPLES
from telephony.link.job_end import LinkInput, LinkOutput
from telephony.link.messages import Finished, Flush
from telephony.logs import get_logger
from telephony.speech.providers import build
from telephony.speech.settings import SpeechSettings

if TYPE_CHECKING:
    from livekit.agents import AgentSession, llm

    from telephony.assistants.schema import Assistant
    from telephony.link.messages import ToBridge

log = get_logger(__name__)

LIMIT_S = 2.0
"""How long it may take: calls may be waiting for the process."""

CALM_WITHIN_S = 1.0
"""How long it waits for a free processor: the beginning of a call takes them for 0.1 to 0.3 s."""
_LOOK_S = 0.02

_LOAD = Path("/proc/loadavg")
_SPEECH = {
    "stt": {"provider": "timed", "stt_final_ms": 0},
    "llm": {"provider": "timed", "llm_ms": 0},
    "tts": {"provider": "timed", "tts_ms": 0, "duration_s": 0.02},
}


def rehearse(assistant: Assistant, data: Path) -> None:
    """Go through a call's beginning, without a caller, a room or a provider; never raises.

    A process is prepared when another has just been given a call: the rehearsal lets that call begin first.
    Where the processors stay busy, or calls wait for this very process, there is none.

    Args:
        assistant: the one that most calls are for.
        data: the line's folder, which nothing is written to.
    """
    refused = _await_calm()
    if refused:
        log.debug("not_rehearsed", reason=refused)
        return
    try:
        asyncio.run(asyncio.wait_for(_rehearse(assistant, data), LIMIT_S))
    except Exception as error:
        log.info("not_rehearsed", reason=str(error) or type(error).__name__)


def _await_calm() -> str:
    """Wait until a processor is free; returns why there is no time to rehearse, or nothing."""
    processors, until = os.cpu_count() or 1, time.monotonic() + CALM_WITHIN_S
    while runnable() > processors:
        if calls_wait():
            return "a call waits for this process"
        if time.monotonic() >= until:
            return "the processors are busy"
        time.sleep(_LOOK_S)
    return ""


def runnable() -> int:
    """Threads of the machine that run or could, this one among them; 0 where the kernel does not say."""
    try:
        return int(_LOAD.read_text().split()[3].partition("/")[0])
    except (OSError, ValueError, IndexError):
        return 0


async def _rehearse(assistant: Assistant, data: Path) -> None:
    providers = build(SpeechSettings.model_validate(_SPEECH))
    turns = TurnTaking(assistant, providers.stt)
    session = phone_session(providers, assistant, turns)
    session.input.audio = LinkInput()
    session.output.audio = _output()
    entered = asyncio.Event()

    async def enter() -> None:
        turns.attach(session)
        entered.set()

    agent = PhoneAgent(turns, enter, instructions=assistant.instructions, tools=_tools(assistant, data))
    try:
        await _begin(session, agent)
        await session.say(assistant.name)
        await entered.wait()
    finally:
        turns.close()
        close_without_waiting(session)
        await session.aclose()
        await providers.aclose()


async def _begin(session: AgentSession[None], agent: PhoneAgent) -> None:
    # A room that is never joined: whatever needs one waits, and is cancelled at the end.
    options = room_options(audio=False)
    await session.start(agent, room=rtc.Room(), room_options=options, record=False, session_host=False)


def _output() -> LinkOutput:
    """A voice that plays everything at once."""

    def send(message: ToBridge) -> None:
        if isinstance(message, Flush):
            # Not that it has started: the session would say so in the room.
            finished = Finished(message.segment, FRAME_SAMPLES, interrupted=False)
            asyncio.get_running_loop().call_soon(output.segments.told, finished)

    output = LinkOutput(send)
    output.segments.open_gate()
    return output


def _tools(assistant: Assistant, data: Path) -> list[llm.Tool | llm.Toolset]:
    desk = Desk.in_folder(assistant, data)
    return function_tools(assistant, desk, scripted=False, on_tool=lambda *_: None, on_end=lambda _: None)
