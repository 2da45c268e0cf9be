"""What transfers decide: outcomes from errors, whom to dial, what an operator is told and what he answers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest

from telephony.agent.handover.briefing import briefing_text
from telephony.agent.handover.consent import Ears
from telephony.agent.handover.outcome import failure_of
from telephony.agent.handover.trunk import Destination, direct_destination
from telephony.assistants.schema import Operator
from telephony.speech.settings import TimedSttSettings
from telephony.speech.timed import TimedStt

if TYPE_CHECKING:
    from telephony.agent.handover.operator_leg import OperatorLeg

pytestmark = pytest.mark.pure

WARM = Operator(transfer_to="sip:desk@example.com", mode="warm")


@pytest.mark.parametrize(
    ("code", "status", "outcome"),
    [
        ("resource_exhausted", "486", "busy"),
        ("resource_exhausted", "600", "busy"),
        ("deadline_exceeded", "408", "no_answer"),
        ("aborted", "487", "no_answer"),
        ("permission_denied", "603", "refused"),
        ("not_found", "404", "unreachable"),
        ("resource_exhausted", "480", "unreachable"),
        ("failed_precondition", "503", "failed"),
        ("canceled", "", "no_answer"),
        ("deadline_exceeded", "", "no_answer"),
        ("unavailable", "", "failed"),
        ("internal", "no number", "failed"),
    ],
)
def test_an_error_becomes_one_word(code: str, status: str, outcome: str) -> None:
    """By its SIP status where there is one, else by its code."""
    failure = failure_of(code, "words", {"sip_status_code": status} if status else {})
    assert failure.outcome == outcome
    assert failure.cause
    assert failure.sip_status == (int(status) if status.isdigit() else None)


@pytest.mark.parametrize(
    ("message", "status", "expected"),
    [
        ("call transfer failed: REFER refused, sip status 603: Decline", "603", True),
        ("call transfer failed: sip status 405: Method Not Allowed", "405", True),
        ("call transfer failed: sip status 501: Not Implemented", "501", True),
        ("call transfer failed: sip status 486: Busy Here", "486", False),
        ("call transfer failed: sip status 603: Decline", "603", False),
        ("the other side did not answer the transfer in time", "", False),
    ],
)
def test_a_refused_refer_is_told_from_a_refused_call(message: str, status: str, expected: bool) -> None:
    """Only where nobody was rung may the operator be called by another way."""
    details = {"sip_status_code": status} if status else {}
    assert failure_of("invalid_argument", message, details).not_supported is expected


def test_a_sip_address_is_called_at_its_own_host() -> None:
    """User, port and transport are kept; a telephone number needs a trunk."""
    assert direct_destination("sip:desk@pbx.example:5070") == Destination("desk", host="pbx.example:5070")
    tcp = direct_destination("sip:desk@pbx.example;transport=tcp")
    assert tcp is not None
    assert (tcp.host, tcp.transport) == ("pbx.example", 2)
    assert direct_destination("sip:pbx.example") == Destination("operator", host="pbx.example")
    assert direct_destination("tel:+15550100199") is None


def test_an_operator_is_told_what_the_caller_wants() -> None:
    """What the assistant says of it, else the caller's last words, and what the call has brought in."""
    text = briefing_text(WARM, about="Wants to move an appointment", last_words="", number="", fields={})
    assert text == (
        "I have a caller for you. Wants to move an appointment. To take the call, press 1 or say yes."
    )
    fields = {"day": "tuesday"}
    heard = briefing_text(WARM, about="", last_words="My tooth hurts", number="", fields=fields)
    assert 'The caller said: "My tooth hurts".' in heard
    assert "day: tuesday." in heard
    own = Operator(transfer_to="tel:+15550100199", briefing="Caller {number}. {nothing} Press one.")
    told = briefing_text(own, about="", last_words="", number="+1555", fields={})
    assert told == "Caller 1 5 5 5. Press one."
    assert "unknown" in briefing_text(own, about="", last_words="", number="", fields={})


class _Leg:
    """A telephone whose keys a test presses; nothing is ever heard of it."""

    def __init__(self) -> None:
        self.on_key: Any = None

    async def track(self) -> Any:
        await asyncio.Event().wait()


def _ears(leg: _Leg) -> Ears:
    ears = Ears(cast("OperatorLeg", leg), TimedStt(TimedSttSettings(provider="timed")), WARM)
    ears.listen()
    return ears


@pytest.mark.parametrize(("key", "answer"), [("1", "accepted"), ("2", "declined"), ("5", None)])
async def test_a_key_answers_at_any_moment(key: str, answer: str | None) -> None:
    """Also while the operator is still being told; other keys mean nothing."""
    leg = _Leg()
    ears = _ears(leg)
    leg.on_key(key)
    assert (ears.answered.result() if ears.answered.done() else None) == answer
    await ears.close()
    assert leg.on_key is None


@pytest.mark.parametrize(
    ("text", "answer"),
    [("Yes, put him through.", "accepted"), ("No, not now.", "declined"), ("Who is it?", None)],
)
async def test_words_answer_once_the_question_was_asked(text: str, answer: str | None) -> None:
    """The "Yes?" with which a telephone is answered takes no caller."""
    ears = _ears(_Leg())
    ears.words("Yes?")
    assert not ears.answered.done()
    ears.asked()
    ears.words(text)
    ears.words("no")
    assert ears.answered.result() == (answer or "declined")
    await ears.close()
