import pytest
from livekit import rtc

from telephony.agent.ending import caller_left

pytestmark = pytest.mark.pure


@pytest.mark.parametrize("reason", [*rtc.DisconnectReason.values(), None, 999])
def test_every_reason_has_a_cause_in_words(reason: rtc.DisconnectReason.ValueType | None) -> None:
    """Whatever the server says, or does not say, the call ends with a sentence."""
    ending = caller_left(reason, handed_over=False)
    assert ending.by in {"caller", "line"}
    assert ending.cause
    assert not ending.cause.endswith(".")


def test_hanging_up_is_the_callers_doing() -> None:
    """The usual end of a call is not blamed on the line."""
    ending = caller_left(rtc.DisconnectReason.CLIENT_INITIATED, handed_over=False)
    assert (ending.by, ending.cause) == ("caller", "the caller hung up")


def test_after_a_transfer_the_operator_ended_it() -> None:
    """A caller who was handed over leaves the room, but has not hung up."""
    assert caller_left(rtc.DisconnectReason.CLIENT_INITIATED, handed_over=True).by == "operator"
