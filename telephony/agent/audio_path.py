"""How a call's audio reaches the session: the one place that knows.

Here there is one way, the room's own tracks, which works behind any bridge. Another way sets the
session's input and output itself and turns the room's audio off; nothing above this notices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from livekit.agents.voice.room_io import AudioInputOptions, AudioOutputOptions, RoomOptions

if TYPE_CHECKING:
    from livekit.agents import AgentSession, JobContext

    from telephony.agent.settings import AgentSettings

INPUT_RATE = 16000
"""What the voice activity detector and the recognisers work at, in Hz."""
INPUT_FRAME_MS = 20
"""The line's own packet time; longer frames would only wait."""


async def attach(session: AgentSession[Any], ctx: JobContext, settings: AgentSettings) -> RoomOptions:
    """Join a session to its call's audio, before ``session.start``.

    Args:
        session: not started yet.
        ctx: the job; its room need not be connected.
        settings: the line's.

    Returns:
        What to start the session with. Neither the caller's leaving nor the session's close has any
        effect of livekit-agents' own: ``call`` handles all reasons, and ends the room once and surely.
    """
    voice = session.tts
    return RoomOptions(
        audio_input=AudioInputOptions(
            sample_rate=INPUT_RATE,
            frame_size_ms=INPUT_FRAME_MS,
            pre_connect_audio=False,
            # The telephone network has levelled the voice; a second control only pumps the noise.
            auto_gain_control=False,
        ),
        # The voice's own rate: what is resampled once, on the way out, is not resampled twice.
        audio_output=AudioOutputOptions(sample_rate=voice.sample_rate if voice else INPUT_RATE),
        # Needed also where nobody reads it: it cuts the history of an interrupted turn to what was heard.
        text_output=True,
        text_input=False,
        video_input=False,
        close_on_disconnect=False,
        delete_room_on_close=False,
    )
