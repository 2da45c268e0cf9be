"""What explain says of a call against what a real INVITE gets: through a real bridge, decided by a real
livekit-server, from several addresses of this machine.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from livekit.protocol.sip import SIPDispatchRule, SIPDispatchRuleInfo, SIPInboundTrunkInfo

from provisioning.explain import Explanation, explain
from provisioning.match import Call
from provisioning.objects import Kind, Message
from telephony.bridge.config import read_config
from telephony.bridge.service import BridgeService
from telephony.clock import LoopClock
from telephony.errors import LiveKitError
from telephony.sip.digest import Credentials
from telephony.sip.endpoint import SipEndpoint
from telephony.sip.outgoing import OutgoingInviteRequest
from telephony.sip.uri import NameAddr, SipUri
from tests.bridge.servers import bridge_settings
from tests.provisioning.strategies import CALLERS, NUMBERS, rules, trunks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from provisioning.sip_service import SipService
    from tests.provisioning.conftest import LiveKit

pytestmark = pytest.mark.component

SOURCES = ["127.0.0.1", "127.0.0.2"]
ADDRESSES = ["127.0.0.0/8", "127.0.0.2", "127.0.0.2/32", "sip.example", "0.0.0.0/0", "bad mask", "10.0.0.0/8"]
HOSTS = ["sip.example", "127.0.0.2", "elsewhere.example"]
EXAMPLES = int(os.environ.get("TRUNKLINE_MATCH_EXAMPLES", "25"))
# Refused only after a rule has taken the call, so that no room need be made to see which one did.
NO_COMMON_CODEC = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=audio 9 RTP/AVP 18\r\na=rtpmap:18 G729/8000\r\n"
)

calls = st.builds(
    Call,
    to_user=st.sampled_from([number for number in NUMBERS if " " not in number]),
    from_user=st.sampled_from(CALLERS),
    source_ip=st.sampled_from(SOURCES),
    from_host=st.sampled_from(HOSTS),
)


@dataclass(frozen=True)
class Fate:
    """What became of a call."""

    verdict: str
    challenged: bool = False
    trunk_id: str = ""
    rule_id: str = ""
    room: str = ""


class Callers:
    """Telephones at several addresses, all calling one bridge."""

    def __init__(self, bridge: BridgeService, folder: Path) -> None:
        self._bridge = bridge
        self._events = folder
        self._phones = {source: SipEndpoint(LoopClock(), "Test phone") for source in SOURCES}

    async def start(self) -> None:
        for source, phone in self._phones.items():
            await phone.start(source, 0)

    async def close(self) -> None:
        for phone in self._phones.values():
            await phone.close()

    async def fate(self, call: Call, *, request_uri: str = "") -> Fate:
        """Call, answer a challenge, and see in the bridge's own events who took it."""
        where = ("127.0.0.1", self._bridge.sip_port)
        invite = await self._phones[call.source_ip].invite(
            OutgoingInviteRequest(
                uri=SipUri(request_uri or call.to_user, *where),
                to=NameAddr("", SipUri(call.to_user, "trunkline.test")),
                from_=NameAddr("", SipUri(call.from_user, call.from_host or "carrier.example")),
                body=NO_COMMON_CODEC,
                credentials=Credentials("user", "word"),
                target=where,
            )
        )
        response = await invite.final(10)
        events = [
            json.loads(line)
            for file in self._events.glob("*.jsonl")
            for line in file.read_text().splitlines()
        ]
        for file in self._events.glob("*.jsonl"):
            file.unlink()
        challenged = invite.request.headers.get("Proxy-Authorization") is not None
        if response.status != 488:
            return Fate({404: "dropped", 503: "refused"}[response.status], challenged)
        ringing = [event["data"] for event in events if event["type"] == "call.ringing"]
        if not ringing:
            # Whoever is to be asked for a PIN is answered before it rings anywhere.
            return Fate("pin", challenged)
        (data,) = ringing
        return Fate("accepted", challenged, data["trunk_id"], data["rule_id"], data["room"])


@pytest.fixture
async def callers(livekit: LiveKit, tmp_path: Path) -> AsyncIterator[Callers]:
    """A bridge beside the server, and telephones."""
    given = bridge_settings(livekit.url, livekit.redis_address, events_dir=str(tmp_path))
    bridge = BridgeService(read_config(given, {}))
    await bridge.start()
    callers = Callers(bridge, tmp_path)
    await callers.start()
    yield callers
    await callers.close()
    await bridge.stop()


async def said(service: SipService, call: Call, *, request_uri: str = "") -> Explanation:
    return explain(call, await service.list_all(), names={}, request_uri_user=request_uri)


def agree(explained: Explanation, fate: Fate) -> bool:
    """Whether the explanation foretold the call's fate, as far as a caller can see it."""
    if explained.verdict != fate.verdict:
        return False
    if fate.verdict != "accepted":
        return True
    picked = {one.kind: one.id for one in explained.candidates if one.verdict == "picked"}
    shown, _, random = explained.room.partition("<random>")
    same_room = (
        fate.room.startswith(shown)
        if random or explained.room.endswith("<random>")
        else (fate.room == explained.room)
    )
    return (
        picked.get("trunk", "") == fate.trunk_id
        and picked.get("rule", "") == fate.rule_id
        and same_room
        and bool(explained.challenged) == fate.challenged
    )


async def put(service: SipService, kind: Kind, message: Message) -> list[str]:
    try:
        return [(await service.create(kind, message)).id]
    except LiveKitError:
        return []  # it conflicts with one that is there


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=EXAMPLES == 25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
async def test_an_explanation_foretells_what_a_real_invite_gets(
    data: st.DataObject, livekit: LiveKit, service: SipService, callers: Callers
) -> None:
    """Random trunks and rules: verdict, trunk, rule, room and challenge are those of a call that is made."""
    livekit.forget_everything()
    ids: list[str] = []
    for trunk in data.draw(st.lists(trunks(ADDRESSES), min_size=1, max_size=3), label="trunks"):
        ids += await put(service, Kind.INBOUND, trunk)
    for rule in data.draw(st.lists(rules(ids), min_size=1, max_size=4), label="rules"):
        await put(service, Kind.RULE, rule)
    for call in data.draw(st.lists(calls, min_size=2, max_size=4, unique=True), label="calls"):
        explained, fate = await said(service, call), await callers.fate(call)
        assert agree(explained, fate), (call, explained.to_json(), fate)


def trunk(*numbers: str, addresses: tuple[str, ...] = ("127.0.0.0/8",)) -> SIPInboundTrunkInfo:
    return SIPInboundTrunkInfo(name="t", numbers=numbers, allowed_addresses=addresses)


def individual(trunk_ids: list[str], *, pin: str = "", numbers: tuple[str, ...] = ()) -> SIPDispatchRuleInfo:
    kind = SIPDispatchRule()
    kind.dispatch_rule_individual.room_prefix = "call"
    kind.dispatch_rule_individual.pin = pin
    return SIPDispatchRuleInfo(name="r", rule=kind, trunk_ids=trunk_ids, numbers=numbers)


async def test_eight_and_seven_without_plus(service: SipService, callers: Callers) -> None:
    """7… reaches the number, 8… does not, and the explanation says which spelling would."""
    (trunk_id,) = await put(service, Kind.INBOUND, trunk("+74951234567"))
    await put(service, Kind.RULE, individual([trunk_id]))
    for dialled, verdict in (("74951234567", "accepted"), ("84951234567", "dropped")):
        call = Call(to_user=dialled, from_user="+79160000001", source_ip="127.0.0.1")
        explained = await said(service, call)
        assert (await callers.fate(call)).verdict == explained.verdict == verdict
    assert "+74951234567" in json.dumps(explained.to_json())
    assert "8" in explained.fix


async def test_the_to_header_counts_and_the_request_uri_does_not(
    service: SipService, callers: Callers
) -> None:
    """A carrier that puts our number into the Request-URI and its login into To is not understood."""
    (trunk_id,) = await put(service, Kind.INBOUND, trunk("+74951234567"))
    await put(service, Kind.RULE, individual([trunk_id]))
    call = Call(to_user="0053000", from_user="+79160000001", source_ip="127.0.0.1")
    explained = await said(service, call, request_uri="+74951234567")
    assert (await callers.fate(call, request_uri="+74951234567")).verdict == explained.verdict == "dropped"
    assert any("never at the Request-URI" in hint and "does not count" in hint for hint in explained.hints)


async def test_inbound_numbers_are_callers(service: SipService, callers: Callers) -> None:
    """A rule with our own number in inbound_numbers takes no call, and the explanation says why."""
    (trunk_id,) = await put(service, Kind.INBOUND, trunk("+74951234567"))
    rule = individual([trunk_id])
    rule.inbound_numbers.append("+74951234567")
    await put(service, Kind.RULE, rule)
    call = Call(to_user="+74951234567", from_user="+79160000001", source_ip="127.0.0.1")
    explained = await said(service, call)
    assert (await callers.fate(call)).verdict == explained.verdict == "dropped"
    assert "inbound_numbers" in explained.fix


async def test_a_pin_rule_catches_everyone(service: SipService, callers: Callers) -> None:
    """Beside an open rule on the same trunk, the one with a PIN goes first."""
    (trunk_id,) = await put(service, Kind.INBOUND, trunk("+74951234567"))
    await put(service, Kind.RULE, individual([trunk_id]))
    await put(service, Kind.RULE, individual([trunk_id], pin="1234"))
    call = Call(to_user="+74951234567", from_user="+79160000001", source_ip="127.0.0.1")
    explained = await said(service, call)
    assert (await callers.fate(call)).verdict == explained.verdict == "pin"
    assert any("PIN" in hint for hint in explained.hints)


async def test_a_wildcard_trunk_takes_what_nobody_else_has(service: SipService, callers: Callers) -> None:
    """A trunk without numbers takes any number, and the explanation warns of it."""
    (trunk_id,) = await put(service, Kind.INBOUND, trunk())
    await put(service, Kind.RULE, individual([trunk_id]))
    call = Call(to_user="112", from_user="+79160000001", source_ip="127.0.0.1")
    explained = await said(service, call)
    assert (await callers.fate(call)).verdict == explained.verdict == "accepted"
    assert any("without numbers" in hint for hint in explained.hints)


async def test_an_address_without_a_range_is_believed_from_the_from_header(
    service: SipService, callers: Callers
) -> None:
    """Whoever writes it there gets in from anywhere; with /32 he does not."""
    written = trunk("+15550001", addresses=("10.0.0.9",))
    (first,) = await put(service, Kind.INBOUND, written)
    ranged = trunk("+15550002", addresses=("10.0.0.9/32",))
    (second,) = await put(service, Kind.INBOUND, ranged)
    await put(service, Kind.RULE, individual([first, second]))
    for number, verdict in (("+15550001", "accepted"), ("+15550002", "dropped")):
        call = Call(to_user=number, from_user="bob", source_ip="127.0.0.1", from_host="10.0.0.9")
        explained = await said(service, call)
        assert (await callers.fate(call)).verdict == explained.verdict == verdict
    assert any("believed because the caller wrote it" in hint for hint in explained.hints)


@pytest.mark.parametrize("number", ["a;b=c", "100%25", "'$HOME'", "~!*&,?/"])
async def test_hostile_numbers_are_explained_as_they_are_decided(
    number: str, service: SipService, callers: Callers
) -> None:
    """Whatever a user part may hold: no error, and the same fate as said."""
    ids = await put(service, Kind.INBOUND, trunk(number))
    await put(service, Kind.RULE, individual(ids, numbers=(number,)))
    call = Call(to_user=number, from_user=number, source_ip="127.0.0.1")
    assert agree(await said(service, call), await callers.fate(call))
