from __future__ import annotations

import pytest

from telephony.calls.outcomes import Outcome
from telephony.dialer.result import of_error
from telephony.errors import LiveKitError

pytestmark = pytest.mark.pure


def refused(code: str, message: str = "livekit-server refused", status: int = 0) -> LiveKitError:
    details = {"sip_status_code": str(status), "sip_status": "whatever"} if status else {}
    return LiveKitError(message, code=code, details=details)


@pytest.mark.parametrize(
    ("code", "status", "outcome"),
    [
        ("permission_denied", 403, Outcome.REJECTED),
        ("not_found", 404, Outcome.INVALID_NUMBER),
        ("resource_exhausted", 480, Outcome.UNREACHABLE),
        ("invalid_argument", 484, Outcome.INVALID_NUMBER),
        ("resource_exhausted", 486, Outcome.BUSY),
        ("aborted", 487, Outcome.CANCELLED),
        ("invalid_argument", 488, Outcome.FAILED),
        ("failed_precondition", 503, Outcome.FAILED),
        ("resource_exhausted", 600, Outcome.BUSY),
        ("permission_denied", 603, Outcome.REJECTED),
        ("not_found", 302, Outcome.FAILED),
    ],
)
def test_a_status_of_the_far_end_is_the_outcome(code: str, status: int, outcome: Outcome) -> None:
    """Where the far end refused, its status decides, with a sentence of its own."""
    became = of_error(refused(code, status=status))
    assert became is not None
    assert (became.outcome, became.sip_status) == (outcome, status)
    assert became.cause.endswith(".")


@pytest.mark.parametrize(
    ("code", "message", "outcome", "cause"),
    [
        ("canceled", "sip request timed out", Outcome.NO_ANSWER, "ring time"),
        ("canceled", "sip request timed out with no response at all", Outcome.FAILED, "respond"),
        (
            "canceled",
            "transaction failed to complete (0 intermediate responses)",
            Outcome.FAILED,
            "respond",
        ),
        ("canceled", "the call was called off: The room was closed", Outcome.CANCELLED, "called off"),
        (
            "failed_precondition",
            "authentication failed: sip status 407 asks for it",
            Outcome.FAILED,
            "credentials",
        ),
        ("failed_precondition", "the answer's media cannot be used: no codec", Outcome.FAILED, "codecs"),
        ("failed_precondition", "the connection to the other side failed", Outcome.FAILED, "connection"),
        ("unavailable", "refused X: no response from servers", Outcome.FAILED, "no response from servers."),
        ("not_connected", "no answer: ClientConnectorError", Outcome.FAILED, "Nobody was rung"),
        ("resource_exhausted", "refused X: the trunk is full", Outcome.FAILED, "the trunk is full"),
        ("invalid_argument", "refused X: missing sip trunk id", Outcome.FAILED, "Nobody was rung"),
    ],
)
def test_what_has_no_status_is_read_by_its_words(
    code: str, message: str, outcome: Outcome, cause: str
) -> None:
    """Rung out, silent, called off, not authenticated, or never begun: each is told apart."""
    became = of_error(refused(code, message))
    assert became is not None
    assert became.outcome is outcome
    assert cause in became.cause


@pytest.mark.parametrize(
    "code", ["no_answer", "deadline_exceeded", "internal", "unknown", "already_exists", "canceled"]
)
def test_what_proves_nothing_is_no_outcome(code: str) -> None:
    """A request that broke, or words that nobody knows, leave it open: it is looked for elsewhere."""
    assert of_error(refused(code, "something else")) is None
