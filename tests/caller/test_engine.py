"""The caller's own speech engine, and its voice as a recogniser hears it."""

from __future__ import annotations

import numpy as np
import pytest

from telephony.audio.g711 import decode_pcmu, encode_pcmu
from telephony.audio.level import dbfs
from telephony.caller.engine import speech_engine
from telephony.caller.script_file import load_script
from telephony.caller.voice import EngineVoice
from telephony.caller.words import heard_in

pytestmark = pytest.mark.component


async def test_the_demo_lines_are_understood_over_the_telephone() -> None:
    """A private engine starts, and its recogniser understands every line in the caller's altered voice."""
    script = load_script("demo")
    quiet = np.zeros(2400, np.int16)
    async with speech_engine(None) as engine:
        voice = EngineVoice(engine, script.settings.voice, seed=script.settings.seed)
        for text in script.spoken():
            line = await voice.speak(text)
            assert dbfs(line) == pytest.approx(-20, abs=2)
            phoned = np.concatenate([quiet, decode_pcmu(encode_pcmu(line)), quiet])
            understood = await engine.transcribe(phoned, 8000)
            assert heard_in(text, understood.text), (text, understood.text)
