"""A sound of the bridge's own in the place of what an audio path would say to the phone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.audio.frame import Samples
    from telephony.bridge.media import CallMedia


class PlayedInstead:
    """An audio path whose own sound is taken and dropped, so that nothing waits to be heard afterwards.

    Args:
        path: what is behind it; it still hears the phone.
        sound: the frame to play by its number, which counts from 0.
    """

    def __init__(self, path: CallMedia, sound: Callable[[int], Samples]) -> None:
        self.name = path.name
        self._path = path
        self._sound = sound
        self._number = 0

    async def start(self) -> None:
        """Nothing needs to be made."""

    def release(self) -> None:
        """The path was released when the call was answered."""

    def feed(self, frame: Samples) -> None:
        self._path.feed(frame)

    def take(self) -> Samples:
        self._path.take()
        frame = self._sound(self._number)
        self._number += 1
        return frame

    async def rejoined(self) -> None:
        await self._path.rejoined()

    async def close(self) -> None:
        """The path is closed by whoever made it."""

    def statistics(self) -> dict[str, int]:
        return self._path.statistics()
