"""What livekit-server is asked about an inbound call: which trunk, and where to.

The typed side of the psrpc service ``IOInfo`` (livekit/protocol ``rpc/io.proto``). livekit-server
v1.13.5 registers that name only; the newer ``IOInfoSIP`` gets no answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from livekit.protocol import sip as lk_sip

from telephony.bridge import wire

if TYPE_CHECKING:
    from collections.abc import Mapping

    from livekit.protocol.room import RoomConfiguration

    from telephony.bridge.rpc_client import RpcClient
    from telephony.sip.message import SipRequest
    from telephony.sip.uri import SipUri
    from telephony.sip.via import Via

SERVICE = "IOInfo"

ANONYMOUS = "anonymous"
"""Stands for a From without a user part: livekit-server cuts identities out of it and must have one."""


class DispatchResult(IntEnum):
    """SIPDispatchResult."""

    LEGACY = 0
    ACCEPT = 1
    REQUEST_PIN = 2
    REJECT = 3
    DROP = 4


class AuthError(IntEnum):
    """SIPTrunkAuthenticationError."""

    NONE = 0
    QUOTA_EXCEEDED = 1
    NO_TRUNK_FOUND = 2


class IncludeHeaders(IntEnum):
    """SIPHeaderOptions: which headers of the INVITE become ``sip.h.*`` attributes."""

    NONE = 0
    X_HEADERS = 1
    ALL = 2


@dataclass(frozen=True, slots=True)
class TrunkAuthentication:
    """Which trunk takes the INVITE, and what it asks of the caller.

    ``trunk_id`` is empty when no trunk matches: open-source livekit-server accepts that here and
    leaves it to the rules.
    """

    trunk_id: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    realm: str = ""
    drop: bool = False
    error: int = AuthError.NONE

    @property
    def asks_for_credentials(self) -> bool:
        """Both must be set; one alone is no authentication (livekit/protocol sip/sip.go)."""
        return bool(self.username and self.password)


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Where a call goes, as the dispatch rules decided. Durations in seconds, 0 = not set."""

    result: int = DispatchResult.DROP
    trunk_id: str = ""
    rule_id: str = ""
    room_name: str = ""
    identity: str = ""
    name: str = ""
    metadata: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    headers_to_attributes: Mapping[str, str] = field(default_factory=dict)
    attributes_to_headers: Mapping[str, str] = field(default_factory=dict)
    include_headers: int = IncludeHeaders.NONE
    ringing_timeout_s: float = 0.0
    max_call_duration_s: float = 0.0
    media_timeout_s: float = 0.0
    codecs: tuple[str, ...] = ()
    """Names that the trunk or rule lists, and nothing else is wanted; empty = ours."""
    encryption_required: bool = False
    room_preset: str = ""
    room_config: RoomConfiguration | None = None
    token: str = field(default="", repr=False)
    ws_url: str = ""


def describe_call(request: SipRequest, source_ip: str, call_id: str) -> Any:
    """The SIPCall message of an INVITE: numbers go as written, the source without its port."""
    call = wire.SIPCall(
        lk_call_id=call_id,
        source_ip=source_ip,
        address=_uri(request.uri),
        to=_uri(request.to.uri),
        via=[_via(via) for via in request.vias],
        sip_call_id=request.call_id,
    )
    sender = _uri(request.from_.uri)
    sender.user = sender.user or ANONYMOUS
    # ``from`` is a keyword, so it cannot be given by name.
    getattr(call, "from").CopyFrom(sender)
    return call


class IoService:
    """Typed calls to livekit-server over the bus.

    Args:
        numbers: by login: the number that stands for a line whose carrier calls its login.
    """

    def __init__(self, client: RpcClient, numbers: Mapping[str, str] | None = None) -> None:
        self._client = client
        self._numbers = dict(numbers or {})

    async def authenticate(self, call: Any) -> TrunkAuthentication:
        """Ask which trunk takes this INVITE.

        Raises:
            BusError: nobody answered, or more than one trunk matches (``failed_precondition``).
        """
        sender = getattr(call, "from")
        self._name_line(call)
        request = wire.GetSIPTrunkAuthenticationRequest(
            call=call,
            sip_call_id=call.lk_call_id,
            from_host=sender.host,
            to=call.to.user,
            to_host=call.to.host,
            src_address=call.source_ip,
            **{"from": sender.user},
        )
        answer = await self._client.call(
            "GetSIPTrunkAuthentication", request, wire.GetSIPTrunkAuthenticationResponse
        )
        return TrunkAuthentication(
            trunk_id=answer.sip_trunk_id,
            username=answer.username,
            password=answer.password,
            realm=answer.realm,
            drop=answer.drop,
            error=answer.error_code,
        )

    async def evaluate(self, call: Any, trunk_id: str) -> Dispatch:
        """Ask where a call on this trunk goes.

        Raises:
            BusError: nobody answered, or the server failed.
        """
        sender = getattr(call, "from")
        self._name_line(call)
        request = wire.EvaluateSIPDispatchRulesRequest(
            call=call,
            sip_trunk_id=trunk_id,
            sip_call_id=call.lk_call_id,
            calling_number=sender.user,
            calling_host=sender.host,
            called_number=call.to.user,
            called_host=call.to.host,
            src_address=call.source_ip,
        )
        answer = await self._client.call(
            "EvaluateSIPDispatchRules", request, wire.EvaluateSIPDispatchRulesResponse
        )
        return read_dispatch(answer, trunk_id)

    def _name_line(self, call: Any) -> None:
        """Have trunk and rules found by the line's number: carriers write the login into To."""
        call.to.user = self._numbers.get(call.to.user, call.to.user)


def read_dispatch(answer: Any, trunk_id: str) -> Dispatch:
    """Turn the answer of EvaluateSIPDispatchRules into values."""
    result = answer.result
    if result == DispatchResult.LEGACY:
        result = DispatchResult.REQUEST_PIN if answer.request_pin else DispatchResult.ACCEPT
    media = answer.media
    return Dispatch(
        result=result,
        trunk_id=answer.sip_trunk_id or trunk_id,
        rule_id=answer.sip_dispatch_rule_id,
        room_name=answer.room_name,
        identity=answer.participant_identity,
        name=answer.participant_name,
        metadata=answer.participant_metadata,
        attributes=dict(answer.participant_attributes),
        headers=dict(answer.headers),
        headers_to_attributes=dict(answer.headers_to_attributes),
        attributes_to_headers=dict(answer.attributes_to_headers),
        include_headers=answer.include_headers,
        ringing_timeout_s=seconds_of(answer.ringing_timeout),
        max_call_duration_s=seconds_of(answer.max_call_duration),
        media_timeout_s=seconds_of(media.media_timeout),
        codecs=tuple(codec.name for codec in media.codecs) if media.only_listed_codecs else (),
        encryption_required=_encryption(answer) == lk_sip.SIP_MEDIA_ENCRYPT_REQUIRE,
        room_preset=answer.room_preset,
        room_config=answer.room_config if answer.HasField("room_config") else None,
        token=answer.token,
        ws_url=answer.ws_url,
    )


def _encryption(answer: Any) -> int:
    in_media = int(answer.media.encryption) if answer.media.HasField("encryption") else None
    return int(answer.media_encryption) if in_media is None else in_media


def seconds_of(duration: Any) -> float:
    """Seconds of a protobuf duration; 0 where it is unset or negative."""
    return max(0.0, float(duration.ToTimedelta().total_seconds()))


def _uri(uri: SipUri) -> lk_sip.SIPUri:
    return lk_sip.SIPUri(user=uri.user or "", host=uri.host, port=uri.port or 0)


def _via(via: Via) -> lk_sip.SIPUri:
    return lk_sip.SIPUri(host=via.host, port=via.port or 0, transport=lk_sip.SIP_TRANSPORT_UDP)
