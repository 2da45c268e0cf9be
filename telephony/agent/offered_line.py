"""The direct line of a call that is dialled: found in the room, where the phone's participant names it.

A job that was dispatched for a call out, with ``"direction": "outbound"`` in its metadata, waits for the
phone before its session starts; the bridge of this machine offers a socket, any other bridge does not.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from livekit import rtc

from telephony.calls import job_attributes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_LOOK_S = 0.05

PHONE_WAIT_S = 30.0
"""How long the phone's participant is waited for; it joins when the call is dialled, not at the answer."""


FRESH_WAIT_S = 1.5
"""How long a job that takes over waits for the socket that the bridge offers in place of the dead one's."""


async def offered_link(
    room: rtc.Room, find: Callable[[str], Path], limit_s: float = PHONE_WAIT_S, *, takes_over: bool = False
) -> str:
    """The name of the socket that the phone's bridge offers; empty where it offers none on this machine.

    Args:
        room: connected.
        find: gives the path of a socket's name.
        takes_over: whether another job had the call before, whose socket is gone.

    Raises:
        LinkError: the name is none.
    """
    came: asyncio.Future[rtc.RemoteParticipant] = asyncio.get_running_loop().create_future()

    def look(participant: rtc.RemoteParticipant) -> None:
        is_operator = participant.attributes.get(job_attributes.ROLE) == job_attributes.OPERATOR
        is_phone = participant.kind == rtc.ParticipantKind.PARTICIPANT_KIND_SIP and not is_operator
        if is_phone and not came.done():
            came.set_result(participant)

    room.on("participant_connected", look)
    try:
        for participant in room.remote_participants.values():
            look(participant)
        async with asyncio.timeout(limit_s):
            phone = await came
    except TimeoutError:
        return ""
    finally:
        room.off("participant_connected", look)
    loop = asyncio.get_running_loop()
    until = loop.time() + (FRESH_WAIT_S if takes_over else 0.0)
    while True:
        name = phone.attributes.get(job_attributes.LINK, "")
        if not name or find(name).exists():
            return name
        if loop.time() >= until:
            return ""
        await asyncio.sleep(_LOOK_S)
