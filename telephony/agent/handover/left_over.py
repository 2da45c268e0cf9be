"""A transfer whose job died: found by the job that takes the call over, and brought to an end.

Guarantee: a caller who was on hold is not left there, and an operator who was being rung or told of the
caller is hung up; one who already talks to the caller is left alone, and the new job stays silent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.agent.handover.hold import Hold
from telephony.agent.handover.operator_leg import OperatorLeg
from telephony.calls.job_attributes import HOLD, OPERATOR, ROLE
from telephony.logs import get_logger

if TYPE_CHECKING:
    from livekit.agents import JobContext

log = get_logger(__name__)


async def settle_left_over(ctx: JobContext, caller: str) -> OperatorLeg | None:
    """The leg of an operator who talks to the caller; None where there is none any more.

    Args:
        ctx: the job; connected.
        caller: the caller's identity.
    """
    people = ctx.room.remote_participants
    operators = [one.identity for one in people.values() if one.attributes.get(ROLE) == OPERATOR]
    on_hold = caller in people and bool(people[caller].attributes.get(HOLD))
    if not operators and not on_hold:
        return None
    log.warning("transfer_left_over", operators=len(operators), on_hold=on_hold)
    legs = [OperatorLeg.found(ctx, identity) for identity in operators]
    if not on_hold and legs and legs[0].answered:
        return legs[0]
    for leg in legs:
        await leg.hang_up()
    if on_hold:
        await Hold(ctx, caller).release()
    return None
