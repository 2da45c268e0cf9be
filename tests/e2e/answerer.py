"""A carrier and all its telephones: does what each number is for, and remembers what it saw of each.

The last four digits of a number say what its telephone does; see ``BEHAVIOURS``. The witness of outbound
calls: what it saw of a number is compared with what the record says of the call.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from telephony.clock import LoopClock
from telephony.errors import SipError
from telephony.rtp.ports import PortPool
from telephony.rtp.session import RtpSession
from telephony.sip.endpoint import SipEndpoint
from telephony.sip.sdp import negotiate

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.sip.incoming import IncomingInvite, IncomingRequest

HOST = "127.0.0.1"
_TALKS_S = 1.0

Sight = str
"""What became of a ring: ``ringing`` while it does, a status such as ``486``, ``cancelled``, ``answered``."""


@dataclass
class Seen:
    """What the carrier saw of one number.

    Attributes:
        rings: the Call-ID of each INVITE that is a call of its own.
        ends: what became of each, in the same order.
        ended_by: who said BYE to an answered one: ``us`` the telephone, ``them`` the line.
    """

    rings: list[str] = field(default_factory=list)
    ends: list[Sight] = field(default_factory=list)
    ended_by: str = ""


class Answerer:
    """A SIP server with a telephone behind every number. Use as a context.

    Args:
        behave: what a number's telephone does: a final status of 300 and above, ``answer``, ``answer_and_go``
            (BYE at once), ``early`` (183 with a description, then answers), ``ring`` (nobody comes),
            ``silent`` (no response at all), ``slow`` (answers after some seconds).
        challenge: a response in place of taking a call, such as one that asks for credentials.
    """

    def __init__(
        self,
        behave: Callable[[str], int | str],
        *,
        challenge: Callable[[IncomingInvite], bool] | None = None,
        rings_s: float = 0.3,
        talks_s: float = _TALKS_S,
    ) -> None:
        self._behave = behave
        self._challenge = challenge
        self._rings_s, self._talks_s = rings_s, talks_s
        self._clock = LoopClock()
        self._ports = PortPool(HOST, 0, 0)
        self._tasks: set[asyncio.Task[None]] = set()
        self.endpoint = SipEndpoint(self._clock, "Counting answerer")
        self.endpoint.on_invite = self._on_invite
        self.seen: dict[str, Seen] = {}

    async def __aenter__(self) -> Self:
        await self.endpoint.start(HOST, 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.endpoint.close()

    @property
    def port(self) -> int:
        """Where it is called."""
        return self.endpoint.port

    def of(self, number: str) -> Seen:
        """What it saw of a number, with or without a plus."""
        return self.seen.get(number.removeprefix("+"), Seen())

    def _on_invite(self, invite: IncomingInvite) -> None:
        if self._challenge is not None and self._challenge(invite):
            return
        number = (invite.request.uri.user or "").removeprefix("+")
        seen = self.seen.setdefault(number, Seen())
        if invite.request.call_id in seen.rings:
            # Sent again, since nobody said a word.
            invite.forget()
            return
        seen.rings.append(invite.request.call_id)
        seen.ends.append("ringing")
        if self._behave(number) == "silent":
            # At once: the stack says 100 by itself after 200 ms.
            invite.forget()
            seen.ends[-1] = "silent"
            return
        task = asyncio.create_task(self._serve(invite, number, seen, len(seen.ends) - 1))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, invite: IncomingInvite, number: str, seen: Seen, place: int) -> None:
        how = self._behave(number)
        rtp = await RtpSession.open(address=HOST, ports=self._ports, clock=self._clock)
        try:
            offer = negotiate(invite.request.body, codecs=("PCMU", "PCMA"), address=HOST, port=rtp.port)
            if how == "early":
                invite.respond(183, body=offer.body)
            else:
                invite.respond(180)
            waits_s = 3600.0 if how == "ring" else 3.0 if how == "slow" else self._rings_s
            if await self._was_cancelled(invite, waits_s):
                seen.ends[place] = "cancelled"
                return
            if isinstance(how, int):
                headers = [("Contact", f"<sip:elsewhere@{HOST}:9>")] if 300 <= how < 400 else []
                invite.respond(how, headers=headers)
                seen.ends[place] = str(how)
                return
            await self._talk(invite, offer.body, seen, place, goes=how == "answer_and_go")
        finally:
            rtp.close()

    async def _was_cancelled(self, invite: IncomingInvite, waits_s: float) -> bool:
        try:
            async with asyncio.timeout(waits_s):
                await invite.cancelled.wait()
        except TimeoutError:
            return False
        return True

    async def _talk(self, invite: IncomingInvite, body: bytes, seen: Seen, place: int, *, goes: bool) -> None:
        try:
            session = invite.accept(body)
        except SipError:
            seen.ends[place] = "cancelled"
            return
        seen.ends[place] = "answered"

        def on_request(request: IncomingRequest) -> None:
            if request.method == "BYE":
                seen.ended_by = seen.ended_by or "them"
            else:
                request.respond(405)

        session.on_request = on_request
        try:
            async with asyncio.timeout(0.05 if goes else self._talks_s):
                await session.ended.wait()
        except TimeoutError:
            seen.ended_by = seen.ended_by or "us"
            await session.bye()
