"""An assistant's own speech, put over the line's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from telephony.assistants.loader import load_assistant
from telephony.assistants.pipeline import StageOverrides, speech_for
from telephony.errors import ConfigError
from telephony.speech.settings import SpeechSettings

if TYPE_CHECKING:
    from telephony.assistants.schema import Assistant

pytestmark = pytest.mark.pure

LINE = SpeechSettings.model_validate(
    {
        "stt": {"provider": "deepgram"},
        "llm": {"provider": "openai", "model": "big"},
        "tts": {"provider": "cartesia", "voice": "line", "speed": 1.2},
    }
)


def assistant(**changes: Any) -> Assistant:
    return load_assistant("reception").model_copy(update=changes)


def test_an_assistant_that_wants_nothing_has_the_lines_speech() -> None:
    """The very same, so that nothing is made twice."""
    assert speech_for(assistant(), LINE) is LINE


def test_a_stage_replaces_the_lines_whole_stage() -> None:
    """No key of one provider is left over under another; the others stay."""
    own = StageOverrides.model_validate({"llm": {"provider": "openai", "model": "small", "temperature": 0.2}})
    speech = speech_for(assistant(speech=own), LINE)
    assert (speech.llm, speech.stt, speech.tts) == (own.llm, LINE.stt, LINE.tts)


def test_a_voice_is_chosen_by_name_and_keeps_the_rest() -> None:
    """The provider, its pace and its address are the line's."""
    tts = speech_for(assistant(voice="mila"), LINE).tts
    assert tts.model_dump() == LINE.tts.model_dump() | {"voice": "mila"}


def test_a_voice_that_there_is_none_of_is_told() -> None:
    """The voice that is carried in the package is the only one offline; a tone has none to choose."""
    with pytest.raises(ConfigError, match="has no voice 'mila'"):
        speech_for(assistant(voice="mila"), SpeechSettings())
    timed = SpeechSettings.model_validate({"tts": {"provider": "timed"}})
    assert speech_for(assistant(voice="mila"), timed) is timed


def test_a_realtime_assistant_needs_a_line_that_has_such_a_model() -> None:
    """The sentence says what to add to the line's file."""
    with pytest.raises(ConfigError, match="realtime"):
        speech_for(load_assistant("consultant"), LINE)
    assert speech_for(assistant(pipeline="stages"), LINE).llm == LINE.llm
