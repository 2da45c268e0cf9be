"""What livekit-server asks for when it asks for a call: where to, as whom, into which room. Pure.

Reads InternalCreateSIPParticipantRequest (livekit/protocol ``rpc/sip.proto``) as livekit/sip v1.11.0
``pkg/sip/client.go`` does. Guarantee: what comes out can be written into an INVITE as it is; what cannot
is refused with ``invalid_argument`` before anybody is rung.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from livekit.protocol import sip as lk_sip

from telephony.bridge import attributes
from telephony.bridge.answering import RINGING_TIMEOUT_S
from telephony.bridge.io_service import Dispatch, DispatchResult, seconds_of
from telephony.bridge.watch import MAX_DURATION_S
from telephony.errors import BusError, SipParseError
from telephony.sip.digest import Credentials
from telephony.sip.uri import NameAddr, SipUri

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telephony.sip.grammar import Params

_TRANSPORTS = {
    lk_sip.SIP_TRANSPORT_AUTO: None,
    lk_sip.SIP_TRANSPORT_UDP: "udp",
    lk_sip.SIP_TRANSPORT_TCP: "tcp",
}
_KEYS = frozenset("0123456789*#ABCDabcdwW")

OWN_HEADERS = frozenset(
    {"via", "from", "to", "call-id", "cseq", "contact", "max-forwards", "content-length", "content-type"}
    | {"authorization", "proxy-authorization", "route", "record-route", "allow"}
)
"""Headers that are the bridge's own: a trunk's or request's header of that name is left out."""


@dataclass(frozen=True, slots=True)
class DialOrder:
    """One call to place. Durations in seconds.

    Args:
        sip_call_id: ``SCL_…``, LiveKit's id of the call.
        room: whom to join as, and where to; made of the same parts as an inbound call's.
        attributes: those of livekit-server and of whoever asked, for the participant.
        number: whom to call, as written.
        from_number: our number.
        keys: to be pressed after the answer; ``w`` waits half a second.
        waits: whether the request is answered only when the phone is.
        codecs: names that are wanted and nothing else; empty = ours.
    """

    sip_call_id: str
    uri: SipUri
    from_: NameAddr
    to: NameAddr
    room: Dispatch
    attributes: Mapping[str, str] = field(default_factory=dict)
    number: str = ""
    from_number: str = ""
    trunk_id: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    credentials: Credentials | None = None
    headers_to_attributes: Mapping[str, str] = field(default_factory=dict)
    attributes_to_headers: Mapping[str, str] = field(default_factory=dict)
    include_headers: int = 0
    keys: str = ""
    dial_tone: bool = False
    waits: bool = False
    ringing_timeout_s: float = RINGING_TIMEOUT_S
    max_call_duration_s: float = MAX_DURATION_S
    media_timeout_s: float = 0.0
    codecs: tuple[str, ...] = ()


def read_order(request: Any, own_host: str) -> DialOrder:
    """Turn a request into an order.

    Args:
        request: an InternalCreateSIPParticipantRequest.
        own_host: the address that stands in From where the trunk has no host of its own.

    Raises:
        BusError: ``invalid_argument``, with the field at fault.
    """
    _check(request)
    try:
        uri = _request_uri(request)
        headers = [
            (name, attributes.clean(value))
            for name, value in request.headers.items()
            if name.lower() not in OWN_HEADERS
        ]
        given = dict(request.participant_attributes)
        given.setdefault(attributes.CALL_ID, request.sip_call_id)
        headers += attributes.attribute_headers(given, request.attributes_to_headers)
        return DialOrder(
            sip_call_id=request.sip_call_id,
            uri=uri,
            from_=_from(request, own_host),
            to=_to(request, uri),
            room=_room(request),
            attributes=given,
            number=request.call_to,
            from_number=request.number,
            trunk_id=request.sip_trunk_id,
            headers=tuple(headers),
            credentials=Credentials(request.username, request.password) if request.username else None,
            headers_to_attributes=dict(request.headers_to_attributes),
            attributes_to_headers=dict(request.attributes_to_headers),
            include_headers=request.include_headers,
            keys=request.dtmf,
            dial_tone=request.play_dialtone,
            waits=request.wait_until_answered,
            ringing_timeout_s=seconds_of(request.ringing_timeout) or RINGING_TIMEOUT_S,
            max_call_duration_s=seconds_of(request.max_call_duration) or MAX_DURATION_S,
            media_timeout_s=seconds_of(request.media.media_timeout),
            codecs=tuple(codec.name for codec in request.media.codecs)
            if request.media.only_listed_codecs
            else (),
        )
    except SipParseError as error:
        raise _invalid(str(error)) from error


def _check(request: Any) -> None:
    if not request.sip_call_id:
        raise _invalid("the request has no call id")
    if not request.room_name:
        raise _invalid("the request names no room")
    if request.transport not in _TRANSPORTS:
        raise _invalid("the transport TLS is not spoken here: use UDP or TCP")
    if not set(request.dtmf) <= _KEYS:
        raise _invalid(f"dtmf has a key that no telephone has: {request.dtmf[:32]!r}")
    wanted = request.media.encryption if request.media.HasField("encryption") else request.media_encryption
    if wanted == lk_sip.SIP_MEDIA_ENCRYPT_REQUIRE:
        raise _invalid("media encryption is required, and not spoken here: set it to disable or allow")


def _invalid(sentence: str) -> BusError:
    return BusError(sentence, code="invalid_argument")


def _at_trunk(request: Any, user: str | None) -> SipUri:
    """A URI at the trunk's address, with the transport that the trunk asks for."""
    if not request.address:
        raise SipParseError("the trunk has no address", field="address")
    at = SipUri.parse(f"sip:{request.address}")
    transport = _TRANSPORTS[request.transport]
    return SipUri(user, at.host, at.port, {**at.params, **({"transport": transport} if transport else {})})


def _request_uri(request: Any) -> SipUri:
    given = request.sip_request_uri
    match given.WhichOneof("uri"):
        case "raw":
            uri = SipUri.parse(given.raw.strip().removeprefix("<").removesuffix(">"))
            if not uri.is_sip:
                raise SipParseError("only sip: addresses can be called", field="sip_request_uri")
            return uri
        case "values":
            return _of_values(given.values, _at_trunk(request, request.call_to or None))
        case _:
            if not request.call_to:
                raise SipParseError("there is no number to call", field="sip_call_to")
            return _at_trunk(request, request.call_to)


def _of_values(values: lk_sip.SIPUri, otherwise: SipUri) -> SipUri:
    """A structured address; what it leaves open is as in ``otherwise``."""
    if values.transport not in _TRANSPORTS:
        raise SipParseError("the transport TLS is not spoken here", field="transport")
    host = values.host or values.ip
    transport = _TRANSPORTS[values.transport]
    params: Params = {"transport": transport} if transport else dict(otherwise.params)
    if not host:
        return SipUri(values.user or otherwise.user, otherwise.host, values.port or otherwise.port, params)
    return SipUri(values.user or otherwise.user, host, values.port or None, params)


def _from(request: Any, own_host: str) -> NameAddr:
    given = request.sip_from_header
    usual = SipUri(request.number or None, request.hostname or own_host)
    match given.WhichOneof("uri"):
        case "raw":
            named = NameAddr.parse(given.raw)
            return NameAddr(given.display_name or named.display, named.uri)
        case "values":
            return NameAddr(given.display_name, _of_values(given.values, usual))
        case _:
            # Unset means the number; an empty name leaves it to the carrier to look one up.
            display = request.display_name if request.HasField("display_name") else request.number
            return NameAddr(display, usual)


def _to(request: Any, uri: SipUri) -> NameAddr:
    if request.to_user_override:
        return NameAddr("", SipUri(request.to_user_override, uri.host, uri.port, uri.params))
    if request.call_to and request.address:
        return NameAddr("", _at_trunk(request, request.call_to))
    return NameAddr("", uri)


def _room(request: Any) -> Dispatch:
    return Dispatch(
        result=DispatchResult.ACCEPT,
        trunk_id=request.sip_trunk_id,
        room_name=request.room_name,
        identity=request.participant_identity,
        name=request.participant_name,
        metadata=request.participant_metadata,
        token=request.token,
        ws_url=request.ws_url,
    )
