"""Handing a caller over: the bridge is asked to refer the caller's leg to somebody else.

livekit-server answers when the other side has, so no error means that the call was taken; its answer
carries no more than that (SIP service, TransferSIPParticipant).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
from livekit import api

from telephony.errors import LiveKitError

if TYPE_CHECKING:
    from livekit.agents import JobContext

RINGING_S = 30
"""How long the other side's telephone rings."""
_ANSWER_S = 5


async def transfer_caller(ctx: JobContext, identity: str, target: str) -> None:
    """Refer a caller to another address; returns when the call was taken there.

    Args:
        ctx: the job.
        identity: the caller's in the room.
        target: a ``sip:`` or ``tel:`` address.

    Raises:
        LiveKitError: nobody took the call, the bridge cannot transfer, or the server did not answer.
    """
    request = api.TransferSIPParticipantRequest(
        room_name=ctx.room.name, participant_identity=identity, transfer_to=target
    )
    request.ringing_timeout.FromSeconds(RINGING_S)
    try:
        async with asyncio.timeout(RINGING_S + _ANSWER_S):
            await ctx.api.sip.transfer_sip_participant(request)
    except api.ServerError as error:
        raise LiveKitError(f"the transfer was refused: {error.message or error.code}") from error
    except (aiohttp.ClientError, TimeoutError) as error:
        raise LiveKitError("livekit-server did not answer the transfer", retryable=True) from error
