"""Which agent a dispatch rule sends for, and what is left for livekit-server to send for. Pure."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from livekit.protocol.room import RoomConfiguration

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.bridge.io_service import Dispatch


@dataclass(frozen=True, slots=True)
class AgentOrder:
    """The job that a call needs."""

    agent_name: str
    room: str
    metadata: str
    """The rule's, for the job."""
    room_config: str
    """A RoomConfiguration in base64, or nothing: for the token of whoever joins first."""


def order_agent(dispatch: Dispatch, serves: Callable[[str], bool]) -> tuple[AgentOrder, Dispatch] | None:
    """Take the first agent that the dispatcher serves out of a rule's room configuration.

    Args:
        dispatch: as livekit-server decided.
        serves: whether the dispatcher of this machine has workers for an agent name.

    Returns:
        The order, and the dispatch without that agent, so that it is not sent for twice. None where there
        is nobody to take out, or where livekit-server made the token itself and so fixed the room.
    """
    config = dispatch.room_config
    if config is None or dispatch.token:
        return None
    wanted = next((agent for agent in config.agents if serves(agent.agent_name)), None)
    if wanted is None:
        return None
    left = RoomConfiguration()
    left.CopyFrom(config)
    left.ClearField("agents")
    left.agents.extend(agent for agent in config.agents if agent is not wanted)
    order = AgentOrder(
        wanted.agent_name,
        dispatch.room_name,
        wanted.metadata,
        base64.b64encode(left.SerializeToString()).decode(),
    )
    return order, replace(dispatch, room_config=left)
