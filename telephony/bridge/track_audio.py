"""The audio of one remote track, as a stream that no other track's frames wake.

The SDK (rtc 1.1.21) hands each frame of any track to the queue of every stream of the process, and each
stream throws away what is not its own: with n streams n² wake-ups of the loop for each frame time, which
stops the joining of further rooms at about fifty streams on two cores. Here a stream is told of its own
frames alone. This reaches into the SDK, the only place that does; where a later SDK is made otherwise, the
stream is left as the SDK made it.
"""

from __future__ import annotations

import asyncio

from livekit import rtc

from telephony.audio.frame import RATE
from telephony.logs import get_logger

log = get_logger(__name__)

_FRAME_MS = 20
_CLOSE_TIMEOUT_S = 1.0


def track_audio(track: rtc.RemoteAudioTrack) -> rtc.AudioStream:
    """Frames of 20 ms at 8 kHz, mono, from now on; ended by ``close_track_audio``."""
    stream = rtc.AudioStream(track, sample_rate=RATE, num_channels=1, frame_size_ms=_FRAME_MS)
    try:
        _narrow(stream)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        log.debug("stream_not_narrowed", reason=str(error))
    return stream


async def close_track_audio(stream: rtc.AudioStream, receiving: asyncio.Task[None]) -> None:
    """End a stream whose receiving task was cancelled, also where that had not begun; bounded."""
    await asyncio.wait({receiving})
    try:
        async with asyncio.timeout(_CLOSE_TIMEOUT_S):
            await stream.aclose()
    except TimeoutError:
        log.warning("track_stream_close_timed_out")


def _narrow(stream: rtc.AudioStream) -> None:
    from livekit.rtc import _ffi_client  # A later SDK may have none.

    events = _ffi_client.FfiClient.instance.queue
    with events._lock:
        for place, (queue, loop, _) in enumerate(events._subscribers):
            if queue is stream._ffi_queue:
                events._subscribers[place] = (queue, loop, stream._is_event)
