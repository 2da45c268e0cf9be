"""The ringing tone in the place of an audio path's sound; the path still hears the phone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.bridge.dial_tone import frame_of_tone

if TYPE_CHECKING:
    from telephony.audio.frame import Samples
    from telephony.bridge.media import CallMedia


class RingbackMedia:
    """An audio path that plays the tone.

    Args:
        path: what is behind it; what it would say is dropped meanwhile.
    """

    def __init__(self, path: CallMedia) -> None:
        self.name = path.name
        self._path = path
        self._tick_number = 0

    async def start(self) -> None:
        """Nothing needs to be made."""

    def release(self) -> None:
        """The path was released when the call was answered."""

    def feed(self, frame: Samples) -> None:
        self._path.feed(frame)

    def take(self) -> Samples:
        self._path.take()
        frame = frame_of_tone(self._tick_number)
        self._tick_number += 1
        return frame

    async def close(self) -> None:
        """The path is closed by whoever made it."""

    def statistics(self) -> dict[str, int]:
        return self._path.statistics()
