"""Why a call is refused: a SIP status, the field at fault, and one sentence an operator can act on.

Pure. Guarantee: whatever livekit-server answers, the caller gets a final response. livekit-sip leaves a
call that no rule takes without one and logs it as a flood; here it is 404 and the log names the field.
Fields are named as in the operator's file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telephony.bridge.ending import SERVER_LOST
from telephony.bridge.io_service import AuthError, Dispatch, DispatchResult, TrunkAuthentication
from telephony.numbers import mask

if TYPE_CHECKING:
    from telephony.bridge.ending import Ending
    from telephony.errors import BusError, DispatchError, LinkError, RtpError, SdpError, SipParseError

RETRY_AFTER_S = 5
"""What a caller refused for want of something is asked to wait."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One final answer to an INVITE and its reason.

    ``retry_after_s`` becomes a Retry-After header; it is set when the same call could succeed later.
    """

    status: int
    reason: str
    field: str
    sentence: str
    fix: str = ""
    retry_after_s: int | None = None

    def headers(self) -> list[tuple[str, str]]:
        """Header lines that go with the response."""
        return [] if self.retry_after_s is None else [("Retry-After", str(self.retry_after_s))]


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."


def bus_failed(error: BusError) -> Refusal:
    """livekit-server or Redis did not answer, or the server could not decide."""
    if error.code == "failed_precondition":
        return Refusal(
            503,
            "Try again later",
            "sip_trunks[].numbers",
            _sentence(f"livekit-server cannot choose a trunk: {error.message}"),
            "Keep each number in one trunk only.",
            RETRY_AFTER_S,
        )
    return Refusal(
        503,
        "Try again later",
        "redis",
        _sentence(error.message),
        error.fix or "See that livekit-server runs.",
        RETRY_AFTER_S,
    )


def by_trunk(authentication: TrunkAuthentication, called: str) -> Refusal | None:
    """What the trunk lookup alone refuses; None lets the call go on to authentication."""
    if authentication.error == AuthError.QUOTA_EXCEEDED:
        return Refusal(
            503,
            "Try again later",
            "livekit.quota",
            "livekit-server says that the quota is used up.",
            retry_after_s=RETRY_AFTER_S,
        )
    if authentication.error == AuthError.NO_TRUNK_FOUND or authentication.drop:
        return no_trunk(called)
    return None


def no_trunk(called: str) -> Refusal:
    """No inbound trunk takes this number from this caller and source."""
    return Refusal(
        404,
        "Not Found",
        "sip_trunks[].numbers",
        f"No inbound trunk takes a call to {mask(called) or 'an empty number'} from this caller and address.",
        "Add the number to a trunk as the carrier writes it; see allowed_numbers and allowed_addresses.",
    )


def wrong_credentials(trunk_id: str, *, username_matches: bool) -> Refusal:
    """The digest does not fit the trunk's user and password."""
    name = "auth_password" if username_matches else "auth_username"
    return Refusal(
        401,
        "Unauthorized",
        f"sip_trunks[].{name}",
        f"The caller's credentials do not fit trunk {trunk_id}: the {name.removeprefix('auth_')} is wrong.",
        "Set the same user and password at the carrier and in the trunk.",
    )


def by_dispatch(dispatch: Dispatch, called: str) -> Refusal | None:
    """What the dispatch rules refuse; None lets the call in."""
    if dispatch.result in (DispatchResult.ACCEPT, DispatchResult.REQUEST_PIN):
        return _unsupported(dispatch)
    if dispatch.result not in (DispatchResult.REJECT, DispatchResult.DROP):
        return Refusal(
            501,
            "Not Implemented",
            "routing.inbound_rules",
            f"livekit-server gave the dispatch result {dispatch.result}, which this bridge does not know.",
            "Use the livekit-server version that the project pins.",
        )
    if not dispatch.trunk_id:
        return no_trunk(called)
    return Refusal(
        404,
        "Not Found",
        "routing.inbound_rules[].trunks",
        f"Trunk {dispatch.trunk_id} takes calls to {mask(called)} but no dispatch rule takes them on.",
        "Name the trunk in a rule; see the rule's numbers and inbound_numbers too, which compare as written.",
    )


def _unsupported(dispatch: Dispatch) -> Refusal | None:
    if dispatch.encryption_required:
        return Refusal(
            488,
            "Not Acceptable Here",
            "sip_trunks[].media_encryption",
            f"Trunk {dispatch.trunk_id} requires SRTP, which the embedded bridge does not speak.",
            "Set media_encryption to allow or disable, or run livekit-sip as the bridge.",
        )
    return None


WRONG_PIN = Refusal(
    603,
    "Decline",
    "routing.inbound_rules[].pin",
    "The caller entered no PIN that a dispatch rule takes.",
    "Tell callers the PIN of the rule, and to end it with #.",
)


def malformed(error: SipParseError) -> Refusal:
    """A header that the call needs is missing or cannot be read."""
    return Refusal(
        error.status, "Bad Request", error.field or "INVITE", f"The INVITE cannot be used: {error.message}."
    )


def no_media(error: SdpError) -> Refusal:
    """The offer has no codec in common with ours, or is no offer."""
    return Refusal(
        488,
        "Not Acceptable Here",
        error.field or "codecs",
        _sentence(error.message),
        error.fix or "Let the carrier offer PCMU or PCMA.",
    )


def no_port(error: RtpError) -> Refusal:
    """No media port is free."""
    return Refusal(
        503, "Try again later", error.field or "rtp_port", error.message, error.fix or "", RETRY_AFTER_S
    )


def room_failed(reason: str) -> Refusal:
    """livekit-server did not let the caller into the room."""
    return Refusal(
        503,
        "Try again later",
        "livekit.url",
        f"The caller could not join the room: {reason}.",
        "See that livekit-server runs and that api_key and api_secret are its own.",
        RETRY_AFTER_S,
    )


def no_agent(status: int, waited_s: float) -> Refusal:
    """Nobody came into the room to take the call."""
    return Refusal(
        status,
        "Service Unavailable" if status == 503 else "",
        "agent.name",
        f"No agent came into the room within {waited_s:.1f} s.",
        "See that a worker with the rule's agent name runs and has a free place.",
        RETRY_AFTER_S,
    )


def not_dispatched(status: int, error: DispatchError) -> Refusal:
    """The dispatcher found nobody to take the call."""
    return Refusal(
        status,
        "Service Unavailable" if status == 503 else "",
        "agent.max_calls" if error.reason == "full" else "agent.name",
        _sentence(error.message),
        error.fix or "Raise agent.max_calls, or start another worker."
        if error.reason == "full"
        else error.fix or "See that a worker with the rule's agent name runs.",
        RETRY_AFTER_S,
    )


def agent_failed(status: int) -> Refusal:
    """Jobs were started and died."""
    return Refusal(
        status,
        "Service Unavailable" if status == 503 else "",
        "agent",
        "The agent's jobs ended before they were ready.",
        "See the worker's log for why.",
        RETRY_AFTER_S,
    )


def no_socket(error: LinkError) -> Refusal:
    """The call's socket could not be made."""
    return Refusal(500, "Server Internal Error", "link_dir", _sentence(error.message), error.fix or "")


def not_served(agent_names: str) -> Refusal:
    """The direct line is the only way wanted, and the dispatcher knows none of the rule's agents."""
    return Refusal(
        503,
        "Service Unavailable",
        "agent.audio_path",
        f"The dispatcher serves no agent of the dispatch rule ({agent_names or 'it names none'}).",
        "Name the worker's agent in the rule, or set audio_path to auto or room.",
        RETRY_AFTER_S,
    )


def agent_silent(waited_s: float) -> Refusal:
    """An agent was there but never published audio."""
    return Refusal(
        480,
        "Temporarily Unavailable",
        "ringing_timeout",
        f"The agent published no audio within {waited_s:.0f} s.",
        "See the agent's log for what kept it, or raise the trunk's ringing_timeout.",
    )


def room_closed(how: Ending) -> Refusal:
    """We lost the room while the call was ringing."""
    if how is SERVER_LOST:
        return room_failed("the connection to livekit-server was lost")
    return Refusal(486, "Rejected", "room", f"While the call was ringing: {how.sentence}")


def at_capacity(limit: int, status: int = 503) -> Refusal:
    """As many calls as allowed are up."""
    return _too_many(
        status,
        "max_active_calls",
        f"{limit} calls are up, which is the limit.",
        "Raise max_active_calls if the machine can bear it.",
    )


def trunk_at_capacity(limit: int, trunk_id: str, status: int = 503) -> Refusal:
    """As many calls as one trunk may have are up on it."""
    return _too_many(
        status,
        "max_calls_per_trunk",
        f"{limit} calls are up on trunk {trunk_id}, which is the limit of a trunk.",
        "Raise max_calls_per_trunk, or give part of the numbers a trunk of their own.",
    )


def line_at_capacity(limit: int, name: str, status: int = 503) -> Refusal:
    """As many calls as the carrier allows are up on one line."""
    return _too_many(
        status,
        f"sip_trunks.{name}.max_calls",
        f"{limit} calls are up on the line {name}, as many as its carrier allows.",
        f"Raise max_calls of {name} once the carrier allows more.",
    )


def kept_for_callers(reserved: int, limit: int, status: int = 503, trunk_id: str = "") -> Refusal:
    """A call of our own would take one of the last places, which callers keep."""
    where = f" of trunk {trunk_id}" if trunk_id else ""
    return _too_many(
        status,
        "reserved_inbound_calls",
        f"The last {reserved} of {limit} places{where} are kept for callers.",
        "Wait for a call to end, or keep fewer places.",
    )


def source_at_capacity(limit: int, source: str, status: int = 503) -> Refusal:
    """As many calls as one address may have are up from it."""
    return _too_many(
        status,
        "max_calls_per_source",
        f"{limit} calls are up from {source}, which is the limit of one address.",
        "Raise max_calls_per_source: a carrier sends all its calls from few addresses.",
    )


def _too_many(status: int, field: str, sentence: str, fix: str) -> Refusal:
    if status == 503:
        return Refusal(503, "Service Unavailable", field, sentence, fix, RETRY_AFTER_S)
    return Refusal(status, "Busy Here" if status == 486 else "", field, sentence, fix)


def draining() -> Refusal:
    """The bridge is stopping."""
    return Refusal(
        503,
        "Service Unavailable",
        "bridge",
        "The bridge is stopping and takes no new calls.",
        "",
        RETRY_AFTER_S,
    )


def internal(error: BaseException) -> Refusal:
    """Something of ours broke."""
    return Refusal(
        500, "Server Internal Error", "bridge", f"The bridge failed on this call: {type(error).__name__}."
    )
