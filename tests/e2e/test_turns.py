"""Who has the floor, on a whole line: a caller with a real voice talks over long answers of known length."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from bench.floor import resumed_ms, sounds, stopped_ms
from telephony.audio.wav import read_wav
from telephony.caller.engine import speech_engine
from telephony.caller.run import run_script
from telephony.caller.script_file import parse_script
from telephony.line.record import events_of
from tests.e2e.sample import line_of, sample_file
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from telephony.calls.events import Event
    from telephony.line.line import Line
    from telephony.speech.client import SpeechClient

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

SPEECH: dict[str, Any] = {
    "stt": {"provider": "timed", "stt_final_ms": 200, "interim_ms": 250, "texts": ["yes", "uh huh", "stop"]},
    "llm": {"provider": "timed", "llm_ms": 50, "text": "This is a long answer without any question in it."},
    "tts": {"provider": "timed", "tts_ms": 50, "duration_s": 6.0},
    "vad": {"provider": "bundled"},
}
SCRIPT = """
name: floor
steps:
  - say: {text: "Yes.", when: over_agent, after_ms: 4500}
  - say: {text: Uh-huh., when: over_agent, after_ms: 1200}
  - wait: 2.5
  - press: "5#"
  - interrupt: {text: Stop., after_ms: 1200, silent_within_ms: 3000}
  - wait: 2
  - hang_up
"""
"""The question of the sample's greeting begins half-way through it."""


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["direct", "room"])
async def line(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Line]:
    """A line on each audio path, with a recogniser that tells words as they are spoken."""
    folder = tmp_path_factory.mktemp("turns")
    agent = {"audio_path": {"direct": "auto"}.get(request.param, request.param)}
    config = sample_file(folder / "livekit-sip.yaml", agent=agent, speech=SPEECH)
    async with line_of(config, folder / "data") as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def voice() -> AsyncIterator[SpeechClient]:
    """The caller's."""
    async with speech_engine(None) as speech:
        yield speech


async def test_the_agent_yields_to_answers_keys_and_stops_and_not_to_backchannels(
    line: Line, voice: SpeechClient, tmp_path: Path
) -> None:
    """Each is decided by its policy, is in the record with its evidence, and is heard at the phone."""
    report = await run_script(parse_script(SCRIPT), line.info().sip, speech=voice, report_dir=tmp_path)
    assert report.ok, report.cause or report.problems
    await until(
        lambda: any(event.type == "call.ended" for event in _of(line, report.sip_call_id)), timeout_s=10
    )
    events = _of(line, report.sip_call_id)
    decided = [
        event.data["policy"]
        for event in events
        if event.type in {"agent.interrupted", "interruption.ignored"}
    ]
    # A backchannel of two sounds is decided on twice.
    assert [policy for policy, _ in groupby(decided)] == ["answers", "backchannels", "key", "stop_words"]
    told = [
        event.data["text"]
        for event in events
        if event.type == "turn.completed" and event.data["who"] == "caller"
    ]
    assert told == ["yes"], "neither a backchannel nor a stop word is a turn"
    (caller, agent), _ = read_wav(next(tmp_path.rglob("*.wav")))
    heard, said = sounds(agent), sounds(caller)
    backchannel, stop = (
        next(turn.said_start_s for turn in report.turns if turn.said == text) for text in ("Uh-huh.", "Stop.")
    )
    assert backchannel is not None
    assert stop is not None
    held = stopped_ms(heard, backchannel)
    assert held is not None, "the agent pauses first"
    again = resumed_ms(heard, said, backchannel)
    assert again is not None, "and goes on"
    silent = stopped_ms(heard, stop)
    assert silent is not None
    after = round(stop * 200 + silent / 5) + 10
    assert not heard[after : after + 300].any(), "and stays silent when stopped"


def _of(line: Line, sip_call_id: str) -> list[Event]:
    return events_of(line.data.events, sip_call_id)
