"""A caller on hold by the agent: music in place of an audio path's sound, and nobody hears the caller.

The path goes on meanwhile: it gets silence, so that its clock never stands still, and what it says is taken
and dropped, so that nothing waits to be heard when the hold is over. What the agent says goes to listeners
in the room all the same (``taps``), which is how a person is told of the caller in private.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.audio.frame import silence
from telephony.bridge.played_instead import PlayedInstead

if TYPE_CHECKING:
    from telephony.audio.frame import Samples
    from telephony.bridge.hold_music import HoldMusic
    from telephony.bridge.media import CallMedia

_SILENCE = silence()
_SILENCE.setflags(write=False)


class HoldMedia(PlayedInstead):
    """An audio path that plays music to the phone.

    Args:
        path: what is behind it.
        music: from its beginning.
    """

    def __init__(self, path: CallMedia, music: HoldMusic) -> None:
        super().__init__(path, music.frame)

    def feed(self, frame: Samples) -> None:
        self._path.feed(_SILENCE)
