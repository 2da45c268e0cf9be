"""Two endpoints over loopback sockets: calls as they are on the wire."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from telephony.clock import LoopClock
from telephony.sip.endpoint import OutgoingInviteRequest, SipEndpoint
from telephony.sip.uri import NameAddr, SipUri
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from telephony.sip.incoming import IncomingInvite
    from telephony.sip.session import DialogSession

pytestmark = pytest.mark.component


@asynccontextmanager
async def two_endpoints() -> AsyncIterator[tuple[SipEndpoint, SipEndpoint]]:
    clock = LoopClock()
    caller, callee = SipEndpoint(clock, "Caller"), SipEndpoint(clock, "Callee")
    await caller.start("127.0.0.1")
    await callee.start("127.0.0.1")
    try:
        yield caller, callee
    finally:
        await caller.close()
        await callee.close()


def call_to(endpoint: SipEndpoint, body: bytes = b"v=0 offer") -> OutgoingInviteRequest:
    return OutgoingInviteRequest(
        uri=SipUri("100", "127.0.0.1", endpoint.port),
        from_=NameAddr("A Caller", SipUri("200", "127.0.0.1")),
        body=body,
    )


async def test_a_call_is_set_up_and_released() -> None:
    """INVITE, 100, 180, 200, ACK and BYE leave nothing active at either end."""
    async with two_endpoints() as (caller, callee):
        sessions: list[DialogSession] = []

        def on_invite(invite: IncomingInvite) -> None:
            assert invite.request.body == b"v=0 offer"
            invite.respond(100)
            invite.respond(180)
            sessions.append(invite.accept(b"v=0 answer"))
            waiting.append(asyncio.ensure_future(invite.acked.wait()))

        waiting: list[asyncio.Future[bool]] = []
        callee.on_invite = on_invite
        outgoing = await caller.invite(call_to(callee))
        seen = [response.status async for response in outgoing.events()]
        answer = await outgoing.final(5)
        assert seen == [100, 180]
        assert answer.status == 200
        assert answer.body == b"v=0 answer"
        await asyncio.wait_for(waiting[0], PATIENCE * 5)
        assert outgoing.session is not None
        assert caller.stats.active_dialogs == callee.stats.active_dialogs == 1
        released = await outgoing.session.bye()
        assert released is not None
        assert released.status == 200
        await asyncio.wait_for(sessions[0].ended.wait(), PATIENCE * 5)
        assert sessions[0].ended_by == "remote"
        for endpoint in (caller, callee):
            assert endpoint.stats.active_dialogs == 0
            assert endpoint.stats.active_transactions == 0
            assert endpoint.stats.retransmissions_sent == 0
