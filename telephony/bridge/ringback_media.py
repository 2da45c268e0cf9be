"""The ringing tone in the place of an audio path's sound; the path still hears the phone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.bridge.dial_tone import frame_of_tone
from telephony.bridge.played_instead import PlayedInstead

if TYPE_CHECKING:
    from telephony.bridge.media import CallMedia


class RingbackMedia(PlayedInstead):
    """An audio path that plays the tone.

    Args:
        path: what is behind it; what it would say is dropped meanwhile.
    """

    def __init__(self, path: CallMedia) -> None:
        super().__init__(path, frame_of_tone)
