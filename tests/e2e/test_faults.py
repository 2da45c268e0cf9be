"""A provider that goes mute in a call, on a whole line: the caller hears a filler, then an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from telephony.caller.engine import speech_engine
from telephony.caller.run import run_script
from telephony.caller.script_file import parse_script
from telephony.line.record import events_of
from telephony.speech.simulators.openai import OpenAiSimulator
from telephony.speech.simulators.serving import serve
from tests.e2e.sample import line_of, sample_file
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from telephony.calls.events import Event
    from telephony.line.line import Line

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

DEADLINE_MS = 800
SCRIPT = """
name: fault
steps:
  - say: {text: "When are you open on Friday?", when: after_agent, after_ms: 400}
  - wait: 5
  - hang_up
"""


def _speech(model: str) -> dict[str, Any]:
    return {
        "stt": {"provider": "timed", "stt_final_ms": 200, "text": "When are you open on Friday?"},
        "llm": {"provider": "openai", "model": "mute", "base_url": f"{model}/v1"},
        "tts": {"provider": "timed", "tts_ms": 50, "duration_s": 1.0},
        "vad": {"provider": "bundled"},
        "fallback": {"llm": {"provider": "timed", "llm_ms": 50, "text": "From nine to five."}},
        "deadlines": {"llm_first_token_ms": DEADLINE_MS},
    }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def line(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Line]:
    """A line whose model opens its stream and says nothing."""
    folder = tmp_path_factory.mktemp("faults")
    async with serve(OpenAiSimulator(fault="mute").app()) as model:
        config = sample_file(folder / "livekit-sip.yaml", speech=_speech(model))
        async with line_of(config, folder / "data") as started:
            yield started


async def test_a_model_that_goes_mute_costs_a_filler(line: Line, tmp_path: Path) -> None:
    """The stream opens and no word comes: the call goes on with the model that stands in."""
    async with speech_engine(None) as voice:
        report = await run_script(parse_script(SCRIPT), line.info().sip, speech=voice, report_dir=tmp_path)
    assert report.ok, report.cause or report.problems

    def told() -> list[Event]:
        return events_of(line.data.events, report.sip_call_id)

    await until(lambda: any(event.type == "call.ended" for event in told()), timeout_s=10)
    events = told()
    troubles = [event.data["kind"] for event in events if event.type == "provider.trouble"]
    assert troubles[:2] == ["late", "switched"]
    assert [event.data["stage"] for event in events if event.type == "filler.spoken"] == ["llm"]
    said = [event.data["text"] for event in events if event.type == "turn.completed"]
    assert said[1:] == ["When are you open on Friday?", "From nine to five."]
