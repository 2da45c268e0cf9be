"""How a call's audio reaches the session: the one place that decides.

Two ways. Where the job was told of a call's socket, or the phone of a call that is dialled names one in the
room, the direct line to the bridge of this machine (``direct_path``); anywhere else the room's own tracks,
which works behind any bridge. Nothing above this knows which it is: a way that cannot do something does
nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from livekit.agents.voice.room_io import AudioInputOptions, RoomOptions

from telephony.agent.dialled import dials_out
from telephony.agent.direct_path import DirectPath
from telephony.agent.hangup import DRAIN_S
from telephony.agent.journal import resumed_job
from telephony.agent.offered_line import offered_link
from telephony.agent.room_voice import RoomVoice
from telephony.calls import job_attributes

if TYPE_CHECKING:
    from collections.abc import Callable

    from livekit.agents import AgentSession, JobContext

    from telephony.agent.settings import AgentSettings
    from telephony.link.messages import Clip

INPUT_RATE = 16000
"""What the voice activity detector and the recognisers work at, in Hz."""
INPUT_FRAME_MS = 20
"""The line's own packet time; longer frames would only wait."""


class RoomPath:
    """The room's own tracks.

    Attributes:
        name: as events call it.
        options: what to start the session with. Neither the caller's leaving nor the session's close has
            any effect of livekit-agents' own: ``call`` handles all reasons, and ends the room once.
        greets_early: whether the first words may be spoken before the session has started.
        drain_s: from the end of playout to the telephone's last sample.
        call_id: the call's, where the way knows it before the room does.
        answered: whether the call was answered, as far as the way knows.
        on_key: a key of the telephone, where the way brings them; else they come through the room.
        on_answered: the call was answered, where the way brings that; else it is an attribute in the room.
        on_hung_up: the call is over, with the bridge's word for why.
        on_lost: the bridge is gone without a word; the call, if it lives, has another job.
    """

    name = "room"
    greets_early = False
    drain_s = DRAIN_S
    call_id = ""
    answered = False
    brings_keys = False

    def __init__(self, options: RoomOptions, voice: RoomVoice) -> None:
        self.options = options
        self._voice = voice
        self.on_key: Callable[[str], None] | None = None
        self.on_answered: Callable[[], None] | None = None
        self.on_hung_up: Callable[[str], None] | None = None
        self.on_lost: Callable[[], None] | None = None

    def ready(self) -> None:
        """The agent can talk and listen."""

    def started(self) -> None:
        """The session has started and is in the room: it may be told what is being played."""
        self._voice.segments.open_gate()

    def keep_clip(self, clip: Clip, pcm: bytes) -> None:
        """Hand over a clip for when this job dies."""

    def hang_up(self) -> None:
        """End the call, as far as the way can."""

    def step_aside(self) -> None:
        """Leave the call to another job, as far as the way can."""

    async def leave(self) -> None:
        """The job goes; bounded."""
        await self._voice.aclose()


async def attach(
    session: AgentSession[Any], ctx: JobContext, settings: AgentSettings
) -> RoomPath | DirectPath:
    """Join a session to its call's audio, before ``session.start``.

    Args:
        session: not started yet.
        ctx: the job; its room need not be connected.
        settings: the line's.

    Raises:
        LinkError: the job was sent for by a call that is over.
    """
    name = ctx.job.attributes.get(job_attributes.LINK, "")
    if not name and settings.links is not None and dials_out(ctx.job.metadata):
        await ctx.connect()
        name = await offered_link(ctx.room, settings.link, takes_over=bool(resumed_job(ctx.job)))
    if name:
        return await DirectPath.attach(session, ctx, settings.link(name), room_options(audio=False))
    voice = RoomVoice(ctx.room, ctx.connect)
    session.output.audio = voice
    return RoomPath(room_options(audio=True), voice)


def room_options(*, audio: bool) -> RoomOptions:
    """What the session does in the room, with or without the caller's audio; the agent's is ours."""
    return RoomOptions(
        audio_input=audio
        and AudioInputOptions(
            sample_rate=INPUT_RATE,
            frame_size_ms=INPUT_FRAME_MS,
            pre_connect_audio=False,
            # The telephone network has levelled the voice; a second control only pumps the noise.
            auto_gain_control=False,
        ),
        audio_output=False,
        # Needed also where nobody reads it: it cuts the history of an interrupted turn to what was heard.
        text_output=True,
        text_input=False,
        video_input=False,
        close_on_disconnect=False,
        delete_room_on_close=False,
    )
