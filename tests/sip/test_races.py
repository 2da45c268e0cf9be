"""Messages that cross, come late, twice, or never."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from telephony.errors import SipError, SipTimeoutError
from telephony.sip.message import SipRequest, SipResponse
from telephony.sip.outgoing import OutgoingInvite, OutgoingInviteRequest
from telephony.sip.transaction import build_cancel
from telephony.sip.uri import NameAddr, SipUri
from tests.sip.parties import CALLEE, CALLER, Parties, parties, take_and_answer
from tests.sip.wire import request_bytes, response_bytes

if TYPE_CHECKING:
    from telephony.sip.incoming import IncomingInvite, IncomingRequest
    from tests.sip.network import Peer

pytestmark = pytest.mark.pure

PEER = "192.0.2.9"
CONTACT = f"Contact: <sip:100@{PEER}>"


async def call_peer(line: Parties) -> tuple[OutgoingInvite, Peer, SipRequest]:
    """An INVITE to a party that the test plays itself."""
    peer = line.network.peer(PEER)
    outgoing = await line.caller.invite(
        OutgoingInviteRequest(SipUri("100", PEER), NameAddr("", SipUri("a", CALLER)))
    )
    await line.network.run(0.1)
    (invite,) = peer.requests("INVITE")
    return outgoing, peer, invite


async def test_a_cancel_waits_for_a_provisional() -> None:
    """Section 9.1: nothing goes out before the peer has shown that it has the INVITE."""
    async with parties() as line:
        line.network.drop = lambda message: isinstance(message, SipResponse) and line.network.clock.now() < 3
        line.behaviour = line.ring
        outgoing = await line.invite()
        outgoing.cancel()
        outgoing.cancel()
        await line.network.run(2.9)
        assert not line.network.sent("CANCEL")
        await line.network.run(2)
        assert len(line.network.sent("CANCEL")) == 1
        assert (await outgoing.final(0)).status == 487
        assert line.invites[0].cancelled.is_set()
        await line.nothing_left()


async def test_a_cancelled_call_that_nobody_hears_of_ends_with_timer_b() -> None:
    """Without any response the CANCEL never leaves, and the call fails after 32 s."""
    async with parties() as line:
        line.network.drop = lambda _message: True
        outgoing = await line.invite()
        outgoing.cancel()
        await line.network.run(33)
        with pytest.raises(SipTimeoutError):
            await outgoing.final(0)
        assert not line.network.sent("CANCEL")
        line.nothing_active()


async def test_a_success_that_crosses_our_cancel_is_hung_up() -> None:
    """The 2xx is ACKed and followed by a BYE; to the owner the call is cancelled."""
    async with parties() as line:
        outgoing, peer, invite = await call_peer(line)
        peer.send(response_bytes(invite, 180), (CALLER, 5060))
        await line.network.run(0.1)
        outgoing.cancel()
        peer.send(response_bytes(invite, 200, headers=(CONTACT,)), (CALLER, 5060))
        await line.network.run(0.1)
        assert len(peer.requests("CANCEL")) == len(peer.requests("ACK")) == len(peer.requests("BYE")) == 1
        assert outgoing.session is None
        assert (await outgoing.final(0)).status == 487
        for request in (peer.requests("CANCEL")[0], peer.requests("BYE")[0]):
            peer.send(response_bytes(request, 200), (CALLER, 5060))
        await line.network.run(0.1)
        line.nothing_active()


async def test_a_peer_that_ignores_our_cancel_is_given_up() -> None:
    """Section 9.1: 64 * T1 after the CANCEL the call counts as cancelled, INVITE answered or not."""
    async with parties() as line:
        outgoing, peer, invite = await call_peer(line)
        peer.send(response_bytes(invite, 180), (CALLER, 5060))
        await line.network.run(0.1)
        outgoing.cancel()
        await line.network.run(0.1)
        peer.send(response_bytes(peer.requests("CANCEL")[0], 200), (CALLER, 5060))
        await line.network.run(31)
        assert not outgoing.done
        await line.network.run(1.2)
        with pytest.raises(SipTimeoutError):
            await outgoing.final(0)
        line.nothing_active()


async def test_a_forked_call_keeps_its_first_answer() -> None:
    """A second 2xx with another tag is ACKed and hung up, the first call goes on."""
    async with parties() as line:
        outgoing, peer, invite = await call_peer(line)
        for tag in ("one", "two", "two"):
            peer.send(response_bytes(invite, 200, to_tag=tag, headers=(CONTACT,)), (CALLER, 5060))
            await line.network.run(0.1)
        assert outgoing.session is not None
        assert outgoing.session.dialog.remote.tag == "one"
        assert [ack.to.tag for ack in peer.requests("ACK")] == ["one", "two", "two"]
        assert [bye.to.tag for bye in peer.requests("BYE")] == ["two"]
        assert not outgoing.session.ended.is_set()
        peer.send(response_bytes(peer.requests("BYE")[0], 200), (CALLER, 5060))
        await line.network.run(0.1)
        assert line.caller.stats.active_dialogs == 1


async def test_a_repeated_success_is_acknowledged_each_time() -> None:
    """With the same ACK, byte for byte, also when the INVITE's transaction is long gone."""
    async with parties() as line:
        outgoing, peer, invite = await call_peer(line)
        success = response_bytes(invite, 200, headers=(CONTACT,))
        for pause in (0.5, 0.5, 33.0, 0.5):
            peer.send(success, (CALLER, 5060))
            await line.network.run(pause)
        acks = [ack.to_bytes() for ack in peer.requests("ACK")]
        assert len(acks) == 4
        assert len(set(acks)) == 1
        assert outgoing.session is not None
        assert line.caller.stats.active_dialogs == 1


async def test_an_answer_without_contact_is_acknowledged_all_the_same() -> None:
    """The called address then stands for it, so that the peer's call does not hang in the air."""
    async with parties() as line:
        outgoing, peer, invite = await call_peer(line)
        peer.send(response_bytes(invite, 200), (CALLER, 5060))
        await line.network.run(0.1)
        (ack,) = peer.requests("ACK")
        assert ack.uri == invite.uri
        assert outgoing.session is not None


async def test_our_answer_is_repeated_for_32_s_and_then_hung_up() -> None:
    """Section 13.3.1.4: T1, doubling to T2; without an ACK the call is released by BYE."""
    async with parties() as line:
        line.network.drop = lambda message: isinstance(message, SipRequest) and message.method == "ACK"
        await line.invite()
        await line.network.run(31.9)
        times = [round(at, 2) for at in line.network.answered(200, "INVITE")]
        assert times == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
        assert not line.invites[0].acked.is_set()
        await line.network.run(1)
        assert len(line.network.sent("BYE")) == 1
        assert line.sessions[0].ended_by == "local"
        await line.nothing_left()


async def test_the_owner_may_keep_an_unacknowledged_call() -> None:
    """With on_ack_timeout nothing is hung up: whether the call lives is the owner's to say."""
    async with parties() as line:
        told: list[float] = []

        def behaviour(invite: IncomingInvite) -> None:
            line.answer(invite)
            line.sessions[0].on_ack_timeout = lambda: told.append(line.network.clock.now())

        line.behaviour = behaviour
        line.network.drop = lambda message: isinstance(message, SipRequest) and message.method == "ACK"
        await line.invite()
        await line.network.run(40)
        assert [round(at) for at in told] == [32]
        assert not line.network.sent("BYE")
        assert line.callee.stats.active_dialogs == 1
        bye = asyncio.create_task(line.sessions[0].bye())
        await line.network.run(1)
        assert await bye is not None


async def test_our_bye_waits_for_the_ack_of_our_answer() -> None:
    """Section 15: who was called may not hang up before the ACK has come."""
    async with parties() as line:
        line.network.drop = lambda message: (
            isinstance(message, SipRequest) and message.method == "ACK" and line.network.clock.now() < 1
        )
        await line.invite()
        await line.network.run(0.1)
        bye = asyncio.create_task(line.sessions[0].bye())
        await line.network.run(0.3)
        assert not line.network.sent("BYE")
        await line.network.run(2)
        assert len(line.network.sent("BYE")) == 1
        assert await bye is not None
        await line.nothing_left()


async def test_byes_that_cross_are_both_answered() -> None:
    """Each end answers the other's BYE 200, also a moment after its own was answered."""
    async with parties() as line:
        call = await line.call()
        both = [asyncio.create_task(end.bye()) for end in (call.caller, call.callee)]
        await line.network.run(1)
        for item in both:
            response = await item
            assert response is not None
            assert response.status == 200
        late = call.caller.dialog.build("BYE")
        late.headers.prepend("Via", f"SIP/2.0/UDP {CALLER};branch=z9hG4bKlate")
        line.network.carry(late.to_bytes(), (CALLER, 5060), (CALLEE, 5060))
        await line.network.run(33)
        assert not line.network.answered(481)
        very_late = call.caller.dialog.build("BYE")
        very_late.headers.prepend("Via", f"SIP/2.0/UDP {CALLER};branch=z9hG4bKverylate")
        line.network.carry(very_late.to_bytes(), (CALLER, 5060), (CALLEE, 5060))
        await line.network.run(1)
        assert line.network.answered(481)


async def test_a_bye_that_nobody_answers_comes_back_in_time() -> None:
    """bye() keeps its caller 5 s; the BYE goes on being repeated, then the dialog is gone."""
    async with parties() as line:
        call = await line.call()
        line.network.drop = lambda _message: True
        first = asyncio.create_task(call.caller.bye())
        second = asyncio.create_task(call.caller.bye([("X-Second", "1")]))
        await line.network.run(4.9)
        assert not first.done()
        await line.network.run(0.2)
        assert await first is None
        assert await second is None
        assert line.caller.stats.active_dialogs == 1
        await line.network.run(28)
        assert call.caller.ended.is_set()
        assert len(line.network.sent("BYE")) == 11
        assert line.caller.stats.active_dialogs == 0


@pytest.mark.parametrize("owner_answers", [True, False])
async def test_a_cancel_ends_an_unanswered_call(owner_answers: bool) -> None:
    """CANCEL gets 200, the INVITE 487 by its owner or else from here; it can no longer be accepted."""
    async with parties() as line:
        called: list[int] = []

        def on_cancelled() -> None:
            called.append(1)
            if owner_answers:
                line.invites[0].respond(487, "By The Owner")

        def behaviour(invite: IncomingInvite) -> None:
            invite.on_cancelled = on_cancelled
            invite.respond(180)

        line.behaviour = behaviour
        outgoing = await line.invite()
        await line.network.run(0.1)
        outgoing.cancel()
        await line.network.run(0.5)
        final = await outgoing.final(0)
        assert final.status == 487
        assert (final.reason == "By The Owner") is owner_answers
        assert called == [1]
        assert len(line.network.answered(487)) == 1
        assert line.network.answered(200, "CANCEL")
        with pytest.raises(SipError):
            line.invites[0].accept(b"")
        line.invites[0].respond(486)
        await line.nothing_left()


async def test_a_cancel_after_the_answer_changes_nothing() -> None:
    """It gets its 200, the call goes on."""
    async with parties() as line:
        call = await line.call()
        sent = call.outgoing._sending
        assert sent is not None
        cancel = build_cancel(sent.request)
        line.network.carry(cancel.to_bytes(), (CALLER, 5060), (CALLEE, 5060))
        await line.network.run(0.5)
        assert line.network.answered(200, "CANCEL")
        assert not line.invites[0].cancelled.is_set()
        assert not call.callee.ended.is_set()


async def test_a_cancel_of_nothing_is_answered_481() -> None:
    """Without the INVITE there is nothing to cancel."""
    async with parties() as line:
        peer = line.network.peer(PEER, port=5070)
        peer.send(request_bytes("CANCEL", via=f"SIP/2.0/UDP {PEER}:5070;branch=z9hG4bKx"), (CALLEE, 5060))
        await line.network.run(0.1)
        assert peer.statuses() == [481]


async def before_the_answer(line: Parties, method: str) -> Peer:
    """Whoever has called and, while it rings, sends a request of this method in the early dialog."""
    line.behaviour = line.ring
    peer = line.network.peer(PEER, port=5070)
    via = f"SIP/2.0/UDP {PEER}:5070;branch=z9hG4bK"
    peer.send(request_bytes(via=via + "1"), (CALLEE, 5060))
    await line.network.run(0.1)
    tag = line.invites[0].local_tag
    peer.send(request_bytes(method, via=via + "2", to_tag=tag, cseq=2), (CALLEE, 5060))
    await line.network.run(0.1)
    return peer


async def test_a_bye_before_the_answer_is_a_cancel() -> None:
    """Section 15.1.2: BYE in the early dialog gets 200, the INVITE 487."""
    async with parties() as line:
        peer = await before_the_answer(line, "BYE")
        assert peer.statuses()[:3] == [180, 200, 487]
        assert line.invites[0].cancelled.is_set()


async def test_an_update_before_the_answer_has_to_wait() -> None:
    """RFC 3311 section 5.2: 500 with Retry-After, not 481, which would end the caller's call."""
    async with parties() as line:
        peer = await before_the_answer(line, "UPDATE")
        assert peer.statuses() == [180, 500]
        assert not line.invites[0].answered


async def test_a_forgotten_invite_gets_no_final_answer() -> None:
    """forget(): copies are swallowed, nothing is sent, and 32 s later nothing is left."""
    async with parties() as line:
        line.behaviour = lambda invite: invite.forget()
        peer = line.network.peer(PEER, port=5070)
        for _ in range(5):
            peer.send(request_bytes(), (CALLEE, 5060))
            await line.network.run(1)
        assert peer.received == []
        assert len(line.invites) == 1
        await line.nothing_left()


async def test_an_overtaken_request_is_refused() -> None:
    """A lower CSeq than the last gets 500 and never reaches the owner."""
    async with parties() as line:
        call = await line.call()
        seen: list[IncomingRequest] = []
        call.callee.on_request = take_and_answer(200, seen)
        call.caller.dialog.local_cseq = 50
        for number in (60, 10):
            call.caller.dialog.local_cseq = number
            sent = asyncio.create_task(call.caller.request("INFO"))
            await line.network.run(0.5)
            assert (await sent).status == (200 if number == 60 else 500)
        assert [incoming.request.cseq.number for incoming in seen] == [61]


@pytest.mark.parametrize("wrong", ["call_id", "to_tag", "from_tag"])
async def test_a_dialog_is_known_by_all_three_of_its_names(wrong: str) -> None:
    """A BYE with another Call-ID or tag ends nobody's call."""
    async with parties() as line:
        peer = line.network.peer(PEER, port=5070)
        peer.send(request_bytes(via=f"SIP/2.0/UDP {PEER}:5070;branch=z9hG4bK1"), (CALLEE, 5060))
        await line.network.run(0.1)
        names = {"call_id": "call-1", "to_tag": line.sessions[0].dialog.local.tag, "from_tag": "ftag"}
        names[wrong] = "another"
        via = f"SIP/2.0/UDP {PEER}:5070;branch=z9hG4bK2"
        peer.take()
        peer.send(request_bytes("BYE", via=via, cseq=2, **names), (CALLEE, 5060))  # type: ignore[arg-type]  # the three names
        await line.network.run(0.1)
        assert 481 in peer.statuses()
        assert not line.sessions[0].ended.is_set()


async def test_the_ack_of_an_old_peer_with_the_invites_branch_is_taken() -> None:
    """A 2xx ACK that wrongly reuses the branch of the INVITE still stops the repetition."""
    async with parties() as line:
        peer = line.network.peer(PEER, port=5070)
        via = f"SIP/2.0/UDP {PEER}:5070;branch=z9hG4bKsame"
        peer.send(request_bytes(via=via), (CALLEE, 5060))
        await line.network.run(0.1)
        tag = line.sessions[0].dialog.local.tag
        peer.send(request_bytes("ACK", via=via, to_tag=tag, contact=None), (CALLEE, 5060))
        await line.network.run(3)
        assert line.invites[0].acked.is_set()
        assert peer.statuses() == [180, 200]


async def test_a_bye_ends_an_unanswered_re_invite_too() -> None:
    """The re-INVITE gets 487, the BYE 200."""
    async with parties() as line:
        call = await line.call()
        call.callee.on_request = lambda _incoming: None
        held = asyncio.create_task(call.caller.request("INVITE", body=b"x"))
        await line.network.run(0.5)
        bye = asyncio.create_task(call.caller.bye())
        await line.network.run(0.5)
        assert (await held).status == 487
        assert await bye is not None
        await line.nothing_left()


async def test_an_owner_may_answer_a_bye_itself() -> None:
    """What on_request answers stands, and it is asked once."""
    async with parties() as line:
        call = await line.call()
        seen: list[IncomingRequest] = []
        call.callee.on_request = take_and_answer(202, seen)
        bye = asyncio.create_task(call.caller.bye([("X-Reason", "done")]))
        await line.network.run(0.5)
        response = await bye
        assert response is not None
        assert response.status == 202
        assert seen[0].request.headers.get("X-Reason") == "done"
