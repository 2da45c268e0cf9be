"""A link of a session's output that hands everything on: for those that watch or hold the agent's voice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from livekit.agents.voice.io import AudioOutput, AudioOutputCapabilities

if TYPE_CHECKING:
    from livekit import rtc


class PassThroughOutput(AudioOutput):
    """One link of the chain behind ``session.output.audio``.

    Args:
        label: as livekit-agents calls it.
        sink: the next link.
        can_pause: what the session is told of it.

    Attributes:
        capturing: whether a segment is being handed on, and has not been flushed.
    """

    def __init__(self, label: str, sink: AudioOutput, *, can_pause: bool) -> None:
        super().__init__(
            label=label,
            capabilities=AudioOutputCapabilities(pause=can_pause),
            next_in_chain=sink,
            sample_rate=sink.sample_rate,
        )
        # A bare end of the chain is wrapped, so that it can be replaced later.
        assert self.next_in_chain is not None, "given above"
        self._sink = self.next_in_chain
        self.capturing = False

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        if not self.capturing:
            self.capturing = True
            self._begins()
        self._passes(frame)
        await self._sink.capture_frame(frame)

    def flush(self) -> None:
        super().flush()
        self.capturing = False
        self._sink.flush()

    def clear_buffer(self) -> None:
        self._sink.clear_buffer()

    def _begins(self) -> None:
        """A segment begins to be handed on."""

    def _passes(self, frame: rtc.AudioFrame) -> None:
        """A frame of it is about to be."""
