"""What livekit-server is told about a call, and how its answers are read."""

from __future__ import annotations

import pytest
from livekit.protocol import sip as lk_sip

from telephony.bridge import wire
from telephony.bridge.io_service import (
    DispatchResult,
    IoService,
    TrunkAuthentication,
    describe_call,
    read_dispatch,
)
from telephony.bridge.rpc_client import RpcClient
from telephony.bridge.rpc_server import RpcServer
from telephony.clock import ManualClock
from tests.bridge.bus_double import MemoryBus
from tests.bridge.sip_text import invite

pytestmark = pytest.mark.pure


def test_numbers_go_as_written_and_the_source_without_port() -> None:
    """User parts are not unescaped or normalised; every Via is listed."""
    request = invite(
        "Via: SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bK2",
        sender='"A" <sip:%2B1555@carrier.example:5080>',
        to="0100",
    )
    call = describe_call(request, "192.0.2.7", "SCL_1")
    assert (call.lk_call_id, call.source_ip, call.sip_call_id) == ("SCL_1", "192.0.2.7", "call-1")
    sender = getattr(call, "from")
    assert (sender.user, sender.host, sender.port) == ("%2B1555", "carrier.example", 5080)
    assert (call.to.user, call.address.host, call.address.port) == ("0100", "198.51.100.2", 5060)
    assert [(via.host, via.port) for via in call.via] == [("192.0.2.7", 5062), ("10.0.0.1", 5070)]


def test_a_caller_without_a_user_part_is_anonymous() -> None:
    """livekit-server never gets an empty From user."""
    call = describe_call(invite(sender="<sip:anonymous.invalid>"), "192.0.2.7", "SCL_1")
    assert getattr(call, "from").user == "anonymous"


@pytest.mark.parametrize(
    ("username", "password", "asks"), [("u", "p", True), ("u", "", False), ("", "p", False)]
)
def test_only_user_and_password_together_are_asked_for(username: str, password: str, asks: bool) -> None:
    """One of the two alone is no authentication."""
    assert TrunkAuthentication(username=username, password=password).asks_for_credentials is asks


def test_a_dispatch_answer_is_read_with_its_durations_and_codecs() -> None:
    """Durations become seconds; a codec list counts only when nothing else is wanted."""
    answer = wire.EvaluateSIPDispatchRulesResponse(result=DispatchResult.ACCEPT, room_name="call_1")
    answer.ringing_timeout.FromMilliseconds(2500)
    answer.media.codecs.add(name="PCMA", rate=8000)
    assert read_dispatch(answer, "ST_1").codecs == ()
    answer.media.only_listed_codecs = True
    dispatch = read_dispatch(answer, "ST_1")
    assert (dispatch.ringing_timeout_s, dispatch.max_call_duration_s) == (2.5, 0)
    assert (dispatch.codecs, dispatch.trunk_id, dispatch.room_config) == (("PCMA",), "ST_1", None)


@pytest.mark.parametrize(
    ("pin", "expected"), [(False, DispatchResult.ACCEPT), (True, DispatchResult.REQUEST_PIN)]
)
def test_the_legacy_result_is_read_by_request_pin(pin: bool, expected: DispatchResult) -> None:
    """Result 0 of old servers leaves it to request_pin."""
    answer = wire.EvaluateSIPDispatchRulesResponse(request_pin=pin)
    assert read_dispatch(answer, "").result == expected


@pytest.mark.parametrize(
    ("of_rule", "of_media", "required"),
    [
        (lk_sip.SIP_MEDIA_ENCRYPT_REQUIRE, None, True),
        (lk_sip.SIP_MEDIA_ENCRYPT_REQUIRE, lk_sip.SIP_MEDIA_ENCRYPT_ALLOW, False),
        (lk_sip.SIP_MEDIA_ENCRYPT_DISABLE, lk_sip.SIP_MEDIA_ENCRYPT_REQUIRE, True),
        (lk_sip.SIP_MEDIA_ENCRYPT_ALLOW, None, False),
    ],
)
def test_the_media_section_says_more_about_encryption_than_the_old_field(
    of_rule: int, of_media: int | None, required: bool
) -> None:
    """The deprecated field counts only where the media section is silent."""
    answer = wire.EvaluateSIPDispatchRulesResponse(media_encryption=of_rule)
    if of_media is not None:
        answer.media.encryption = of_media
    assert read_dispatch(answer, "").encryption_required is required


async def test_both_questions_carry_the_legacy_fields_too() -> None:
    """Servers of either age find caller, number and source."""
    bus, clock = MemoryBus(), ManualClock()
    client, server = RpcClient(bus, "IOInfo", clock), RpcServer(bus, "IOInfo", clock)
    await client.start()
    asked: list[object] = []

    async def authenticate(request: object) -> object:
        asked.append(request)
        return wire.GetSIPTrunkAuthenticationResponse(
            sip_trunk_id="ST_1", username="u", password="p", realm="r"
        )

    async def evaluate(request: object) -> object:
        asked.append(request)
        return wire.EvaluateSIPDispatchRulesResponse(result=1, room_name="call_1")

    await server.register("GetSIPTrunkAuthentication", wire.GetSIPTrunkAuthenticationRequest, authenticate)
    await server.register("EvaluateSIPDispatchRules", wire.EvaluateSIPDispatchRulesRequest, evaluate)
    service = IoService(client)
    call = describe_call(invite(), "192.0.2.7", "SCL_1")
    assert await service.authenticate(call) == TrunkAuthentication("ST_1", "u", "p", "r")
    assert (await service.evaluate(call, "ST_1")).room_name == "call_1"
    first, second = asked
    assert (first.to, getattr(first, "from"), first.src_address) == ("+15550100", "+15550199", "192.0.2.7")  # type: ignore[attr-defined]
    assert (second.called_number, second.calling_number, second.sip_trunk_id) == (  # type: ignore[attr-defined]
        "+15550100",
        "+15550199",
        "ST_1",
    )
    await server.close()
