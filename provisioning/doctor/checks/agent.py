"""The agent: is a worker of this name registered, and does it take a job.

A dispatch is made into a room of its own, which is deleted as soon as somebody took it; no call is touched.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import TYPE_CHECKING

import aiohttp
from livekit import api

from provisioning.doctor.finding import Finding, ok, problem, warning

if TYPE_CHECKING:
    from provisioning.doctor.patient import Patient

ROOM_PREFIX = "doctor-"
_PATIENCE_S = 5.0
_POLL_S = 0.1
_ROOM_LIFE_S = 10
_NO_ANSWER = frozenset({api.ServerErrorCode.UNAVAILABLE, api.ServerErrorCode.DEADLINE_EXCEEDED})


async def answers(patient: Patient) -> list[Finding]:
    """Dispatch every agent name that rules use, and see whether a worker takes it."""
    names = {patient.config.agent.name}
    for rule in patient.config.routing.inbound_rules:
        names |= {rule.agent_name} if rule.agent_name else set()
        names |= {agent.agent_name for agent in rule.room_config.agents or ()}
    key, secret = patient.credentials()
    timeout = aiohttp.ClientTimeout(total=5)
    async with api.LiveKitAPI(
        patient.config.livekit.url, key, secret, timeout=timeout, failover=False
    ) as livekit:
        return [await _dispatch(livekit, name) for name in sorted(names)]


async def _dispatch(livekit: api.LiveKitAPI, name: str) -> Finding:
    room = ROOM_PREFIX + secrets.token_hex(6)
    check = f"agent.{name}"
    try:
        await livekit.room.create_room(
            api.CreateRoomRequest(name=room, empty_timeout=_ROOM_LIFE_S, departure_timeout=1)
        )
        made = await _order(livekit, name, room)
        started = time.monotonic()
        while time.monotonic() - started < _PATIENCE_S:
            if await _taken(livekit, made.id, room):
                took = time.monotonic() - started
                return ok(check, f"a worker took a job for agent {name!r} after {took:.1f} s.")
            await asyncio.sleep(_POLL_S)
    except (api.ServerError, aiohttp.ClientError, OSError, TimeoutError) as error:
        reason = getattr(error, "message", "") or str(error) or type(error).__name__
        return warning(check, f"livekit-server does not dispatch: {reason}.", "See server.reachable first.")
    finally:
        await _forget(livekit, room)
    text = f"no worker took a job for agent {name!r} within {_PATIENCE_S:g} s: such calls ring and fail."
    fix = "Start a worker with this agent name, or correct agent.name; one at its limit takes no job either."
    return problem(check, text, fix)


async def _order(livekit: api.LiveKitAPI, name: str, room: str) -> api.AgentDispatch:
    """Order a job; once more where the room's node did not answer the server in time."""
    request = api.CreateAgentDispatchRequest(agent_name=name, room=room, metadata='{"doctor": true}')
    try:
        return await livekit.agent_dispatch.create_dispatch(request)
    except api.ServerError as error:
        if error.code not in _NO_ANSWER:
            raise
        return await livekit.agent_dispatch.create_dispatch(request)


async def _taken(livekit: api.LiveKitAPI, dispatch_id: str, room: str) -> bool:
    """Whether a worker has accepted: the job is running, or its participant is in the room."""
    found = await livekit.agent_dispatch.get_dispatch(dispatch_id, room)
    if found is not None and any(job.state.status for job in found.state.jobs):
        return True
    listed = await livekit.room.list_participants(api.ListParticipantsRequest(room=room))
    return bool(listed.participants)


async def _forget(livekit: api.LiveKitAPI, room: str) -> None:
    try:
        await livekit.room.delete_room(api.DeleteRoomRequest(room=room))
    except (api.ServerError, aiohttp.ClientError, OSError, TimeoutError):
        return  # it closes by itself within seconds
