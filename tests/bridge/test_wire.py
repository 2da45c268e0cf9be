"""The message table against bytes written by hand from the field numbers."""

from __future__ import annotations

import pytest
from livekit.protocol import sip as lk_sip
from livekit.protocol.agent_dispatch import RoomAgentDispatch
from livekit.protocol.room import RoomConfiguration

from telephony.bridge import wire

pytestmark = pytest.mark.pure


def test_a_call_is_described_with_the_field_numbers_of_io_proto() -> None:
    """SIPCall: id 1, source IP 2, From 4 (a keyword in Python), To 5, Call-ID 7."""
    call = wire.SIPCall(lk_call_id="SCL_1", source_ip="127.0.0.1", sip_call_id="c")
    getattr(call, "from").CopyFrom(lk_sip.SIPUri(user="a"))
    call.to.CopyFrom(lk_sip.SIPUri(user="b"))
    assert call.SerializeToString() == (
        b"\x0a\x05SCL_1\x12\x09127.0.0.1\x22\x03\x0a\x01a\x2a\x03\x0a\x01b\x3a\x01c"
    )


def test_the_authentication_answer_reads_from_its_field_numbers() -> None:
    """username 1, password 2, drop 3, trunk 4, error code 7, realm 9."""
    answer = wire.GetSIPTrunkAuthenticationResponse()
    answer.ParseFromString(b"\x0a\x01u\x12\x01p\x18\x01\x22\x04ST_1\x38\x02\x4a\x01r")
    assert (answer.username, answer.password, answer.drop) == ("u", "p", True)
    assert (answer.sip_trunk_id, answer.error_code, answer.realm) == ("ST_1", 2, "r")


def test_the_dispatch_answer_carries_maps_durations_and_room_configuration() -> None:
    """Maps, Duration and LiveKit's own messages survive the table."""
    answer = wire.EvaluateSIPDispatchRulesResponse(result=1, room_name="call_1", include_headers=2)
    answer.participant_attributes["sip.callID"] = "SCL_1"
    answer.ringing_timeout.FromSeconds(20)
    answer.room_config.CopyFrom(RoomConfiguration(agents=[RoomAgentDispatch(agent_name="trunkline")]))
    copy = wire.EvaluateSIPDispatchRulesResponse()
    copy.ParseFromString(answer.SerializeToString())
    assert copy == answer
    assert copy.room_config.agents[0].agent_name == "trunkline"
    assert copy.ringing_timeout.ToSeconds() == 20


def test_unknown_fields_of_a_later_server_are_passed_over() -> None:
    """A field with a number that the table lacks does not stop decoding."""
    answer = wire.GetSIPTrunkAuthenticationResponse()
    answer.ParseFromString(b"\x22\x04ST_1\xfa\x07\x03abc")
    assert answer.sip_trunk_id == "ST_1"
