"""A trunk of the file as LiveKit's messages. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from livekit.protocol.sip import (
    SIPHeaderOptions,
    SIPInboundTrunkInfo,
    SIPMediaConfig,
    SIPMediaEncryption,
    SIPOutboundTrunkInfo,
    SIPTransport,
)

from provisioning.carriers.pack import THE_LOGIN, load_pack
from provisioning.spelling import without_separators

if TYPE_CHECKING:
    from google.protobuf.duration_pb2 import Duration

    from provisioning.sections.media import Media
    from provisioning.sections.trunks import Trunk

INCLUDE_HEADERS = {
    "none": SIPHeaderOptions.SIP_NO_HEADERS,
    "x": SIPHeaderOptions.SIP_X_HEADERS,
    "all": SIPHeaderOptions.SIP_ALL_HEADERS,
}
TRANSPORTS = {
    "auto": SIPTransport.SIP_TRANSPORT_AUTO,
    "udp": SIPTransport.SIP_TRANSPORT_UDP,
    "tcp": SIPTransport.SIP_TRANSPORT_TCP,
    "tls": SIPTransport.SIP_TRANSPORT_TLS,
}
ENCRYPTIONS = {
    "disable": SIPMediaEncryption.SIP_MEDIA_ENCRYPT_DISABLE,
    "allow": SIPMediaEncryption.SIP_MEDIA_ENCRYPT_ALLOW,
    "require": SIPMediaEncryption.SIP_MEDIA_ENCRYPT_REQUIRE,
}


def inbound_trunk(trunk: Trunk) -> SIPInboundTrunkInfo:
    """The inbound trunk of an entry that its carrier's facts have filled."""
    message = SIPInboundTrunkInfo(
        name=trunk.name if trunk.label is None else trunk.label,
        numbers=[without_separators(number) for number in trunk.numbers],
        allowed_addresses=list(trunk.allowed_addresses or ()),
        allowed_numbers=[without_separators(number) for number in trunk.allowed_numbers],
        headers=trunk.headers,
        headers_to_attributes=trunk.headers_to_attributes,
        attributes_to_headers=trunk.attributes_to_headers,
        include_headers=INCLUDE_HEADERS[trunk.include_headers],
        krisp_enabled=trunk.krisp_enabled,
    )
    if trunk.challenges_callers and trunk.auth_username and trunk.auth_password:
        message.auth_username = trunk.auth_username
        message.auth_password = trunk.auth_password.get_secret_value()
        message.auth_realm = trunk.auth_realm or ""
    set_duration(message.ringing_timeout, trunk.ringing_timeout)
    set_duration(message.max_call_duration, trunk.max_call_duration)
    if trunk.media is not None:
        message.media.CopyFrom(media_config(trunk.media))
    return message


def outbound_trunk(trunk: Trunk) -> SIPOutboundTrunkInfo:
    """The outbound trunk of an entry that its carrier's facts have filled."""
    message = SIPOutboundTrunkInfo(
        name=trunk.name if trunk.label is None else trunk.label,
        address=f"{trunk.host}:{trunk.port}" if trunk.port else trunk.host or "",
        transport=TRANSPORTS[trunk.transport or "udp"],
        numbers=_shown_numbers(trunk),
        auth_username=trunk.auth_username or "",
        auth_password=trunk.auth_password.get_secret_value() if trunk.auth_password else "",
        headers=trunk.headers,
        headers_to_attributes=trunk.headers_to_attributes,
        attributes_to_headers=trunk.attributes_to_headers,
        include_headers=INCLUDE_HEADERS[trunk.include_headers],
        destination_country=trunk.destination_country or "",
        from_host=trunk.from_host or "",
    )
    if trunk.media is not None:
        message.media.CopyFrom(media_config(trunk.media))
    return message


def _shown_numbers(trunk: Trunk) -> list[str]:
    """What stands in From of calls out: our numbers, or the login at carriers that know us by it alone."""
    if trunk.auth_username and load_pack(trunk.carrier).known("from_user") == THE_LOGIN:
        return [trunk.auth_username]
    return [without_separators(number) for number in trunk.numbers]


def media_config(media: Media) -> SIPMediaConfig:
    """Codecs and encryption; Opus is left out, LiveKit has none on a SIP leg."""
    config = SIPMediaConfig(only_listed_codecs=media.only_listed_codecs)
    if media.encryption != "disable":
        config.encryption = ENCRYPTIONS[media.encryption]
    for codec in media.codecs:
        if codec.name != "opus":
            config.codecs.add(name=codec.name, rate=codec.rate)
    set_duration(config.media_timeout, media.media_timeout)
    return config


def set_duration(target: Duration, seconds: float | None) -> None:
    """Set a field to a time in seconds; None leaves it unset."""
    if seconds is not None:
        target.FromMilliseconds(round(seconds * 1000))
