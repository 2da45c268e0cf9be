"""An agent whose pipeline is watched, in a session without a room: what it notes; and it changes nothing."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from livekit.agents import llm

from telephony.agent.flow_log import FlowLog
from telephony.agent.session import phone_session
from telephony.agent.turn_taking import TurnTaking
from telephony.agent.watched_agent import WatchedNodes
from telephony.assistants.loader import load_assistant
from telephony.speech.providers import build
from telephony.speech.settings import SpeechSettings
from tests.agent.talk import Phone
from tests.speech.conversation import Microphone
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.component

CALL = "call_" + "b" * 26
SPEECH = {
    "stt": {"provider": "timed"},
    "llm": {"provider": "timed", "llm_ms": 10, "text": "From nine to five."},
    "tts": {"provider": "timed", "tts_ms": 10, "duration_s": 0.5},
}


async def test_frames_texts_and_times_are_noted(tmp_path: Path) -> None:
    """Each node's share of a turn, in the order in which it flowed."""
    assistant = load_assistant("reception")
    providers = build(SpeechSettings.model_validate(SPEECH), env={})
    turns = TurnTaking(assistant, providers.stt)
    session = phone_session(providers, assistant, turns)
    flow = FlowLog(tmp_path, [], wanted=True, hide=lambda text: text.replace("five", "•"))
    phone = Phone()
    session.input.audio, session.output.audio = Microphone(), phone.output
    agent = WatchedNodes(turns, instructions="Be brief.")
    agent.flow = flow
    flow.begin(CALL, None)
    flow.follow(session)
    listening = asyncio.create_task(phone.listen())
    try:
        await session.start(agent)
        turns.attach(session)
        await session.generate_reply(user_input="When are you open?")
        await until(lambda: phone.sound_s > 0.3, timeout_s=10)
        await asyncio.sleep(0.2)
    finally:
        turns.close()
        await session.aclose()
        await providers.aclose()
        listening.cancel()
        flow.close()
    said = [each.text_content for each in session.history.items if isinstance(each, llm.ChatMessage)]
    assert said == ["When are you open?", "From nine to five."]
    lines = [json.loads(line) for line in (tmp_path / "pipeline" / f"{CALL}.jsonl").read_text().splitlines()]
    answer = next(line for line in lines if line["what"] == "answer")
    assert answer["text"] == "From nine to •."
    assert answer["first_ms"] <= answer["took_ms"]
    voice = [line for line in lines if line["what"] == "from_voice"]
    assert sum(line["sound_ms"] for line in voice) == pytest.approx(500, abs=60)
    assert sum(line["frames"] for line in lines if line["what"] == "to_recogniser") > 5
    assert {"thinking", "speaking"} <= {line.get("state") for line in lines if line["what"] == "agent"}
