"""Whole calls in virtual time: set-up, release, refusals, digest, re-INVITE."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from telephony.errors import SipError, SipTimeoutError
from telephony.sip.authentication import Authenticator, Verdict
from telephony.sip.authorization import Authorizer
from telephony.sip.digest import Credentials
from telephony.sip.message import SipRequest, SipResponse
from telephony.sip.outgoing import OutgoingInviteRequest
from telephony.sip.uri import NameAddr, SipUri
from tests.sip.parties import CALLEE, CALLER, parties, take_and_answer
from tests.sip.wire import request_bytes, response_bytes

if TYPE_CHECKING:
    from telephony.sip.incoming import IncomingInvite, IncomingRequest

pytestmark = pytest.mark.pure


async def test_a_call_leaves_nothing() -> None:
    """INVITE, 180, 200, ACK, BYE, 200 and, 32 s later, no timer and no transaction."""
    async with parties() as line:
        call = await line.call()
        assert line.caller.stats.active_dialogs == line.callee.stats.active_dialogs == 1
        assert call.caller.response is not None
        assert call.caller.response.body == b"answer"
        assert line.invites[0].acked.is_set()
        bye = asyncio.create_task(call.callee.bye())
        await line.network.run(1)
        answered = await bye
        assert answered is not None
        assert answered.status == 200
        assert (call.caller.ended_by, call.callee.ended_by) == ("remote", "local")
        kinds = [m.method if isinstance(m, SipRequest) else str(m.status) for _, m in line.network.log]
        assert kinds == ["INVITE", "180", "200", "ACK", "BYE", "200"]
        assert line.caller.stats.retransmissions_sent == line.callee.stats.retransmissions_sent == 0
        await line.nothing_left()


@pytest.mark.parametrize("lost", range(6))
async def test_any_single_message_may_be_lost(lost: int) -> None:
    """Whichever message of a call is lost, the call is set up once and released at both ends."""
    async with parties() as line:
        line.network.drop = lambda _message: len(line.network.log) - 1 == lost
        call = await line.call(3)
        assert len(line.invites) == 1
        assert line.invites[0].acked.is_set()
        bye = asyncio.create_task(call.caller.bye())
        await line.network.run(3)
        assert await bye is not None
        assert call.callee.ended.is_set()
        repeated = line.caller.stats.retransmissions_sent + line.callee.stats.retransmissions_sent
        # A lost 180 is nobody's loss: a provisional response is not repeated.
        assert (repeated > 0) is (lost != 1)
        await line.nothing_left()


async def test_copies_of_an_invite_are_one_call() -> None:
    """Ten copies on the wire, before and after the answer, reach the owner once."""
    async with parties() as line:
        line.behaviour = line.ring
        outgoing = await line.invite()
        data = outgoing.request.copy()
        await line.network.settle()
        sent = next(message for _, message in line.network.log if isinstance(message, SipRequest))
        for _ in range(10):
            line.network.carry(sent.to_bytes(), (CALLER, 5060), (CALLEE, 5060))
        await line.network.settle()
        line.sessions.append(line.invites[0].accept(b""))
        for _ in range(10):
            line.network.carry(sent.to_bytes(), (CALLER, 5060), (CALLEE, 5060))
        await line.network.run(1)
        assert len(line.invites) == 1
        assert line.callee.stats.retransmissions_received == 20
        assert outgoing.call_id == data.call_id
        assert outgoing.session is not None


@pytest.mark.parametrize("status", [302, 404, 486, 503, 603])
async def test_a_refusal_is_final(status: int) -> None:
    """The caller gets the refusal with its phrase, redirections are not followed, nothing stays active."""
    async with parties() as line:
        line.behaviour = lambda invite: invite.respond(status, "In Words", headers=[("X-Why", "so")])
        outgoing = await line.invite()
        await line.network.run(1)
        final = await outgoing.final(1)
        assert (final.status, final.reason, final.headers.get("X-Why")) == (status, "In Words", "so")
        assert outgoing.session is None
        await line.nothing_left()


async def test_a_silent_peer_is_given_up_after_32_s() -> None:
    """Timer B: SipTimeoutError, not to be retried since it may have rung, and nothing is left."""
    async with parties() as line:
        line.network.drop = lambda _message: True
        outgoing = await line.invite()
        final = asyncio.create_task(outgoing.final())
        await line.network.run(32.1)
        with pytest.raises(SipTimeoutError) as caught:
            await final
        assert caught.value.call_id == outgoing.call_id
        assert not caught.value.retryable
        assert len(line.network.sent("INVITE")) == 7
        assert [response async for response in outgoing.events()] == []
        line.nothing_active()


async def test_waiting_too_long_cancels() -> None:
    """final(timeout_s) raises and sends CANCEL; the 487 then ends the call."""
    async with parties() as line:
        line.behaviour = line.ring
        outgoing = await line.invite()
        final = asyncio.create_task(outgoing.final(20))
        await line.network.run(21)
        with pytest.raises(SipTimeoutError):
            await final
        assert line.invites[0].cancelled.is_set()
        assert (await outgoing.final(0)).status == 487
        await line.nothing_left()


async def test_provisionals_are_told_both_ways() -> None:
    """events() yields each provisional, on_provisional is called for each, 100 included."""
    async with parties() as line:
        line.behaviour = lambda _invite: None
        outgoing = await line.invite()
        called: list[int] = []
        outgoing.on_provisional = lambda response: called.append(response.status)
        await line.network.run(0.5)
        line.invites[0].respond(183, body=b"early", headers=[("X-A", "1")])
        line.invites[0].respond(180)
        line.invites[0].respond(480)
        await line.network.run(0.5)
        seen = [response.status async for response in outgoing.events()]
        assert seen == called == [100, 183, 180]
        again = [response async for response in outgoing.events()]
        assert again == []


async def test_the_local_tag_can_be_chosen() -> None:
    """The owner's tag stands in every response but 100 and names the dialog."""
    async with parties() as line:

        def behaviour(invite: IncomingInvite) -> None:
            invite.local_tag = "SCL_chosen"
            invite.respond(100)
            line.answer(invite)

        line.behaviour = behaviour
        call = await line.call()
        assert call.callee.dialog.local.tag == call.caller.dialog.remote.tag == "SCL_chosen"
        responses = [m for _, m in line.network.log if isinstance(m, SipResponse)]
        assert [response.to.tag for response in responses] == [None, "SCL_chosen", "SCL_chosen"]


async def test_digest_both_ways() -> None:
    """A 407 is answered under the same Call-ID, the ACK repeats the answer, the BYE counts the nonce on."""
    async with parties() as line:
        server = Authenticator("Line", line.network.clock, algorithms=("SHA-256", "MD5"))
        verdicts: list[Verdict] = []

        def behaviour(invite: IncomingInvite) -> None:
            header = invite.request.headers.get("Proxy-Authorization")
            if header is None:
                challenges = [("Proxy-Authenticate", str(challenge)) for challenge in server.challenges()]
                invite.respond(407, headers=challenges)
                return
            verdicts.append(server.judge(header, method="INVITE", username="u", password="p"))
            line.answer(invite)

        line.behaviour = behaviour
        outgoing = await line.invite(Credentials("u", "p"))
        await line.network.run(1)
        assert (await outgoing.final(0)).status == 200
        assert verdicts == [Verdict.ACCEPTED]
        first, second = line.invites
        assert first.request.call_id == second.request.call_id
        assert first.request.from_.tag == second.request.from_.tag
        assert (first.request.cseq.number, second.request.cseq.number) == (1, 2)
        assert line.sessions[0].ack is not None
        assert line.sessions[0].ack.headers.get("Proxy-Authorization") == second.request.headers.get(
            "Proxy-Authorization"
        )
        assert line.sessions[0].ack.cseq.number == 2
        assert outgoing.session is not None
        bye = asyncio.create_task(outgoing.session.bye())
        await line.network.run(1)
        assert await bye is not None
        byes = [m for _, m in line.network.log if isinstance(m, SipRequest) and m.method == "BYE"]
        assert "nc=00000002" in (byes[0].headers.get("Proxy-Authorization") or "")
        await line.nothing_left()


@pytest.mark.parametrize(("credentials", "invites"), [(None, 1), (Credentials("u", "wrong"), 2)])
async def test_a_challenge_that_cannot_be_met_is_final(credentials: Credentials | None, invites: int) -> None:
    """Without credentials the 407 is the answer; rejected ones are not sent again."""
    async with parties() as line:
        server = Authenticator("Line", line.network.clock)

        def behaviour(invite: IncomingInvite) -> None:
            invite.respond(407, headers=[("Proxy-Authenticate", str(server.challenges()[0]))])

        line.behaviour = behaviour
        outgoing = await line.invite(credentials)
        await line.network.run(1)
        assert (await outgoing.final(0)).status == 407
        assert len(line.invites) == invites
        await line.nothing_left()


async def test_a_request_within_the_dialog_is_challenged_too() -> None:
    """INFO is answered 401 first, then accepted, with the next CSeq."""
    async with parties() as line:
        server = Authenticator("Line", line.network.clock)
        outgoing = await line.invite(Credentials("u", "p"))
        await line.network.run(1)
        numbers: list[int] = []

        def on_request(incoming: IncomingRequest) -> None:
            numbers.append(incoming.request.cseq.number)
            header = incoming.request.headers.get("Authorization")
            if header is None:
                incoming.respond(401, headers=[("WWW-Authenticate", str(server.challenges()[0]))])
            else:
                verdict = server.judge(header, method="INFO", username="u", password="p")
                incoming.respond(200 if verdict is Verdict.ACCEPTED else 403)

        line.sessions[0].on_request = on_request
        assert outgoing.session is not None
        info = asyncio.create_task(
            outgoing.session.request("INFO", [("Info-Package", "x")], b"x", "text/plain")
        )
        await line.network.run(1)
        assert (await info).status == 200
        assert numbers == [2, 3]


async def test_a_re_invite_is_acknowledged_and_refreshes_the_target() -> None:
    """Hold and retrieve: 200 with a body, an ACK each, the new Contact is called from then on."""
    async with parties() as line:
        call = await line.call()
        seen: list[IncomingRequest] = []
        call.callee.on_request = take_and_answer(200, seen, b"held")
        call.caller.dialog.contact = f"<sip:moved@{CALLER}>"
        held = asyncio.create_task(call.caller.request("INVITE", body=b"hold"))
        await line.network.run(1)
        assert (await held).body == b"held"
        assert seen[0].request.body == b"hold"
        assert str(call.callee.dialog.remote_target) == f"sip:moved@{CALLER}"
        assert call.callee.ack is not None
        assert call.callee.ack.cseq.number == 2
        assert len(line.network.sent("ACK")) == 2
        assert line.callee.stats.retransmissions_sent == 0
        assert len(line.invites) == 1


async def test_a_lost_ack_of_a_re_invite_is_sent_again() -> None:
    """The 200 is repeated until the ACK gets through."""
    async with parties() as line:
        call = await line.call()
        call.callee.on_request = take_and_answer(200, [])
        line.network.drop = lambda message: (
            isinstance(message, SipRequest) and message.method == "ACK" and len(line.network.sent("ACK")) < 4
        )
        held = asyncio.create_task(call.caller.request("INVITE", body=b"hold"))
        await line.network.run(5)
        assert (await held).status == 200
        assert len(line.network.sent("ACK")) == 4
        bye = asyncio.create_task(call.callee.bye())
        await line.network.run(1)
        assert await bye is not None


async def test_an_offer_in_our_answer_is_answered_in_the_ack() -> None:
    """An INVITE without a body: the peer's answer to the offer in our 200 is in session.ack."""
    async with parties() as line:
        peer = line.network.peer("192.0.2.9", port=5070)
        peer.send(request_bytes(uri=f"sip:100@{CALLEE}"), (CALLEE, 5060))
        await line.network.run(0.1)
        assert line.invites[0].request.body == b""
        tag = line.sessions[0].dialog.local.tag
        ack = request_bytes("ACK", to_tag=tag, branch="z9hG4bKack", contact=None, body="their answer")
        peer.send(ack, (CALLEE, 5060))
        await line.network.run(0.1)
        assert line.sessions[0].ack is not None
        assert line.sessions[0].ack.body == b"their answer"


async def test_re_invites_that_cross_get_491() -> None:
    """Section 14.1: who has one under way answers the other's with 491."""
    async with parties() as line:
        call = await line.call()
        both = [asyncio.create_task(end.request("INVITE", body=b"x")) for end in (call.caller, call.callee)]
        await line.network.run(1)
        assert [(await item).status for item in both] == [491, 491]
        assert not call.caller.ended.is_set()


async def test_a_second_re_invite_has_to_wait() -> None:
    """Ours is refused here, the peer's with 500 and Retry-After, while the first is unanswered."""
    async with parties() as line:
        call = await line.call()
        waiting: list[IncomingRequest] = []
        call.callee.on_request = waiting.append
        first = asyncio.create_task(call.caller.request("INVITE", body=b"x"))
        await line.network.run(0.5)
        with pytest.raises(SipError, match="under way"):
            await call.caller.request("INVITE", body=b"y")
        with pytest.raises(SipError, match="under way"):
            await call.callee.request("INVITE", body=b"z")
        second = call.caller.dialog.build("INVITE")
        second.headers.prepend("Via", f"SIP/2.0/UDP {CALLER};branch=z9hG4bKsecond")
        line.network.carry(second.to_bytes(), (CALLER, 5060), (CALLEE, 5060))
        await line.network.run(0.5)
        assert line.network.answered(500)
        waiting[0].respond(488)
        await line.network.run(0.5)
        assert (await first).status == 488


async def test_without_an_owner_requests_in_a_dialog_are_answered_by_the_book() -> None:
    """OPTIONS 200, re-INVITE and UPDATE 488, INFO 405 with Allow, BYE 200."""
    async with parties() as line:
        call = await line.call()
        got = {}
        for method in ("OPTIONS", "INVITE", "UPDATE", "INFO"):
            sent = asyncio.create_task(call.caller.request(method))
            await line.network.run(0.5)
            got[method] = await sent
        assert {method: response.status for method, response in got.items()} == {
            "OPTIONS": 200,
            "INVITE": 488,
            "UPDATE": 488,
            "INFO": 405,
        }
        assert "BYE" in (got["INFO"].headers.get("Allow") or "")
        bye = asyncio.create_task(call.caller.bye())
        await line.network.run(0.5)
        assert await bye is not None
        await line.nothing_left()


async def test_a_peer_that_forgot_the_dialog_ends_it() -> None:
    """481 to a request, and silence, mean that the call is lost (section 12.2.1.2)."""
    async with parties() as line:
        call = await line.call()
        call.callee.close()
        sent = asyncio.create_task(call.caller.request("INFO"))
        await line.network.run(0.5)
        assert (await sent).status == 481
        assert call.caller.ended_by == "lost"
        with pytest.raises(SipError, match="ended"):
            await call.caller.request("INFO")
        assert await call.caller.bye() is None
        silent = await line.call()
        line.network.drop = lambda _message: True
        sent = asyncio.create_task(silent.caller.request("INFO"))
        await line.network.run(33)
        with pytest.raises(SipTimeoutError):
            await sent
        assert silent.caller.ended_by == "lost"


async def test_requests_out_of_any_dialog() -> None:
    """OPTIONS 200 with what we can do, BYE 481, REGISTER 405; send_request gives the answers."""
    async with parties() as line:
        got = {}
        for method in ("OPTIONS", "BYE", "NOTIFY", "REGISTER"):
            message = SipRequest(method, SipUri("100", CALLEE))
            message.headers.extend(
                [
                    ("From", f"<sip:a@{CALLER}>;tag=1"),
                    ("To", f"<sip:100@{CALLEE}>"),
                    ("Call-ID", method),
                    ("CSeq", f"1 {method}"),
                ]
            )
            sent = asyncio.create_task(line.caller.send_request(message))
            await line.network.run(0.5)
            got[method] = (await sent).status
        assert got == {"OPTIONS": 200, "BYE": 481, "NOTIFY": 481, "REGISTER": 405}
        await line.nothing_left()


async def test_a_registration_keeps_its_challenge() -> None:
    """An Authorizer that is kept answers the next REGISTER at once."""
    async with parties() as line:
        server = Authenticator("Line", line.network.clock)
        answers: list[int] = []

        def on_request(incoming: IncomingRequest) -> None:
            header = incoming.request.headers.get("Authorization") or ""
            verdict = server.judge(header, method="REGISTER", username="u", password="p")
            answers.append(200 if verdict is Verdict.ACCEPTED else 401)
            headers = [("WWW-Authenticate", str(server.challenges()[0]))] if answers[-1] == 401 else []
            incoming.respond(answers[-1], headers=headers)

        line.callee.on_request = on_request
        authorizer = Authorizer(Credentials("u", "p"))
        message = SipRequest("REGISTER", SipUri(None, CALLEE))
        message.headers.extend(
            [("From", "<sip:u@h>;tag=1"), ("To", "<sip:u@h>"), ("Call-ID", "r"), ("CSeq", "1 REGISTER")]
        )
        for _ in range(2):
            sent = asyncio.create_task(
                line.caller.send_request(message, (CALLEE, 5060), credentials=authorizer)
            )
            await line.network.run(0.5)
            assert (await sent).status == 200
            message.headers.set("CSeq", f"{message.cseq.number + 1} REGISTER")
        assert answers == [401, 200, 200]


async def test_closing_in_the_middle_leaves_nothing() -> None:
    """Whatever is under way is told, and no timer and no task survives (checked by the network's close)."""
    async with parties() as line:
        call = await line.call()
        line.behaviour = line.ring
        ringing = await line.invite()
        await line.network.run(0.5)
        line.network.drop = lambda _message: True
        waiting = [
            asyncio.create_task(ringing.final()),
            asyncio.create_task(call.caller.request("INFO")),
        ]
        bye = asyncio.create_task(call.callee.bye())
        await line.network.run(0.5)
        await line.caller.close()
        await line.callee.close()
        for result in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(result, SipError)
        assert await bye is None
        assert call.caller.ended.is_set()
        with pytest.raises(SipError, match="closed"):
            await line.invite()


async def test_proxies_that_record_routes_stay_in_the_path() -> None:
    """ACK, re-INVITE and BYE go to the proxy of the route set, with the route, not to the Contact."""
    async with parties() as line:
        proxy = line.network.peer("192.0.2.9")
        route = "Record-Route: <sip:192.0.2.9;lr>"
        wanted = OutgoingInviteRequest(
            SipUri("100", CALLEE), NameAddr("", SipUri("a", CALLER)), target=("192.0.2.9", 5060)
        )
        outgoing = await line.caller.invite(wanted)
        await line.network.run(0.1)
        (invite,) = proxy.requests("INVITE")
        answer = response_bytes(invite, 200, headers=(route, f"Contact: <sip:100@{CALLEE}:5099>"))
        proxy.send(answer, (CALLER, 5060))
        await line.network.run(0.1)
        (ack,) = proxy.requests("ACK")
        assert str(ack.uri) == f"sip:100@{CALLEE}:5099"
        assert ack.headers.get_all("Route") == ["<sip:192.0.2.9;lr>"]
        assert ack.via.branch != invite.via.branch
        assert outgoing.session is not None
        bye = asyncio.create_task(outgoing.session.bye())
        await line.network.run(0.1)
        proxy.send(response_bytes(proxy.requests("BYE")[0], 200), (CALLER, 5060))
        await line.network.run(0.1)
        assert await bye is not None


async def test_the_callee_echoes_record_routes() -> None:
    """180 and 200 carry the routes as they came, and the BYE of the callee takes them."""
    async with parties() as line:
        proxy = line.network.peer("192.0.2.9")
        routes = ("Record-Route: <sip:192.0.2.9;lr>", "Record-Route: <sip:192.0.2.10;lr>")
        via = "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKp1, SIP/2.0/UDP 192.0.2.77;branch=z9hG4bKc1"
        proxy.send(request_bytes(uri=f"sip:100@{CALLEE}", via=via, headers=routes), (CALLEE, 5060))
        await line.network.run(0.1)
        for response in proxy.take():
            assert response.headers.get_all("Record-Route") == ["<sip:192.0.2.9;lr>", "<sip:192.0.2.10;lr>"]
            assert [via.host for via in response.vias] == ["192.0.2.9", "192.0.2.77"]
        ack = request_bytes(
            "ACK", to_tag=line.sessions[0].dialog.local.tag, branch="z9hG4bKack", contact=None
        )
        proxy.send(ack, (CALLEE, 5060))
        bye = asyncio.create_task(line.sessions[0].bye())
        await line.network.run(0.1)
        (sent,) = proxy.requests("BYE")
        assert sent.headers.get_all("Route") == ["<sip:192.0.2.9;lr>", "<sip:192.0.2.10;lr>"]
        await line.callee.close()
        await bye


async def test_a_peer_behind_a_translator_can_be_followed() -> None:
    """With next_hop the BYE goes to where the INVITE came from, not to a Contact that nobody can reach."""
    async with parties() as line:
        phone = line.network.peer("203.0.113.5", port=40001)
        via = "SIP/2.0/UDP 10.0.0.5:5060;rport;branch=z9hG4bKnat"
        phone.send(request_bytes(via=via, contact="<sip:x@10.0.0.5>"), (CALLEE, 5060))
        await line.network.run(0.1)
        assert phone.statuses() == [180, 200]
        line.sessions[0].next_hop = line.invites[0].hop
        phone.send(
            request_bytes("ACK", to_tag=line.sessions[0].dialog.local.tag, branch="z9hG4bKa", contact=None),
            (CALLEE, 5060),
        )
        bye = asyncio.create_task(line.sessions[0].bye())
        await line.network.run(0.1)
        assert len(phone.requests("BYE")) == 1
        await line.callee.close()
        await bye
