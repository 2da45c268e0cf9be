"""Two endpoints on the network in memory, and what a test does with a call."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from telephony.sip.endpoint import OutgoingInviteRequest
from telephony.sip.uri import NameAddr, SipUri
from tests.sip.network import Network

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Callable

    from telephony.sip.digest import Credentials
    from telephony.sip.incoming import IncomingInvite, IncomingRequest
    from telephony.sip.outgoing import OutgoingInvite
    from telephony.sip.session import DialogSession

CALLER = "192.0.2.1"
CALLEE = "192.0.2.2"


class Call:
    """One call between the two, made by ``Parties.call``."""

    def __init__(self, outgoing: OutgoingInvite, caller: DialogSession, callee: DialogSession) -> None:
        self.outgoing = outgoing
        self.caller = caller
        self.callee = callee


class Parties:
    """A caller and a callee; the callee keeps what comes in ``invites`` and answers by ``behaviour``."""

    def __init__(self) -> None:
        self.network = Network()
        self.caller = self.network.endpoint(CALLER)
        self.callee = self.network.endpoint(CALLEE)
        self.invites: list[IncomingInvite] = []
        self.sessions: list[DialogSession] = []
        self.behaviour: Callable[[IncomingInvite], None] = self.answer
        self.callee.on_invite = self._on_invite

    def _on_invite(self, invite: IncomingInvite) -> None:
        self.invites.append(invite)
        self.behaviour(invite)

    def answer(self, invite: IncomingInvite) -> None:
        """Ring, then answer at once."""
        invite.respond(180)
        self.sessions.append(invite.accept(b"answer"))

    def ring(self, invite: IncomingInvite) -> None:
        """Ring only."""
        invite.respond(180)

    async def invite(self, credentials: Credentials | None = None, body: bytes = b"offer") -> OutgoingInvite:
        """Send an INVITE."""
        return await self.caller.invite(
            OutgoingInviteRequest(
                uri=SipUri("100", CALLEE),
                from_=NameAddr("", SipUri("200", CALLER)),
                body=body,
                credentials=credentials,
            )
        )

    async def call(self, seconds: float = 1.0) -> Call:
        """A call that is answered."""
        outgoing = await self.invite()
        await self.network.run(seconds)
        assert outgoing.session is not None
        return Call(outgoing, outgoing.session, self.sessions[-1])

    async def within(self, seconds: float, work: asyncio.Task[object]) -> None:
        """Let virtual time pass until a task has ended; it must end in time."""
        end = self.network.clock.now() + seconds
        while not work.done() and self.network.clock.now() < end:
            await self.network.run(0.25)
        assert work.done()

    def nothing_active(self) -> None:
        """Neither end waits for anything."""
        for endpoint in (self.caller, self.callee):
            stats = endpoint.stats
            assert (stats.active_dialogs, stats.active_transactions, stats.pending_invites) == (0, 0, 0)

    async def nothing_left(self) -> None:
        """After the absorbing timers have run out neither end has a timer or a transaction."""
        self.nothing_active()
        await self.network.run(33)
        assert self.network.clock.pending == 0
        for endpoint in (self.caller, self.callee):
            assert endpoint.stats.absorbing_transactions == 0


@asynccontextmanager
async def parties() -> AsyncIterator[Parties]:
    """Two endpoints; at the end both are closed and nothing of them may be left."""
    both = Parties()
    try:
        yield both
    finally:
        await both.network.close()


def take_and_answer(
    status: int, seen: list[IncomingRequest], body: bytes = b""
) -> Callable[[IncomingRequest], None]:
    """A session's on_request that keeps each request and answers it."""

    def on_request(incoming: IncomingRequest) -> None:
        seen.append(incoming)
        incoming.respond(status, body=body)

    return on_request
