"""How a call's audio reaches whoever answers it: the seam between RTP and any audio path.

``CallMedia`` is one path, such as the room's tracks; ``MediaLeg`` moves one frame each way each 20 ms
between it and the phone's RTP. Nothing here knows what is behind the path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from telephony.audio.frame import silence

if TYPE_CHECKING:
    from telephony.audio.frame import Samples
    from telephony.recording.recorder import StereoRecording
    from telephony.rtp.session import RtpSession
    from telephony.rtp.thread import MediaThread

_SILENCE = silence()
_SILENCE.setflags(write=False)


class CallMedia(Protocol):
    """One audio path of one call; frames are int16 of shape (160,), 20 ms at 8 kHz.

    ``release``, ``feed`` and ``take`` are called on the media thread, all else on the bridge's loop.

    Attributes:
        name: what events and logs call the path.
    """

    name: str

    async def start(self) -> None:
        """Be ready to take the caller's audio. Raises LiveKitError when the path cannot be made."""

    def release(self) -> None:
        """The call is answered: what was collected may be played."""

    def feed(self, frame: Samples) -> None:
        """Take the next 20 ms of the caller; never blocks."""

    def take(self) -> Samples:
        """Give the next 20 ms for the caller to hear; never blocks."""

    async def close(self) -> None:
        """End the path; bounded, harmless when repeated."""

    def statistics(self) -> dict[str, int]:
        """Counters for the call's log line."""


class MediaLeg:
    """The phone's side of one call while it is up: a tick of the media thread moves a frame each way.

    Where no audio arrived in time the path gets silence, so that its clock never stands still: an Opus
    track that stops and goes on is taken for network delay by every receiver and stays late.
    """

    def __init__(
        self,
        rtp: RtpSession,
        media: CallMedia,
        thread: MediaThread,
        recording: StereoRecording | None = None,
    ) -> None:
        self._rtp = rtp
        self._media = media
        self._thread = thread
        self._recording = recording

    def start(self) -> None:
        """Move frames from the next tick on; what the path collected is heard first."""
        self._thread.post(self._begin)

    def stop(self) -> None:
        """Move no more; a tick under way is finished. Harmless when repeated."""
        self._thread.post(self._thread.clock.remove, self._tick)

    async def stopped(self) -> None:
        """Stop, and wait until no tick is under way."""
        await self._thread.run(self._thread.clock.remove, self._tick)

    def _begin(self) -> None:
        self._media.release()
        self._thread.clock.add(self._tick)

    def _tick(self) -> None:
        heard = self._rtp.receive_frame()
        if heard is None:
            heard = _SILENCE
        self._media.feed(heard)
        said = self._media.take()
        self._rtp.send_frame(said)
        if self._recording is not None:
            self._recording.add(heard, said)
