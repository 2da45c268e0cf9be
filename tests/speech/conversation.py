"""A small conversation that follows turns, and the ends of a session that has no room."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from livekit import rtc
from livekit.agents import Agent, RunContext, function_tool
from livekit.agents.voice.io import AudioInput, AudioOutput, AudioOutputCapabilities

from telephony.assistants.turns import FlowState, Pressed, Said, Step, ToolCall, ToolDone

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from telephony.assistants.turns import Turn

RATE = 8000
FRAME = 160


class Bookings:
    """Asks for a day, books it with a tool, and hangs up on key 0 or a goodbye."""

    def start(self) -> FlowState:
        return FlowState(at="menu", said="Hello, this is the clinic.")

    def step(self, state: FlowState, turn: Turn) -> Step:
        match turn:
            case ToolDone(name="book"):
                return self._speak(state, "menu", f"Booked for {turn.result.get('day', 'another day')}.")
            case ToolDone():
                return Step(state, "")
            case Pressed(keys="0"):
                return self._end(state)
            case Said(text=text) if "goodbye" in text.lower():
                return self._end(state)
            case Said(text=text) if state.at == "day":
                call = ToolCall("book", {"day": text.strip(" .")})
                return Step(replace(state, at="booking", calling=call), "One moment.", call)
            case Said(text=text) if "book" in text.lower():
                return self._speak(state, "day", "Which day?")
        return self._speak(state, state.at, "Sorry?")

    def hint(self, state: FlowState) -> str:
        return {"menu": "Book an appointment.", "day": "Monday, Tuesday."}.get(state.at, "")

    def _speak(self, state: FlowState, at: str, text: str) -> Step:
        return Step(replace(state, at=at, said=text, calling=None), text)

    def _end(self, state: FlowState) -> Step:
        return Step(replace(state, closed=True), "Goodbye.", ToolCall("end_call"))


class Clinic(Agent):
    """An agent with the tool that the conversation calls."""

    def __init__(self) -> None:
        super().__init__(instructions="unused")
        self.booked: list[str] = []

    @function_tool
    async def book(self, context: RunContext[None], day: str) -> dict[str, str]:
        """Book a day."""
        self.booked.append(day)
        return {"day": day}


class Microphone(AudioInput):
    """The caller's mouth: frames of 20 ms in real time, silence when nothing is said."""

    def __init__(self) -> None:
        super().__init__(label="microphone")
        self._pending = np.zeros(0, np.int16)
        self._due = time.monotonic()

    def say(self, samples: NDArray[np.int16]) -> None:
        """Speak from now on; samples at 8 kHz."""
        self._pending = np.concatenate([self._pending, samples])

    @property
    def speaking(self) -> bool:
        return len(self._pending) > 0

    async def __anext__(self) -> rtc.AudioFrame:
        self._due += FRAME / RATE
        await asyncio.sleep(max(0.0, self._due - time.monotonic()))
        frame = np.zeros(FRAME, np.int16)
        said, self._pending = self._pending[:FRAME], self._pending[FRAME:]
        frame[: len(said)] = said
        return rtc.AudioFrame(frame.tobytes(), RATE, 1, FRAME)


class Loudspeaker(AudioOutput):
    """The caller's ear: takes everything at once and says that it was played."""

    def __init__(self) -> None:
        super().__init__(
            label="loudspeaker", capabilities=AudioOutputCapabilities(pause=False), sample_rate=RATE
        )
        self.heard = np.zeros(0, np.int16)
        self.rates: set[int] = set()
        self._segment_s = 0.0

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        if not self._segment_s:
            self.on_playback_started(created_at=time.time())
        self._segment_s += frame.duration
        self.rates.add(frame.sample_rate)
        self.heard = np.concatenate([self.heard, np.frombuffer(frame.data, np.int16)])

    def flush(self) -> None:
        super().flush()
        self._finish(interrupted=False)

    def clear_buffer(self) -> None:
        self._finish(interrupted=True)

    def _finish(self, *, interrupted: bool) -> None:
        played, self._segment_s = self._segment_s, 0.0
        if played:
            self.on_playback_finished(playback_position=played, interrupted=interrupted)
