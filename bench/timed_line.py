"""A line with providers of known delay, and callers whose own cost is small.

What the callers say is spoken once before anything is measured, and they understand nothing: on a machine
of two cores a recogniser beside ten calls would be measured too.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bench.stock_line import StockLine
from telephony.agent.session import INTERRUPTION_VARIABLE
from telephony.caller.engine import speech_engine
from telephony.caller.run import run_script
from telephony.caller.voice import EngineVoice, default_cache
from telephony.line.line import Line, LineInfo, LineOptions
from telephony.speech.marks import VARIABLE
from tests.e2e.sample import sample_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from telephony.audio.frame import Samples
    from telephony.caller.events import CallerEvent
    from telephony.caller.report import CallReport
    from telephony.caller.script import Script


STT_MS, LLM_MS, TTS_MS = 200, 50, 50
SPEECH = {
    "stt": {"provider": "timed", "stt_final_ms": STT_MS},
    "llm": {"provider": "timed", "llm_ms": LLM_MS},
    "tts": {"provider": "timed", "tts_ms": TTS_MS, "duration_s": 2.0},
    "vad": {"provider": "bundled"},
}


@dataclass
class Made:
    """One call of a measurement, with the instant of its INVITE on the monotonic clock."""

    report: CallReport
    invited_at: float


@dataclass
class Spoken:
    """The callers' lines as audio."""

    lines: dict[str, Samples] = field(default_factory=dict)

    @classmethod
    async def prepare(cls, scripts: Iterable[Script]) -> Spoken:
        """Have all lines of some scripts spoken, by a speech engine that is gone afterwards."""
        spoken = cls()
        async with speech_engine(None) as engine:
            for script in scripts:
                settings = script.settings
                voice = EngineVoice(engine, settings.voice, seed=settings.seed, cache=default_cache())
                for text in script.spoken():
                    spoken.lines[text] = await voice.speak(text)
        return spoken

    async def speak(self, text: str) -> Samples:
        """One line; must have been prepared."""
        return self.lines[text]


class TimedLine:
    """One line on one audio path.

    Args:
        folder: for everything it writes.
        path: ``direct`` or ``room``.
        bridge: as ``trunkline up --bridge``.
        interruption_s: speech that stops the agent; None as in operation.
        speech: the file's ``speech`` section in place of ``SPEECH``.
        agent: more of the file's ``agent`` section.
        stock: let the stock agent answer, in a room.
    """

    def __init__(
        self,
        folder: Path,
        path: str,
        *,
        bridge: str = "embedded",
        interruption_s: float | None = None,
        speech: dict[str, Any] | None = None,
        agent: dict[str, Any] | None = None,
        stock: bool = False,
    ) -> None:
        self.path = path
        self.name = "stock" if stock else path
        self.marks = folder / f"marks-{self.name}.jsonl"
        changed = {"max_calls": 50, "audio_path": path, **(agent or {})}
        config = sample_file(folder / f"{self.name}.yaml", agent=changed, warm=None, speech=speech or SPEECH)
        options = LineOptions(config, folder / self.name, sip_port=0, bridge=bridge)
        self.line = StockLine(options) if stock else Line(options)
        self._interruption_s = interruption_s

    async def start(self) -> LineInfo:
        """Start it; its jobs mark when they hear and speak."""
        os.environ[VARIABLE] = str(self.marks)
        if self._interruption_s is not None:
            os.environ[INTERRUPTION_VARIABLE] = str(self._interruption_s)
        return await self.line.start()

    async def call(
        self, script: Script, voice: Spoken, number: int = 0, report_dir: Path | None = None
    ) -> Made:
        """One call by a caller of its own number; its recording goes to ``report_dir``."""
        settings = script.settings.model_copy(update={"from_user": f"+1555010{2000 + number}"})
        invited: list[float] = []

        def watch(event: CallerEvent) -> None:
            # Not the first event of all: times count from the INVITE, which leaves a little after that.
            if event.kind == "answered":
                invited.append(time.monotonic() - event.at_s)

        report = await run_script(
            script.model_copy(update={"settings": settings}),
            self.line.info().sip,
            voice=voice,
            report_dir=report_dir,
            on_event=watch,
        )
        return Made(report, invited[0] if invited else time.monotonic())
