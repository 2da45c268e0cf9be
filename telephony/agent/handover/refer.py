"""Handing a caller over by REFER: the bridge asks the caller's leg to call somebody else.

livekit-server answers when the other side has, so no error means that the call was taken; its answer
carries no more than that (SIP service, TransferSIPParticipant).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
from livekit import api

from telephony.agent.handover.outcome import failure_of
from telephony.errors import LiveKitError, TransferError

if TYPE_CHECKING:
    from livekit.agents import JobContext

_ANSWER_S = 5


async def refer(ctx: JobContext, identity: str, target: str, *, ringing_s: int) -> None:
    """Refer a caller to another address; returns when the call was taken there.

    Args:
        ctx: the job.
        identity: the caller's in the room.
        target: a ``sip:`` or ``tel:`` address.
        ringing_s: how long the other side's telephone rings.

    Raises:
        TransferError: nobody took the call, or the caller's side takes no REFER.
        LiveKitError: the server did not answer.
    """
    request = api.TransferSIPParticipantRequest(
        room_name=ctx.room.name, participant_identity=identity, transfer_to=target
    )
    request.ringing_timeout.FromSeconds(ringing_s)
    try:
        async with asyncio.timeout(ringing_s + _ANSWER_S):
            await ctx.api.sip.transfer_sip_participant(request)
    except api.ServerError as error:
        failure = failure_of(error.code, error.message or error.code, error.metadata)
        raise TransferError(
            f"the transfer was refused: {error.message or error.code}",
            outcome=failure.outcome,
            cause=failure.cause,
            sip_status=failure.sip_status,
            not_supported=failure.not_supported,
        ) from error
    except (aiohttp.ClientError, TimeoutError) as error:
        raise LiveKitError("livekit-server did not answer the transfer", retryable=True) from error
