"""Asking livekit-server for calls, as an application does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from livekit import api

if TYPE_CHECKING:
    from tests.bridge.line import TestLine

CALLEE = "+15550123"
OURS = "+15550100"
IDENTITY = "callee"


async def dial(line: TestLine, address: str, **fields: Any) -> api.SIPParticipantInfo:
    """Have a number called by an inline trunk; waits for the answer unless told otherwise."""
    trunk = {key.removeprefix("trunk_"): fields.pop(key) for key in list(fields) if key.startswith("trunk_")}
    ringing_s = fields.pop("ringing_s", None)
    request = api.CreateSIPParticipantRequest(
        **{
            "trunk": api.SIPOutboundConfig(hostname=address, **trunk),
            "sip_call_to": CALLEE,
            "sip_number": OURS,
            "room_name": line.room_name,
            "participant_identity": IDENTITY,
            "wait_until_answered": True,
            **fields,
        }
    )
    if ringing_s is not None:
        request.ringing_timeout.FromMilliseconds(round(ringing_s * 1000))
    return await line.api.sip.create_sip_participant(request)
