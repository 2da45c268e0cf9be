"""Sessions that are repeated in time, or ended, over real SIP in virtual time."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from telephony.bridge.agreement import MediaAgreement
from telephony.bridge.renegotiation import Renegotiation
from telephony.bridge.session_keeping import SessionKeeper
from telephony.rtp.ports import PortPool
from telephony.rtp.session import RtpSession
from telephony.sip.message import SipRequest
from telephony.sip.sdp import build_offer, negotiate
from telephony.sip.session_timer import Terms
from tests.sip.parties import Call, Parties, parties

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from telephony.sip.incoming import IncomingRequest
    from telephony.sip.message import SipResponse

pytestmark = pytest.mark.component


class Kept:
    """Our end of a call with its keeper; the other end is a phone that answers as a test tells it."""

    def __init__(self, line: Parties, call: Call, agreement: MediaAgreement, *, by_update: bool) -> None:
        self.line = line
        self.call = call
        self.agreement = agreement
        self.expired: list[float] = []
        self.held: list[bool] = []
        self.requests: list[SipRequest] = []
        self.answers: list[tuple[int, list[tuple[str, str]]]] = []
        clock = line.network.clock
        self.keeper = SessionKeeper(
            clock,
            call.callee,
            agreement,
            by_update=by_update,
            on_expired=lambda: self.expired.append(clock.now()),
        )
        self.renegotiation = Renegotiation(
            "call_test",
            call.callee,
            agreement,
            self.keeper,
            on_held=self.held.append,
            on_unusable=lambda: None,
        )
        call.callee.on_request = self.renegotiation.take
        call.caller.on_request = self._phone
        self.began = clock.now()

    def _phone(self, incoming: IncomingRequest) -> None:
        self.requests.append(incoming.request)
        status, headers = self.answers.pop(0) if self.answers else (200, [])
        body = incoming.request.body
        answer = negotiate(body, address="192.0.2.1", port=4000).body if body and status == 200 else b""
        incoming.respond(status, headers=headers, body=answer)

    @property
    def methods(self) -> list[str]:
        return [request.method for request in self.requests]

    @staticmethod
    def expires(request: SipRequest) -> str | None:
        return request.headers.get("Session-Expires")

    async def ask(self, method: str, headers: list[tuple[str, str]], body: bytes = b"") -> SipResponse:
        """The phone asks within the call."""
        asking = asyncio.create_task(self.call.caller.request(method, headers, body))
        await self.line.network.run(1)
        return await asking


@asynccontextmanager
async def kept(*, by_update: bool = True) -> AsyncIterator[Kept]:
    async with parties() as line:
        call = await line.call()
        rtp = await RtpSession.open(address="127.0.0.1", ports=PortPool("127.0.0.1", 0, 0))
        agreement = MediaAgreement(rtp, codecs=("PCMU", "PCMA"), dtmf=True, address="192.0.2.2")
        agreement.take(build_offer("192.0.2.1", 4000))
        ours = Kept(line, call, agreement, by_update=by_update)
        try:
            yield ours
        finally:
            ours.keeper.close()
            rtp.close()


async def test_we_refresh_at_half_of_the_interval() -> None:
    """By UPDATE without a body where the phone takes it, with the terms that hold, again and again."""
    async with kept() as call:
        again = [("Session-Expires", "600;refresher=uac"), ("Supported", "timer")]
        call.answers = [(200, again), (200, again)]
        call.keeper.follow(Terms(600, ours=True))
        await call.line.network.run(301)
        assert call.methods == ["UPDATE"]
        assert call.requests[0].body == b""
        assert call.expires(call.requests[0]) == "600;refresher=uac"
        await call.line.network.run(301)
        assert call.methods == ["UPDATE", "UPDATE"]
        assert not call.expired


async def test_a_phone_without_update_gets_a_re_invite() -> None:
    """With what holds as the offer; also where it claims to take UPDATE and refuses it."""
    async with kept() as call:
        call.answers = [(405, []), (200, [("Session-Expires", "600;refresher=uac")])]
        call.keeper.follow(Terms(600, ours=True))
        await call.line.network.run(302)
        assert call.methods == ["UPDATE", "INVITE"]
        assert b"a=sendrecv" in call.requests[1].body
        assert call.agreement.current.remote == ("192.0.2.1", 4000)
        assert not call.agreement.owes_answer
        await call.line.network.run(302)
        assert call.methods == ["UPDATE", "INVITE", "INVITE"]


async def test_a_phone_without_timers_is_refreshed_for_ever() -> None:
    """Its 200 says nothing of them, and the call goes on being repeated."""
    async with kept(by_update=False) as call:
        call.keeper.follow(Terms(90, ours=True, peer_knows=False))
        await call.line.network.run(4 * 46)
        assert call.methods == ["INVITE"] * 4
        assert not call.expired


async def test_422_to_a_refresh_lengthens_the_interval() -> None:
    """The least one of the answer is asked for at once."""
    async with kept() as call:
        call.answers = [(422, [("Min-SE", "900")]), (200, [("Session-Expires", "900;refresher=uac")])]
        call.keeper.follow(Terms(600, ours=True))
        await call.line.network.run(302)
        assert [call.expires(request) for request in call.requests] == [
            "600;refresher=uac",
            "900;refresher=uac",
        ]
        assert call.keeper.terms is not None
        assert call.keeper.terms.interval_s == 900


async def test_a_refresh_that_crosses_is_tried_again_soon() -> None:
    """491: within four seconds."""
    async with kept(by_update=False) as call:
        call.answers = [(491, []), (200, [("Session-Expires", "600;refresher=uac")])]
        call.keeper.follow(Terms(600, ours=True))
        await call.line.network.run(306)
        assert call.methods == ["INVITE", "INVITE"]


async def test_refused_refreshes_end_the_call_with_its_interval() -> None:
    """Tried again now and then, then given up: 32 s before the end of a long interval."""
    async with kept() as call:
        call.answers = [(500, [])] * 100
        call.keeper.follow(Terms(600, ours=True))
        await call.line.network.run(700)
        assert len(call.methods) > 3
        assert [round(at - call.began) for at in call.expired] == [568]


async def test_a_phone_that_vanished_loses_its_call() -> None:
    """It does not answer the refresh: the dialog is over with timer F, before the interval is."""
    async with kept() as call:
        call.keeper.follow(Terms(600, ours=True))
        call.line.network.drop = lambda message: isinstance(message, SipRequest)
        await call.line.network.run(340)
        assert call.call.callee.ended_by == "lost"
        assert not call.expired


async def test_without_the_phones_refresh_the_call_expires() -> None:
    """A third of the interval, at most 32 s, before its end; what comes in time begins it anew."""
    async with kept() as call:
        call.keeper.follow(Terms(90, ours=False))
        await call.line.network.run(50)
        response = await call.ask("UPDATE", [("Supported", "timer"), ("Session-Expires", "90;refresher=uac")])
        assert (response.status, response.headers.get("Session-Expires")) == (200, "90;refresher=uac")
        assert response.headers.get("Require") == "timer"
        assert response.body == b""
        await call.line.network.run(58)
        assert not call.expired
        await call.line.network.run(3)
        assert len(call.expired) == 1
        await call.line.network.run(100)
        assert len(call.expired) == 1


async def test_an_interval_that_is_too_small_is_422_and_changes_nothing() -> None:
    """In a re-INVITE as in an UPDATE; the offer is not followed either."""
    async with kept() as call:
        call.keeper.follow(Terms(600, ours=False))
        moved = build_offer("192.0.2.1", 5000)
        for method in ("INVITE", "UPDATE"):
            response = await call.ask(method, [("Supported", "timer"), ("Session-Expires", "30")], moved)
            assert (response.status, response.headers.get("Min-SE")) == (422, "90")
        assert call.agreement.current.remote == ("192.0.2.1", 4000)
        assert call.keeper.terms == Terms(600, ours=False)


async def test_a_re_invite_without_a_timer_leaves_it_to_us() -> None:
    """A phone that stops to speak of the timer is refreshed by us from then on."""
    async with kept() as call:
        call.keeper.follow(Terms(600, ours=False))
        response = await call.ask("INVITE", [], build_offer("192.0.2.1", 5000, direction="inactive"))
        assert response.headers.get("Session-Expires") == "600;refresher=uas"
        assert b"a=inactive" in response.body
        assert call.held == [True]
        await call.line.network.run(300)
        assert call.methods == ["UPDATE"]


async def test_a_refresh_during_a_hold_keeps_the_hold() -> None:
    """Our re-INVITE offers the direction that holds."""
    async with kept(by_update=False) as call:
        await call.ask("INVITE", [], build_offer("192.0.2.1", 4000, direction="sendonly"))
        call.keeper.follow(Terms(600, ours=True))
        await call.line.network.run(302)
        assert b"a=recvonly" in call.requests[0].body
        assert call.agreement.current.direction == "recvonly"


async def test_nothing_runs_after_the_end() -> None:
    """Closed while a refresh is under way: neither timer nor task stays (the network checks it)."""
    async with kept() as call:
        call.keeper.follow(Terms(600, ours=True))
        call.line.network.drop = lambda message: isinstance(message, SipRequest)
        await call.line.network.run(305)
        call.keeper.close()
        call.keeper.follow(Terms(600, ours=True))
        await call.line.network.run(40)
        assert not call.expired
