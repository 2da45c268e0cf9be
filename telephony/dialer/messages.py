"""A call out in LiveKit's words: its room with the agent in it, what the agent is told, the dial. Pure.

The agent's metadata has the keys of LiveKit's own outbound example (``phone_number``, ``transfer_to``), so
that an agent written for it runs as it is.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from livekit.protocol.agent_dispatch import RoomAgentDispatch
from livekit.protocol.room import CreateRoomRequest
from livekit.protocol.sip import CreateSIPParticipantRequest

from telephony.calls import dial_attributes
from telephony.calls.ids import CALL_ID_ATTRIBUTE

if TYPE_CHECKING:
    from telephony.dialer.lines import Line
    from telephony.store.dials import Dial

PHONE = "phone"
"""The identity of the called phone: a second one of the same room would throw the first out."""

LONGEST_RINGING_S = 75.0
"""livekit-server gives a waiting dial up after 80 s; the phone must have stopped ringing by then."""

EMPTY_ROOM_S = 30
LEFT_ROOM_S = 5


def agent_metadata(dial: Dial, *, assistant: str, ringing_timeout_s: float, max_duration_s: float) -> str:
    """What the agent's job is told of the call, as JSON."""
    request = dial.request
    told: dict[str, Any] = {
        "assistant": assistant,
        "call_id": dial.call_id,
        "direction": "outbound",
        "phone_number": dial.number,
        "dial": {
            "answer_policy": asdict(request.answer_policy),
            "ringing_timeout_s": ringing_timeout_s,
            "max_call_duration_s": max_duration_s,
        },
        "data": dict(request.data),
    }
    if request.transfer_to:
        told["transfer_to"] = request.transfer_to
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def room_with_agent(dial: Dial, agent_name: str, metadata: str) -> CreateRoomRequest:
    """The call's room: the agent is asked for with it, so asking twice brings one agent."""
    told = {"call_id": dial.call_id, "direction": "outbound", "permit": dial.permit_id}
    return CreateRoomRequest(
        name=dial.room,
        metadata=json.dumps(told, separators=(",", ":")),
        empty_timeout=EMPTY_ROOM_S,
        departure_timeout=LEFT_ROOM_S,
        agents=[RoomAgentDispatch(agent_name=agent_name, metadata=metadata)],
    )


def dial_request(
    dial: Dial, line: Line, trunk_id: str, *, ringing_timeout_s: float, max_duration_s: float, dial_by_ms: int
) -> CreateSIPParticipantRequest:
    """The one request that can make the phone ring; it is answered when the phone is."""
    request = CreateSIPParticipantRequest(
        sip_trunk_id=trunk_id,
        sip_call_to=line.dialled(dial.number),
        sip_number=line.dialled(dial.request.from_ or ""),
        room_name=dial.room,
        participant_identity=PHONE,
        participant_name=dial.number,
        participant_attributes={
            CALL_ID_ATTRIBUTE: dial.call_id,
            dial_attributes.PERMIT: dial.permit_id,
            dial_attributes.DIAL_BY: str(dial_by_ms),
        },
        wait_until_answered=True,
    )
    request.ringing_timeout.FromMilliseconds(round(ringing_timeout_s * 1000))
    request.max_call_duration.FromMilliseconds(round(max_duration_s * 1000))
    return request
