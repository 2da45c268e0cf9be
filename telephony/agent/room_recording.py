"""Recording a call that goes through the room, by its job: what it hears left, what it plays right.

The session's input and output are passed on unchanged and watched. What was captured is known at once,
what is played only by its beginning, its pauses and its end; so a second playout plays along in real
time from the moment at which the real one says that it started.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np
from livekit.agents.voice.io import AudioInput

from telephony.agent.pass_through import PassThroughOutput
from telephony.audio.frame import FRAME_S, FRAME_SAMPLES, RATE, silence
from telephony.audio.resample import Resampler
from telephony.clock import LoopClock
from telephony.link.playout import Playout
from telephony.recording.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from livekit import rtc
    from livekit.agents import AgentSession
    from livekit.agents.voice.io import AudioOutput, PlaybackFinishedEvent

    from telephony.audio.frame import Samples
    from telephony.recording.recorder import RecordedFile, StereoRecording

_WAITING_FRAMES = 10
"""Frames of the caller that may wait to be written; more than the room's own jitter."""


class RoomRecording:
    """Records one session from ``attach`` to ``close``."""

    def __init__(self, recording: StereoRecording) -> None:
        self._recording = recording
        self._playout = Playout(LoopClock(), lambda _: None)
        self._heard: deque[Samples] = deque(maxlen=_WAITING_FRAMES)
        self._rest = silence(0)
        self._resamplers: dict[str, tuple[int, Resampler]] = {}
        self._segment = 0
        self._capturing = False
        self._started = False
        self._task: asyncio.Task[None] | None = None

    def attach(self, session: AgentSession[Any]) -> None:
        """Watch a session that has started and has not spoken yet."""
        source, sink = session.input.audio, session.output.audio
        if source is None or sink is None:
            return
        session.input.audio = _WatchedInput(source, self)
        leaf = sink
        while leaf.next_in_chain is not None:
            leaf = leaf.next_in_chain
        session.output.replace_audio_tail(_WatchedOutput(leaf, self))
        self._task = asyncio.create_task(self._run(), name="room_recording")

    async def close(self) -> RecordedFile | None:
        """Complete the file; bounded."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        return await self._recording.close()

    # What the session does

    def heard(self, frame: rtc.AudioFrame) -> None:
        """The caller's next audio."""
        samples = np.concatenate((self._rest, self._telephone_rate("caller", frame)))
        whole = len(samples) // FRAME_SAMPLES * FRAME_SAMPLES
        self._heard.extend(samples[:whole].reshape(-1, FRAME_SAMPLES))
        self._rest = samples[whole:]

    def captured(self, frame: rtc.AudioFrame) -> None:
        """Audio that will be played."""
        if not self._capturing:
            self._capturing = True
            self._segment += 1
        self._playout.push(self._segment, self._telephone_rate("agent", frame).tobytes())

    def flushed(self) -> None:
        """That was all of it."""
        if self._capturing:
            self._capturing = False
            self._playout.flush(self._segment)

    def cleared(self) -> None:
        """Nothing more of it is played."""
        self._started = False
        if self._segment:
            self._playout.clear(self._segment)

    def paused(self, is_paused: bool) -> None:
        """It is held."""
        if is_paused:
            self._playout.pause()
        else:
            self._playout.resume()

    def started(self) -> None:
        """Its first sample is being played."""
        self._started = True

    def finished(self) -> None:
        """It is over, whatever this playout thinks."""
        self._started = False
        if self._segment and not self._capturing:
            self._playout.clear(self._segment)

    def _telephone_rate(self, side: str, frame: rtc.AudioFrame) -> Samples:
        samples = np.frombuffer(frame.data, np.int16)
        if frame.sample_rate == RATE:
            return samples
        rate, resampler = self._resamplers.get(side, (0, None))
        if resampler is None or rate != frame.sample_rate:
            resampler = Resampler(frame.sample_rate, RATE)
            self._resamplers[side] = (frame.sample_rate, resampler)
        return resampler.process(samples)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due += FRAME_S
            await asyncio.sleep(max(0.0, due - loop.time()))
            said = self._playout.take() if self._started else silence()
            self._recording.add(self._heard.popleft() if self._heard else silence(), said)


class RoomRecorder:
    """The recorder of one job: one call's recording, and the thread that writes it."""

    def __init__(self) -> None:
        self._recorder: Recorder | None = None
        self._recording: RoomRecording | None = None

    def begin(self, session: AgentSession[Any], folder: Path, name: str, kind: str) -> None:
        """Record a session that has started and has not spoken yet; see ``Recorder.open``."""
        self._recorder = Recorder()
        recording = self._recorder.open(folder, name, kind)
        if recording is not None:
            self._recording = RoomRecording(recording)
            self._recording.attach(session)

    async def close(self, complete: Callable[[RecordedFile], None]) -> None:
        """Complete the file and tell ``complete`` of it; harmless where nothing was begun."""
        if self._recording is not None:
            file = await self._recording.close()
            if file is not None:
                complete(file)
        if self._recorder is not None:
            await asyncio.to_thread(self._recorder.close)


class _WatchedInput(AudioInput):
    def __init__(self, source: AudioInput, recording: RoomRecording) -> None:
        super().__init__(label="recorded", source=source)
        self._recording = recording

    async def __anext__(self) -> rtc.AudioFrame:
        frame = await super().__anext__()
        self._recording.heard(frame)
        return frame


class _WatchedOutput(PassThroughOutput):
    def __init__(self, sink: AudioOutput, recording: RoomRecording) -> None:
        super().__init__("recorded", sink, can_pause=sink.can_pause)
        self._recording = recording

    def flush(self) -> None:
        self._recording.flushed()
        super().flush()

    def clear_buffer(self) -> None:
        self._recording.cleared()
        super().clear_buffer()

    def pause(self) -> None:
        self._recording.paused(True)
        super().pause()

    def resume(self) -> None:
        self._recording.paused(False)
        super().resume()

    def on_playback_started(self, *, created_at: float) -> None:
        self._recording.started()
        super().on_playback_started(created_at=created_at)

    def _forward_next_playback_finished(self, ev: PlaybackFinishedEvent) -> None:
        self._recording.finished()
        super()._forward_next_playback_finished(ev)

    def _passes(self, frame: rtc.AudioFrame) -> None:
        self._recording.captured(frame)
