"""What happens in a call that is up: who hangs up and how, keys, hold, other requests, the room's RPC."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
from typing import TYPE_CHECKING, Any

import pytest
from livekit import rtc

from telephony.rtp.dtmf import DIGITS, TelephoneEvent
from telephony.sip.message import SipRequest
from telephony.sip.sdp import read_answer
from telephony.sip.uri import NameAddr, SipUri
from tests.bridge.sip_text import offer
from tests.contract.hearing import hears
from tests.contract.line import CALLER_HZ, VOICE_HZ
from tests.waiting import limit, until

if TYPE_CHECKING:
    from telephony.rtp.packet import RtpPacket
    from tests.bridge.phone import Phone, PhoneCall
    from tests.contract.line import AudioPath, ContractAgent, ContractLine

pytestmark = [pytest.mark.component, pytest.mark.asyncio(loop_scope="session")]

IDENTITY = "sip_+15550199"
OTHER_HOST = "127.0.0.2"
"""Of this machine too, and not what the bridge was told to listen on."""


async def _up(
    line: ContractLine, phone: Phone, agent: ContractAgent, path: AudioPath = "room", **options: Any
) -> PhoneCall:
    """A call that is up: the phone hears the agent."""
    trunk = options.pop("trunk", None)
    await line.provision_for(path, trunk=trunk)
    call = await phone.call(line.number, line.port, voice_hz=CALLER_HZ, **options)
    await agent.take()
    assert (await call.final()).status == 200
    await hears(call, VOICE_HZ)
    return call


# Who hangs up


async def test_a_deleted_room_says_bye(line: ContractLine, phone: Phone, path: AudioPath) -> None:
    """With the trunk's headers made from attributes."""
    agent = line.agent(path)
    mapping = {"headers_to_attributes": {"X-In": "seen"}, "attributes_to_headers": {"seen": "X-Out"}}
    call = await _up(line, phone, agent, path, trunk=mapping, headers=[("X-In", "value")])
    byes: list[SipRequest] = []
    call.session.on_request = lambda incoming: byes.append(incoming.request)
    await agent.sees("active")
    await line.delete_room()
    await call.hung_up()
    assert [bye.headers.get("X-Out") for bye in byes] == ["value"]


async def test_a_removed_caller_is_hung_up(line: ContractLine, phone: Phone, path: AudioPath) -> None:
    """The room and the others stay, and see that it was removed."""
    agent = line.agent(path)
    call = await _up(line, phone, agent, path)
    await agent.sees("active")
    await line.remove(IDENTITY)
    await call.hung_up()
    if path == "direct":
        # Of a participant without a track livekit-server tells up to three seconds late.
        return
    await until(lambda: agent.reasons)
    assert agent.reasons == {IDENTITY: rtc.DisconnectReason.PARTICIPANT_REMOVED}


async def test_an_agent_hangs_up(line: ContractLine, phone: Phone, path: AudioPath) -> None:
    """By lk.sip.EndCall, or by one message on the direct line."""
    agent = line.agent(path)
    call = await _up(line, phone, agent, path)
    await agent.sees("active")
    await agent.hang_up()
    await call.hung_up()


async def test_the_rooms_rpc_reads_headers_and_hangs_up_with_some(line: ContractLine, phone: Phone) -> None:
    """lk.sip.GetRemoteHeaders gives the caller's, chosen by name; lk.sip.EndCall puts some into the BYE."""
    agent = line.agent("room")
    call = await _up(line, phone, agent, headers=[("X-Case", "7"), ("X-More", "8")])
    byes: list[SipRequest] = []
    call.session.on_request = lambda incoming: byes.append(incoming.request)
    await agent.sees("active")

    async def ask(method: str, payload: str) -> str:
        return await agent.room.local_participant.perform_rpc(
            destination_identity=IDENTITY, method=method, payload=payload
        )

    everything = json.loads(await ask("lk.sip.GetRemoteHeaders", "{}"))["headers"]
    assert (everything["X-Case"], everything["X-More"]) == ("7", "8")
    assert json.loads(await ask("lk.sip.GetRemoteHeaders", '{"include": ["X-Case"]}')) == {
        "headers": {"X-Case": "7"}
    }
    with pytest.raises(rtc.RpcError):
        await ask("lk.sip.GetRemoteHeaders", "[]")
    await ask("lk.sip.EndCall", '{"headers": {"X-Why": "done"}}')
    await call.hung_up()
    assert [bye.headers.get("X-Why") for bye in byes] == ["done"]


async def test_a_second_call_of_one_identity_takes_the_place_of_the_first(
    line: ContractLine, phone: Phone
) -> None:
    """livekit-server throws the first out, whose phone gets BYE."""
    agent = line.agent("room")
    first = await _up(line, phone, agent)
    second = await phone.call(line.number, line.port)
    assert (await second.final()).status == 200
    await first.hung_up()
    await second.bye()


# Keys


async def test_keys_travel_both_ways(line: ContractLine, phone: Phone, path: AudioPath) -> None:
    """A key of the phone comes to the agent once, a key of the agent is pressed at the phone."""
    agent = line.agent(path)
    call = await _up(line, phone, agent, path)
    await agent.sees("active")
    await call.rtp.send_digits("5#")
    for code, digit in ((1, "1"), (10, "*")):
        await agent.press(code, digit)
    await until(lambda: agent.keys == ["5", "#"])
    await until(lambda: call.keys == ["1", "*"])
    await call.bye()


@pytest.mark.livekit_sip_fault("letter-keys")
async def test_keys_with_letters_travel_both_ways(line: ContractLine, phone: Phone, path: AudioPath) -> None:
    """The fourth column of a keypad, in capitals as RFC 4733 has them."""
    agent = line.agent(path)
    call = await _up(line, phone, agent, path)
    await agent.sees("active")
    await call.rtp.send_digits("A")
    await agent.press(15, "D")
    await until(lambda: agent.keys == ["A"])
    await until(lambda: call.keys == ["D"])
    await call.bye()


async def test_keys_are_events_as_rfc_4733_has_them(line: ContractLine, phone: Phone) -> None:
    """The phone's payload type, one timestamp an event, a marker, three ends, 250 ms and as much between."""
    agent = line.agent("room")
    call = await _up(line, phone, agent, keys_as=96)
    packets: list[RtpPacket] = []
    call.rtp.on_packet = lambda packet, _: packets.append(packet)
    await agent.sees("active")
    for code, digit in ((0, "0"), (11, "#")):
        await agent.press(code, digit)

    def events() -> dict[int, list[RtpPacket]]:
        found: dict[int, list[RtpPacket]] = {}
        for packet in packets:
            if packet.payload_type == 96:
                found.setdefault(packet.timestamp, []).append(packet)
        return found

    def ends(event: list[RtpPacket]) -> int:
        return sum(TelephoneEvent.parse(packet.payload).end for packet in event)

    await until(lambda: len(events()) == 2 and all(ends(one) == 3 for one in events().values()))
    await call.bye()
    first, second = events().values()
    for event, key in ((first, "0"), (second, "#")):
        told = [TelephoneEvent.parse(packet.payload) for packet in event]
        assert {DIGITS[one.event] for one in told} == {key}
        assert [packet.marker for packet in event] == [True] + [False] * (len(event) - 1)
        assert told[-1].duration == pytest.approx(2000, abs=200)
    assert second[0].timestamp - first[0].timestamp == pytest.approx(4000, abs=480)


async def test_a_phone_without_keys_is_sent_none(line: ContractLine, phone: Phone) -> None:
    """Where telephone-event was not agreed nothing but audio is sent, and the call goes on."""
    agent = line.agent("room")
    call = await _up(line, phone, agent, keys_as=None)
    types: set[int] = set()
    call.rtp.on_packet = lambda packet, _: types.add(packet.payload_type)
    await agent.sees("active")
    await agent.press(1, "1")
    await asyncio.sleep(0.3)
    await hears(call, VOICE_HZ)
    assert types == {0}
    await call.bye()


# What the phone changes


@pytest.mark.livekit_sip_fault("hold-answered-sendrecv")
async def test_hold_is_answered_in_kind(line: ContractLine, phone: Phone, path: AudioPath) -> None:
    """sendonly gets recvonly and none of our audio, inactive inactive; sendrecv brings it back."""
    agent = line.agent(path)
    call = await _up(line, phone, agent, path)
    ours = call.invite.request.body
    for theirs, answered in (("sendonly", "recvonly"), ("inactive", "inactive")):
        held = await call.session.request("INVITE", body=ours.replace(b"sendrecv", theirs.encode()))
        assert held.status == 200
        assert f"a={answered}".encode() in held.body
        await asyncio.sleep(0.1)
        sent = call.rtp.packets_received
        await asyncio.sleep(0.2)
        assert call.rtp.packets_received == sent
    back = await call.session.request("INVITE", body=ours)
    assert b"a=sendrecv" in back.body
    bad = await call.session.request("INVITE", body=b"v=0\r\n")
    assert bad.status == 488
    await hears(call, VOICE_HZ)
    await hears(agent, CALLER_HZ)
    await call.bye()


async def test_audio_follows_the_phone_to_another_address(line: ContractLine, phone: Phone) -> None:
    """A re-INVITE with another port is answered with SDP, and from then on the audio goes there."""
    agent = line.agent("room")
    call = await _up(line, phone, agent)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as elsewhere:
        elsewhere.bind(("127.0.0.1", 0))
        elsewhere.setblocking(False)
        call.talks = False
        port = elsewhere.getsockname()[1]
        moved = await call.session.request("INVITE", body=offer("0 101", port=port, host="127.0.0.1"))
        assert (moved.status, read_answer(moved.body).codec) == (200, "PCMU")
        async with limit(5):
            packet = await asyncio.get_running_loop().sock_recv(elsewhere, 2048)
        assert packet[0] == 0x80
    await call.bye()


async def test_audio_goes_to_where_it_comes_from(line: ContractLine, phone: Phone) -> None:
    """symmetric_rtp: a phone whose offer names an address of its own network is heard and hears."""
    agent = line.agent("room")
    call = await _up(line, phone, agent, body=offer("0 101", port=9, host="127.0.0.1"))
    await hears(agent, CALLER_HZ)
    await call.bye()


@pytest.mark.livekit_sip_fault("update-refused")
async def test_an_update_is_taken_like_a_re_invite(line: ContractLine, phone: Phone) -> None:
    """With an offer it changes the media, without one it is a sign of life."""
    agent = line.agent("room")
    call = await _up(line, phone, agent)
    assert (await call.session.request("UPDATE")).status == 200
    ours = call.invite.request.body
    held = await call.session.request("UPDATE", body=ours.replace(b"sendrecv", b"sendonly"))
    assert (held.status, b"a=recvonly" in held.body) == (200, True)
    await call.bye()


async def test_other_requests_within_a_call(line: ContractLine, phone: Phone) -> None:
    """OPTIONS is 200, INFO 405, a BYE for another tag 481, a re-INVITE without an offer gets one."""
    agent = line.agent("room")
    call = await _up(line, phone, agent)
    offered = await call.session.request("INVITE")
    assert (offered.status, b"m=audio" in offered.body) == (200, True)
    assert (await call.session.request("OPTIONS")).status == 200
    assert (await call.session.request("INFO")).status == 405
    stray = SipRequest("BYE", call.session.dialog.remote_target)
    stray.headers.add("From", str(call.session.dialog.local.with_tag("other")))
    stray.headers.add("To", str(call.session.dialog.remote.with_tag("another")))
    stray.headers.add("Call-ID", call.invite.call_id)
    stray.headers.add("CSeq", "9 BYE")
    assert (await phone.endpoint.send_request(stray)).status == 481
    heard = len(call.heard)
    await until(lambda: len(call.heard) > heard + 10)
    await hears(call, VOICE_HZ)
    await call.bye()


@pytest.mark.parametrize(
    ("method", "status"),
    [
        ("OPTIONS", 200),
        ("BYE", 481),
        ("NOTIFY", 481),
        ("MESSAGE", 405),
        ("SUBSCRIBE", 405),
        ("REGISTER", 405),
    ],
)
async def test_requests_of_no_call(line: ContractLine, phone: Phone, method: str, status: int) -> None:
    """OPTIONS is a sign of life, what belongs to a call is 481, the rest 405."""
    request = SipRequest(method, SipUri("x", "127.0.0.1", line.port))
    request.headers.add("From", str(NameAddr("", SipUri("carrier", "carrier.example")).with_tag("a")))
    request.headers.add("To", f"<sip:x@127.0.0.1:{line.port}>" + (";tag=none" if status == 481 else ""))
    request.headers.add("Call-ID", f"no-call-{method}")
    request.headers.add("CSeq", f"1 {method}")
    request.headers.add("Contact", f"<sip:carrier@127.0.0.1:{phone.endpoint.port}>")
    assert (await phone.endpoint.send_request(request)).status == status


# What the machine shows of itself


@pytest.mark.livekit_sip_fault("media-on-every-address")
async def test_media_is_received_on_the_bridges_address_alone(line: ContractLine, phone: Phone) -> None:
    """A packet to another address of the machine meets nobody."""
    agent = line.agent("room")
    call = await _up(line, phone, agent)
    assert call.session.response is not None
    port = read_answer(call.session.response.body).remote[1]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.connect((OTHER_HOST, port))
        stranger.setblocking(False)
        stranger.send(b"\x80")
        with pytest.raises(ConnectionRefusedError):
            async with limit(2):
                await asyncio.get_running_loop().sock_recv(stranger, 10)
    await call.bye()


async def test_health_answers_any_path(line: ContractLine) -> None:
    """200 to whoever asks on this machine."""
    for path in ("/", "/healthz"):
        connection = http.client.HTTPConnection("127.0.0.1", line.bridge.health_port, timeout=5)
        connection.request("GET", path)
        assert connection.getresponse().status == 200
        connection.close()


@pytest.mark.livekit_sip_fault("health-on-every-address")
async def test_health_is_told_on_loopback_alone(line: ContractLine) -> None:
    """Another address of the machine has nothing there."""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((OTHER_HOST, line.bridge.health_port), timeout=2)
