import asyncio
import json
from typing import cast

import pytest
from livekit import rtc

from telephony.agent.caller import Caller, find_caller
from telephony.agent.job import assistant_name, handing_to, operator_of
from telephony.assistants.loader import load_assistant
from telephony.calls.ids import is_call_id
from tests.waiting import PATIENCE

pytestmark = pytest.mark.pure

SIP = rtc.ParticipantKind.PARTICIPANT_KIND_SIP
STANDARD = rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD
AGENT = rtc.ParticipantKind.PARTICIPANT_KIND_AGENT


class Participant:
    def __init__(self, kind: int = SIP, **attributes: str) -> None:
        self.identity = "sip_+15550100199"
        self.kind = kind
        self.attributes = {key.replace("_", "."): value for key, value in attributes.items()}


class Room(rtc.EventEmitter[str]):
    """A room that people come into."""

    def __init__(self, *present: Participant) -> None:
        super().__init__()
        self.remote_participants = {str(n): participant for n, participant in enumerate(present)}


def caller(participant: Participant) -> Caller:
    return Caller(cast("rtc.RemoteParticipant", participant))


async def found(room: Room, over: asyncio.Event | None = None, limit_s: float = 0.05) -> Caller | None:
    return await find_caller(cast("rtc.Room", room), limit_s, over or asyncio.Event())


def test_the_call_id_is_the_bridges() -> None:
    """Behind any bridge the same call has the same id."""
    assert caller(Participant(sip_callID="SCL_abcDEF123456")).call_id("", "AJ_1") == "call_abcDEF123456"


def test_a_job_that_was_told_its_call_id_keeps_to_it() -> None:
    """An outbound call is named before it is dialled."""
    metadata = json.dumps({"assistant": "reception", "call_id": "call_minted123"})
    assert caller(Participant(sip_callID="SCL_abcDEF123456")).call_id(metadata, "AJ_1") == "call_minted123"


@pytest.mark.parametrize("metadata", ["", "[]", "nonsense", '{"call_id": "../../etc"}', '{"call_id": 7}'])
@pytest.mark.parametrize("job_id", ["AJ_jt52adZ9RpHL", "x", ""])
def test_a_call_without_a_telephone_still_has_an_id(metadata: str, job_id: str) -> None:
    """A browser's call is named after its job, safely."""
    assert is_call_id(caller(Participant(STANDARD)).call_id(metadata, job_id))


def test_a_telephone_is_answered_when_the_bridge_says_so() -> None:
    """Ringing is not answered; a browser has nothing to pick up."""
    telephone = caller(Participant(sip_callStatus="ringing"))
    seen = [(telephone.answered, telephone.has_hung_up)]
    for status in ("active", "hangup"):
        telephone.update({"sip.callStatus": status})
        seen.append((telephone.answered, telephone.has_hung_up))
    assert seen == [(False, False), (True, False), (True, True)]
    assert caller(Participant(STANDARD)).answered


async def test_a_caller_who_is_there_already_is_found_at_once() -> None:
    """Other agents in the room are not the caller."""
    assert await found(Room(Participant(AGENT))) is None
    someone = await found(Room(Participant(AGENT), Participant(SIP)))
    assert someone is not None
    assert someone.is_telephone


async def test_a_caller_who_comes_later_is_waited_for() -> None:
    """The wait ends with the first who can be a caller."""
    room = Room()
    waiting = asyncio.create_task(found(room, limit_s=5))
    await asyncio.sleep(0)
    room.emit("participant_connected", Participant(AGENT))
    room.emit("participant_connected", Participant(SIP))
    assert (await waiting) is not None


async def test_nobody_is_waited_for_after_the_end() -> None:
    """A call that is over does not keep its process."""
    over = asyncio.Event()
    waiting = asyncio.create_task(found(Room(), over, limit_s=60))
    await asyncio.sleep(0)
    over.set()
    assert (await asyncio.wait_for(waiting, PATIENCE * 1)) is None


@pytest.mark.parametrize(
    ("metadata", "name"),
    [
        ('{"assistant": "desk"}', "desk"),
        ('{"other": 1}', "reception"),
        ("", "reception"),
        ("not json", "reception"),
        ("[1]", "reception"),
        ('{"assistant": 7}', "reception"),
        ('{"assistant": ""}', "reception"),
    ],
)
def test_the_rule_names_the_assistant(metadata: str, name: str) -> None:
    """Metadata that is not ours falls back to the operator's default."""
    assert assistant_name(metadata, "reception") == name


@pytest.mark.parametrize(
    ("metadata", "target"),
    [
        ('{"transfer_to": "+15550100199"}', "tel:+15550100199"),
        ('{"transfer_to": " sip:desk@clinic.example "}', "sip:desk@clinic.example"),
        ('{"transfer_to": ""}', None),
        ('{"transfer_to": 7}', None),
        ("[]", None),
        ("not JSON", None),
        ("", None),
    ],
)
def test_a_call_names_who_takes_over(metadata: str, target: str | None) -> None:
    """The key of LiveKit's outbound example is the operator of that one call."""
    assert operator_of(metadata) == target
    assistant = load_assistant("reception")
    own = handing_to(assistant, target)
    assert own.operator.transfer_to == (target or assistant.operator.transfer_to)
    assert own.version == assistant.version
    assert assistant.operator.transfer_to == load_assistant("reception").operator.transfer_to


def test_what_is_no_address_changes_nothing() -> None:
    """A call with a target that nobody could dial keeps the assistant's own operator."""
    assistant = load_assistant("reception")
    assert handing_to(assistant, "tel:nobody").operator == assistant.operator
