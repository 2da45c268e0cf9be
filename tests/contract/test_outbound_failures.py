"""Calls of our own that come to nothing: the API's error, the SIP status told, and the reason in the room.

The tables are livekit-sip's: codes by status from livekit/protocol ``livekit/sip.go``, reasons as
livekit-server v1.13.5 passes them on.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

import pytest
from livekit import api, rtc

from tests.bridge.called_phone import CalledPhone
from tests.bridge.dialling import IDENTITY, dial
from tests.contract.raw_phone import RawPhone
from tests.waiting import until

if TYPE_CHECKING:
    from tests.bridge.called_phone import CalledLeg
    from tests.contract.line import ContractAgent, ContractLine

pytestmark = [pytest.mark.component, pytest.mark.asyncio(loop_scope="session")]

CODES: dict[str, tuple[int, ...]] = {
    "invalid_argument": (
        *(400, 405, 406, 411, 413, 414, 415, 417, 420, 421, 422, 423, 484, 485, 488, 489, 493, 505, 513),
        *(300, 305, 606, 499, 699),
    ),
    "permission_denied": (402, 403, 433, 470, 603, 607, 608),
    "unauthenticated": (428, 436, 437, 438, 494),
    "not_found": (404, 410, 481, 604, 301, 302),
    "deadline_exceeded": (408, 504),
    "resource_exhausted": (480, 486, 440, 600),
    "aborted": (487, 491),
    "failed_precondition": (409, 412, 482, 483, 500, 501, 502, 503, 599),
    "out_of_range": (416,),
}
REJECTED, UNAVAILABLE, PLAIN = (
    rtc.DisconnectReason.USER_REJECTED,
    rtc.DisconnectReason.USER_UNAVAILABLE,
    rtc.DisconnectReason.CLIENT_INITIATED,
)
_AT_ONCE = 8


def _reason(status: int) -> int:
    if status in (404, 408, 480):
        return UNAVAILABLE
    return PLAIN if status < 400 or 500 <= status < 600 else REJECTED


async def _failure(line: ContractLine, address: str, **fields: Any) -> api.TwirpError:
    """Dial, and return the error that it comes to."""
    with pytest.raises(api.ServerError) as caught:
        await dial(line, address, **fields)
    return caught.value


@pytest.mark.parametrize("code", CODES)
async def test_a_sip_status_is_told_with_its_code(line: ContractLine, called: CalledPhone, code: str) -> None:
    """Error code, status and phrase to whoever asked, the reason to the room, and one INVITE a call."""
    watcher = line.watcher()
    await watcher.await_call()
    refusing = asyncio.create_task(_refuse_by_number(called, watcher))
    free = asyncio.Semaphore(_AT_ONCE)

    async def one(status: int) -> tuple[int, str, int, str]:
        async with free:
            error = await _failure(
                line, called.address, sip_call_to=str(status), participant_identity=f"p{status}"
            )
        assert isinstance(error, api.SipCallError), error
        return status, error.code, error.sip_status_code or 0, error.sip_status or ""

    told = await asyncio.gather(*(one(status) for status in CODES[code]))
    refusing.cancel()
    assert told == [(status, code, status, "So it is") for status in CODES[code]]
    expected = {f"p{status}": _reason(status) for status in CODES[code]}
    await until(lambda: len(watcher.reasons) == len(expected))
    told_of = {who: reason for who, reason in watcher.reasons.items() if reason or not watcher.was_away}
    assert told_of == {who: expected[who] for who in told_of}
    assert called.invites == len(expected)


async def _refuse_by_number(called: CalledPhone, watcher: ContractAgent) -> None:
    """Let each ring until the room has seen it, then refuse it with the status that it called."""

    async def refuse(leg: CalledLeg) -> None:
        status = int(leg.invite.request.uri.user or "")
        leg.ring()
        await watcher.sees_track(f"p{status}")
        leg.refuse(status, "So it is")

    async with asyncio.TaskGroup() as refusing:
        for number in itertools.count(1):
            refusing.create_task(refuse(await called.rung(number, timeout_s=60)))


@pytest.mark.parametrize("status", [401, 407])
async def test_missing_credentials_are_failed_precondition(line: ContractLine, status: int) -> None:
    """Without a SIP status; the call is rejected for those in the room."""
    watcher = line.watcher()
    await watcher.await_call()
    async with RawPhone() as raw:
        failing = asyncio.create_task(_failure(line, raw.address))
        invite = await raw.asked("INVITE")
        await watcher.sees_track(IDENTITY)
        name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
        raw.answer(invite, f"{status} Who", line.port, more=[f'{name}: Digest realm="x", nonce="y"'])
        error = await failing
        assert (error.code, isinstance(error, api.SipCallError)) == ("failed_precondition", False)
        await until(lambda: watcher.reasons)
        assert watcher.reasons == {IDENTITY: REJECTED}


async def test_wrong_credentials_are_failed_precondition(line: ContractLine) -> None:
    """The same where the trunk has a password that the other side does not take."""
    async with CalledPhone(username="desk", password="secret") as called:
        trunk = {"trunk_auth_username": "desk", "trunk_auth_password": "wrong"}
        error = await _failure(line, called.address, **trunk)
        assert (error.code, isinstance(error, api.SipCallError)) == ("failed_precondition", False)
        assert called.invites >= 2


@pytest.mark.livekit_sip_fault("password-sent-again")
async def test_a_password_that_was_refused_is_not_sent_again(line: ContractLine) -> None:
    """One try with it: carriers lock accounts."""
    async with CalledPhone(username="desk", password="secret") as called:
        await _failure(line, called.address, trunk_auth_username="desk", trunk_auth_password="wrong")
        assert called.invites == 2


@pytest.mark.livekit_sip_fault("unusable-answer-unacknowledged")
async def test_an_answer_without_a_common_codec_is_hung_up(line: ContractLine, called: CalledPhone) -> None:
    """Acknowledged, then BYE; failed_precondition without a status."""
    watcher = line.watcher()
    await watcher.await_call()
    failing = asyncio.create_task(_failure(line, called.address))
    leg = await called.rung()
    await watcher.sees_track(IDENTITY)
    await leg.answer(body=b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n")
    error = await failing
    assert (error.code, isinstance(error, api.SipCallError)) == ("failed_precondition", False)
    await leg.hung_up()
    assert leg.invite.acked.is_set()
    await until(lambda: watcher.reasons)
    assert watcher.reasons == {IDENTITY: REJECTED}


async def test_a_room_that_is_deleted_calls_it_off(line: ContractLine, called: CalledPhone) -> None:
    """CANCEL while it rings, and whoever asked is told canceled."""
    failing = asyncio.create_task(_failure(line, called.address))
    leg = await called.rung()
    leg.ring()
    await line.room_appears()
    await line.delete_room()
    assert (await failing).code == "canceled"
    await until(leg.invite.cancelled.is_set)


async def test_a_participant_that_is_removed_calls_it_off(line: ContractLine, called: CalledPhone) -> None:
    """Also where nobody waits for the answer."""
    await dial(line, called.address, wait_until_answered=False)
    leg = await called.rung()
    leg.ring()
    await line.remove(IDENTITY)
    await until(leg.invite.cancelled.is_set)


@pytest.mark.livekit_sip_fault("cancel-before-a-response")
async def test_cancel_waits_for_a_sign_of_life(line: ContractLine) -> None:
    """A phone that has answered nothing yet gets CANCEL after its first provisional response."""
    async with RawPhone() as raw:
        await dial(line, raw.address, wait_until_answered=False)
        invite = await raw.asked("INVITE")
        await line.remove(IDENTITY)
        await asyncio.sleep(0.3)
        assert raw.requests("CANCEL") == []
        raw.answer(invite, "180 Ringing", line.port)
        cancel = await raw.asked("CANCEL")
        raw.answer(cancel, "200 OK", line.port)
        raw.answer(invite, "487 Request Terminated", line.port)
        await raw.asked("ACK")


@pytest.mark.livekit_sip_fault("late-answer-left")
async def test_an_answer_that_crosses_the_cancel_is_hung_up(line: ContractLine, called: CalledPhone) -> None:
    """ACK, then BYE."""
    await dial(line, called.address, wait_until_answered=False)
    leg = await called.rung()
    leg.ring()
    # The phone takes no notice of the CANCEL, as if it had not come in time.
    ignored = asyncio.Event()
    leg.invite.cancel = ignored.set  # type: ignore[method-assign]
    await line.remove(IDENTITY)
    await until(ignored.is_set)
    await leg.answer()
    await leg.hung_up()
    assert leg.invite.acked.is_set()


@pytest.mark.parametrize("address", ["[::1]:5060", "nowhere.invalid:5060"])
async def test_an_address_that_is_none_is_invalid_argument(line: ContractLine, address: str) -> None:
    """No such name, and IPv6: nothing was sent, and nobody stays in the room."""
    error = await _failure(line, address)
    assert (error.code, isinstance(error, api.SipCallError)) == ("invalid_argument", False)
    await until(lambda: line.is_gone(IDENTITY))


@pytest.mark.ours_only
async def test_tls_is_invalid_argument(line: ContractLine) -> None:
    """The bridge says what it cannot do before anybody rings."""
    assert (await _failure(line, "127.0.0.1:5061", trunk_transport=3)).code == "invalid_argument"


@pytest.mark.whole_contract
async def test_no_response_at_all_is_canceled(line: ContractLine) -> None:
    """After SIP's own 32 s; those in the room see that nobody was to be had."""
    watcher = line.watcher()
    await watcher.await_call()
    async with RawPhone() as raw:
        error = await _failure(line, raw.address, ringing_s=60)
        assert (error.code, isinstance(error, api.SipCallError)) == ("canceled", False)
        assert "failed to complete" in error.message
        assert len(raw.requests("INVITE")) == 7
        await until(lambda: watcher.reasons)
        assert watcher.reasons == {IDENTITY: UNAVAILABLE}
