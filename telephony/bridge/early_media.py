"""What the carrier plays before the answer, heard by those who wait: announcements, music, its own ringing.

An option: livekit-sip v1.11.0 ignores descriptions in provisional responses and drops RTP before the answer.
Only towards the room: what is said there before the answer is kept for the phone. Silence is sent meanwhile,
since many carriers send to nobody who does not (RFC 3960 section 3.2 leaves that open). A 200 may say
otherwise than the 183, and is what counts from then on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.audio.frame import silence
from telephony.errors import SdpError
from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.audio.frame import Samples
    from telephony.bridge.agreement import MediaAgreement
    from telephony.rtp.session import RtpSession
    from telephony.rtp.thread import MediaThread

log = get_logger(__name__)

_SILENCE = silence()
_SILENCE.setflags(write=False)


class EarlyMedia:
    """One call's.

    Args:
        play: takes the next 20 ms, on the media thread.
    """

    def __init__(
        self,
        rtp: RtpSession,
        agreement: MediaAgreement,
        thread: MediaThread,
        play: Callable[[Samples], None],
    ) -> None:
        self._rtp = rtp
        self._agreement = agreement
        self._thread = thread
        self._play = play
        self._on = False

    @property
    def playing(self) -> bool:
        """Whether what comes is heard now."""
        return self._on

    def described(self, body: bytes) -> bool:
        """A provisional response carries a description: follow it; whether there is something to hear."""
        try:
            self._agreement.accept(body, is_final=False)
        except SdpError as error:
            log.info("early_media_unusable", reason=error.message)
            return self._on
        if not self._on:
            self._on = True
            self._thread.post(self._thread.clock.add, self._tick)
        return True

    def stop(self) -> None:
        """Play no more; harmless when repeated."""
        if self._on:
            self._on = False
            self._thread.post(self._thread.clock.remove, self._tick)

    def _tick(self) -> None:
        heard = self._rtp.receive_frame()
        self._play(_SILENCE if heard is None else heard)
        self._rtp.send_frame(_SILENCE)
