"""The agent's voice with a hand on it: held and released by the interrupt handler alone.

Sits ahead of everything else in ``session.output.audio``, so that a hold silences the phone and stops the
transcript with it. livekit-agents is told that this output cannot pause, so its own handling of false
interruptions, which loses audio in a room and decides by a timer, keeps out.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from telephony.agent.pass_through import PassThroughOutput

if TYPE_CHECKING:
    from collections.abc import Callable

    from livekit import rtc
    from livekit.agents.voice.io import AudioOutput, PlaybackFinishedEvent


class HeldOutput(PassThroughOutput):
    """One session's.

    Args:
        sink: what speaks.
        began: told when a segment's first sound is played.
        ended: told when a segment is over: seconds played, and whether it was cut.

    Attributes:
        speaking: whether a segment is being played, held or not.
        pushed_s: audio of that segment so far.
    """

    def __init__(
        self, sink: AudioOutput, began: Callable[[], None], ended: Callable[[float, bool], None]
    ) -> None:
        super().__init__("held", sink, can_pause=False)
        self._began = began
        self._ended = ended
        self.speaking = False
        self.pushed_s = 0.0
        self._started_at = 0.0
        self._held_at: float | None = None
        self._held_s = 0.0

    @property
    def share(self) -> float:
        """How much of what was pushed has been played, 0 to 1."""
        if not self.speaking or self.pushed_s <= 0:
            return 0.0
        until = time.monotonic() if self._held_at is None else self._held_at
        return min(1.0, (until - self._started_at - self._held_s) / self.pushed_s)

    def hold(self) -> None:
        """Silent from the next tick of the phone on; nothing is lost."""
        if self._held_at is None:
            self._held_at = time.monotonic()
            self._sink.pause()

    def release(self) -> None:
        """Go on where it was held."""
        if self._held_at is not None:
            self._held_s += time.monotonic() - self._held_at
            self._held_at = None
            self._sink.resume()

    def pause(self) -> None:
        """Not for the session; see ``hold``."""

    def resume(self) -> None:
        """Not for the session; see ``release``."""

    def on_playback_started(self, *, created_at: float) -> None:
        self.speaking = True
        self._started_at, self._held_s = time.monotonic(), 0.0
        if self._held_at is not None:
            self._held_at = self._started_at
        super().on_playback_started(created_at=created_at)
        self._began()

    def _forward_next_playback_finished(self, ev: PlaybackFinishedEvent) -> None:
        super()._forward_next_playback_finished(ev)
        self.speaking = False
        self._ended(ev.playback_position, ev.interrupted)

    def _begins(self) -> None:
        self.pushed_s = 0.0

    def _passes(self, frame: rtc.AudioFrame) -> None:
        self.pushed_s += frame.duration
