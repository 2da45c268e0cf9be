"""Calls over a line that loses a quarter of all messages in each direction."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from telephony.sip.transport import Loss
from tests.sip.parties import parties

if TYPE_CHECKING:
    from telephony.sip.message import SipRequest, SipResponse

pytestmark = pytest.mark.pure


@pytest.mark.parametrize("seed", range(40))
async def test_a_call_is_set_up_and_released(seed: int) -> None:
    """25 % loss each way: one call, acknowledged, released at both ends, nothing left."""
    async with parties() as line:
        chance = random.Random(seed)

        def lost(_message: SipRequest | SipResponse) -> bool:
            return chance.random() < 0.25

        line.network.drop = lost
        outgoing = await line.invite()
        final = asyncio.create_task(outgoing.final(60))
        await line.within(40, final)
        assert (await final).status == 200
        assert len(line.invites) == 1
        await line.network.run(32)
        assert line.invites[0].acked.is_set()
        assert outgoing.session is not None
        end = outgoing.session if seed % 2 else line.sessions[0]
        await line.within(40, asyncio.create_task(end.bye(timeout_s=33)))
        assert outgoing.session.ended.is_set()
        assert line.sessions[0].ended.is_set()
        await line.nothing_left()


@pytest.mark.parametrize("seed", range(20))
async def test_a_refusal_and_a_cancel_get_through(seed: int) -> None:
    """25 % loss each way: a 486 is acknowledged; a CANCEL ends the ringing with 487."""
    async with parties() as line:
        chance = random.Random(seed)
        line.network.drop = lambda _message: chance.random() < 0.25
        line.behaviour = (lambda invite: invite.respond(486)) if seed % 2 else line.ring
        outgoing = await line.invite()
        await line.network.run(10)
        outgoing.cancel()
        final = asyncio.create_task(outgoing.final(60))
        await line.within(70, final)
        assert (await final).status == (486 if seed % 2 else 487)
        await line.network.run(33)
        await line.nothing_left()


def test_the_same_seed_loses_the_same_messages() -> None:
    """What a test saw once it sees again; about the asked share is lost, each way by its own."""
    first, second = Loss(7, inbound=0.25), Loss(7, inbound=0.25)
    pattern = [first.drops_inbound() for _ in range(1000)]
    assert pattern == [second.drops_inbound() for _ in range(1000)]
    assert 200 < sum(pattern) < 300
    assert first.dropped == sum(pattern)
    assert not any(first.drops_outbound() for _ in range(1000))
