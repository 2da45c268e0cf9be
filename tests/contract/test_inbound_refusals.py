"""Inbound calls that come to nothing: every error of livekit-sip's sequence, as the telephone sees it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import redis as redis_client
from livekit import api

from telephony.bridge.io_service import AuthError, DispatchResult
from telephony.errors import BusError
from telephony.sip.digest import Credentials
from tests.bridge.sip_text import offer
from tests.contract.raw_phone import RawPhone
from tests.waiting import until

if TYPE_CHECKING:
    from tests.bridge.phone import Phone
    from tests.bridge.servers import Server
    from tests.contract.line import AudioPath, ContractLine
    from tests.contract.server_double import ServerDouble

pytestmark = [pytest.mark.component, pytest.mark.asyncio(loop_scope="session")]

UNKNOWN = "+19990000000"
_AFTERWARDS_S = 8.0
"""How long a final response may take where none is expected of a livekit-sip."""


@pytest.mark.parametrize("without", ["From-tag", "Call-ID", "To"])
async def test_an_invite_without_what_a_dialog_needs_is_400(line: ContractLine, without: str) -> None:
    """From with its tag, To and Call-ID must be there."""
    async with RawPhone() as raw:
        raw.invite(line.number, line.port, without=[without])
        await raw.response(400)


async def test_a_refusal_is_repeated_to_who_asks_again(line: ContractLine) -> None:
    """The same Call-ID and From tag within a minute get the same answer, whatever they offer by then."""
    await line.provision()
    async with RawPhone() as raw:
        raw.request("INVITE", line.number, line.port, body=offer("18", host="127.0.0.1"))
        await until(lambda: raw.finals)
        raw.invite(line.number, line.port, cseq=2)
        await until(lambda: len(set(raw.finals)) == 2)
        assert len({status for status, _ in raw.finals}) == 1


@pytest.mark.livekit_sip_fault("no-rule-no-answer")
@pytest.mark.parametrize("has_trunk", [False, True])
async def test_a_call_that_no_rule_takes_is_404(line: ContractLine, phone: Phone, has_trunk: bool) -> None:
    """Whether or not a trunk takes its number."""
    await line.provision(with_rule=False)
    call = await phone.call(line.number if has_trunk else UNKNOWN, line.port)
    assert (await call.final(_AFTERWARDS_S)).status == 404


async def test_two_trunks_for_one_number_are_503(line: ContractLine, phone: Phone, redis: Server) -> None:
    """livekit-server cannot choose: the caller is asked to try again later."""
    await line.provision()
    twin = api.SIPInboundTrunkInfo(sip_trunk_id="ST_twin", name="twin", numbers=[line.number])
    client = redis_client.Redis(port=redis.port)
    try:
        client.hset("sip_inbound_trunk", "ST_twin", twin.SerializeToString())
        call = await phone.call(line.number, line.port)
        response = await call.final()
        assert (response.status, response.reason) == (503, "Try again later")
    finally:
        client.hdel("sip_inbound_trunk", "ST_twin")
        client.close()


async def test_a_wrong_password_is_401(line: ContractLine, phone: Phone) -> None:
    """Asked by 407, refused by 401, and no room is made."""
    await line.provision(trunk={"auth_username": "user", "auth_password": "pass"})
    call = await phone.call(line.number, line.port, credentials=Credentials("user", "wrong"))
    assert (await call.final()).status == 401
    assert line.room_name not in await line.rooms()


async def test_no_credentials_is_407(line: ContractLine, phone: Phone) -> None:
    """A caller that cannot answer the challenge gets no further."""
    await line.provision(trunk={"auth_username": "user", "auth_password": "pass"})
    call = await phone.call(line.number, line.port)
    assert (await call.final()).status == 407
    assert line.room_name not in await line.rooms()


_UNSPOKEN = pytest.mark.livekit_sip_fault("unusable-offer-is-400")


@pytest.mark.parametrize(
    "formats",
    [
        pytest.param("9", marks=pytest.mark.ours_only),  # The other speaks G.722.
        pytest.param("18", marks=_UNSPOKEN),
        pytest.param("none", marks=_UNSPOKEN),
        pytest.param("nonsense", marks=_UNSPOKEN),
    ],
)
async def test_an_offer_without_our_codecs_is_488(line: ContractLine, phone: Phone, formats: str) -> None:
    """G.722 or G.729 alone, audio switched off, garbage: no room is made."""
    await line.provision()
    bodies = {"none": offer(port=0), "nonsense": b"v=0\r\nnonsense\r\n"}
    call = await phone.call(line.number, line.port, body=bodies.get(formats) or offer(formats))
    assert (await call.final()).status == 488
    assert line.room_name not in await line.rooms()


@pytest.mark.livekit_sip_fault("unusable-offer-is-400")
async def test_audio_in_clear_where_the_trunk_wants_it_encrypted_is_488(
    line: ContractLine, phone: Phone
) -> None:
    """media_encryption require."""
    await line.provision(trunk={"media_encryption": api.SIPMediaEncryption.SIP_MEDIA_ENCRYPT_REQUIRE})
    call = await phone.call(line.number, line.port)
    assert (await call.final()).status == 488


async def test_a_room_deleted_while_it_rings_is_486(
    line: ContractLine, phone: Phone, path: AudioPath
) -> None:
    """The room's end is the call's."""
    await line.provision_for(path)
    call = await phone.call(line.number, line.port)
    await line.room_appears()
    await until(lambda: _has_joined(line))
    await line.delete_room()
    assert (await call.final()).status == 486


async def _has_joined(line: ContractLine) -> bool:
    listed = await line.api.room.list_participants(api.ListParticipantsRequest(room=line.room_name))
    return any(one.state == api.ParticipantInfo.ACTIVE for one in listed.participants)


# What only other servers than the open-source one answer


async def test_errors_of_the_server_are_final_answers(scripted: ServerDouble, phone: Phone) -> None:
    """Quota and errors of either question are 503, no trunk and a rule that rejects 404, the unknown 501.

    A livekit-sip v1.8.0 says 404 to the unknown.
    """
    lost = BusError("not now", code="unavailable")
    scripted.trunks.update(
        {"quota": {"error_code": AuthError.QUOTA_EXCEEDED}, "no-trunk": {"error_code": 2}, "broken": lost}
    )
    scripted.rules.update({"reject": {"result": DispatchResult.REJECT}, "odd": {"result": 9}, "lost": lost})
    odd = scripted.bridge.says(501, livekit_sip=404)
    expected = {"quota": 503, "no-trunk": 404, "broken": 503, "reject": 404, "odd": odd, "lost": 503}
    assert await _statuses(scripted, phone, expected) == expected


@pytest.mark.livekit_sip_fault("no-rule-no-answer")
async def test_what_the_server_would_drop_is_404(scripted: ServerDouble, phone: Phone) -> None:
    """By its trunk or by its rules: the caller is told."""
    scripted.trunks["drop-trunk"] = {"drop": True}
    scripted.rules["drop-rule"] = {"result": DispatchResult.DROP}
    expected = {"drop-trunk": 404, "drop-rule": 404}
    assert await _statuses(scripted, phone, expected) == expected


async def test_a_room_that_cannot_be_joined_refuses_the_call(scripted: ServerDouble, phone: Phone) -> None:
    """livekit-sip says busy, our bridge says that it is no fault of the caller's."""
    accepted: dict[str, Any] = {
        "result": DispatchResult.ACCEPT,
        "room_name": "x",
        "participant_identity": "x",
    }
    scripted.rules["accept"] = accepted
    expected = {"accept": scripted.bridge.says(503, livekit_sip=486)}
    assert await _statuses(scripted, phone, expected) == expected


async def _statuses(scripted: ServerDouble, phone: Phone, numbers: dict[str, int]) -> dict[str, int]:
    """Call all of them at once."""
    calls = {number: await phone.call(number, scripted.bridge.port) for number in numbers}
    finals = await asyncio.gather(*(call.final(_AFTERWARDS_S) for call in calls.values()))
    return dict(zip(calls, (one.status for one in finals), strict=True))
