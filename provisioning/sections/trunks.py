"""``sip_trunks``: who may call us, and through whom we call. LiveKit's own words, in snake_case."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, WithJsonSchema

from provisioning.sections.media import Media
from provisioning.sections.section import (
    Duration,
    HeaderName,
    HeaderValue,
    Host,
    Name,
    Number,
    Port,
    Section,
    Text,
    in_any_case,
)

_INCLUDE_HEADERS = {
    "SIP_NO_HEADERS": "none",
    "SIP_X_HEADERS": "x",
    "SIP_ALL_HEADERS": "all",
}


def _lower(value: Any) -> Any:
    return value.lower().removeprefix("sip_transport_") if isinstance(value, str) else value


def _include_headers(value: Any) -> Any:
    return _INCLUDE_HEADERS.get(value, value) if isinstance(value, str) else value


def _address(value: str) -> str:
    if "/" in value:
        try:
            ipaddress.ip_network(value, strict=True)
        except ValueError as error:
            reason = "has host bits set" if "host bits" in str(error) else "is not an address range"
            raise ValueError(f"{value} {reason}; write it like 203.0.113.0/24") from error
    elif any(character in value for character in " \t\r\n,;<>\"'@"):
        raise ValueError("must be an address range such as 203.0.113.0/24, an address or a host name")
    return value


Address = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_address)]
"""203.0.113.0/24 or 203.0.113.7/32; without a slash the address is also believed from a From header."""

Transport = Annotated[
    Literal["auto", "udp", "tcp", "tls"],
    BeforeValidator(_lower),
    in_any_case("auto", "udp", "tcp", "tls"),
]
"""SIP transport; case does not count."""

IncludeHeaders = Annotated[
    Literal["none", "x", "all"],
    BeforeValidator(_include_headers),
    WithJsonSchema({"type": "string", "enum": ["none", "x", "all", *_INCLUDE_HEADERS]}),
]
"""Which SIP headers become participant attributes ``sip.h.<name>``."""

Carrier = Literal[
    "novofon-trunk", "novofon-line", "zadarma-trunk", "zadarma-uri", "twilio", "telnyx", "generic"
]
"""The carriers and their products whose facts are kept in ``provisioning/carriers``."""

CARRIERS: tuple[str, ...] = get_args(Carrier)


class Registration(Section):
    """A carrier line that we register at with a login (the embedded bridge only; livekit-sip cannot)."""

    registrar: Host | None = None
    """Where to REGISTER. Default: the trunk's host."""
    username: str | None = Field(default=None, pattern=r"^[^\s@<>\"]{1,128}$")
    """SIP login. Default: the trunk's auth_username."""
    auth_username: str | None = Field(default=None, pattern=r"^[^\s\"]{1,128}$")
    """Digest user, when it differs from the login."""
    domain: Host | None = None
    """Domain of the address of record. Default: the registrar."""
    expiry: Duration = Field(default=120.0, ge=30, le=86400)
    """How long a registration is asked for. Default 2m."""
    keepalive: Duration = Field(default=5.0, ge=5, le=600)
    """Pause between OPTIONS that keep a NAT binding open and notice a registrar that was away. Default 5s."""


class Trunk(Section):
    """One carrier line, for calls in, calls out or both.

    Without inbound_only and outbound_only it is both when it has a host, and inbound alone when
    it has none.
    """

    name: Name
    """Unique in the file; rules refer to it."""
    label: Text | None = None
    """Name shown at LiveKit. Default: name."""
    carrier: Carrier = "generic"
    """Fills in what is known of the carrier: ``provision carriers`` lists it. Default generic: nothing."""
    platform: Literal["v1", "v2"] | None = None
    """For Novofon: which of its two platforms the account is on; v2 has the cabinet my.novofon.ru."""
    inbound_only: bool = False
    """Calls come in and none goes out. Default false."""
    outbound_only: bool = False
    """Calls go out and none comes in. Default false."""
    numbers: list[Number] = Field(default_factory=list)
    """Our numbers: which calls in belong to this trunk, and what calls out show. In quotes."""
    allowed_addresses: list[Address] | None = None
    """Where calls in may come from, as ranges. Default: the carrier's, if known."""
    allowed_numbers: list[Number] = Field(default_factory=list)
    """Callers that may call in, in quotes. Default: any."""
    open_to_the_world: bool = False
    """Says that calls in are on purpose refused to nobody. Without it such a trunk is not applied."""
    auth_required: bool | None = None
    """Whether calls in must answer a digest challenge with auth_username and auth_password. Default: when
    they are given and the trunk has no host, where they would be our own login."""
    auth_username: str | None = Field(default=None, pattern=r"^[^\s\"\x00-\x1f]{1,128}$")
    """Digest user: asked of calls in, given for calls out. In quotes: 0053000 has leading zeros."""
    auth_password: SecretStr | None = None
    """Digest password."""
    auth_password_file: str | None = None
    """A file that holds the password, in place of auth_password."""
    auth_realm: str | None = Field(default=None, pattern=r"^[^\"\x00-\x1f]{1,128}$")
    """Realm of the challenge to calls in. Default LiveKit."""
    host: Host | None = None
    """Where calls out go. Default: the carrier's, if known."""
    port: Port | None = None
    """Port at host. Default: 5060, or 5061 with TLS."""
    transport: Transport | None = None
    """udp, tcp or tls for calls out. Default: the carrier's, else udp."""
    from_host: Host | None = None
    """Host of the From header of calls out. Default: the carrier's, if known."""
    dial_format: Literal["plus", "digits"] | None = None
    """How numbers are dialled: +74951234567 or 74951234567. Default: the carrier's, else plus."""
    destination_country: str | None = Field(default=None, pattern=r"^[A-Z]{2}$")
    """ISO 3166 country of the callees; LiveKit Cloud routes by it."""
    headers: dict[HeaderName, HeaderValue] = Field(default_factory=dict)
    """Headers added to our 200 OK (calls in) or INVITE (calls out)."""
    headers_to_attributes: dict[HeaderName, Text] = Field(default_factory=dict)
    """SIP header to participant attribute."""
    attributes_to_headers: dict[Text, HeaderName] = Field(default_factory=dict)
    """Participant attribute to a header of our BYE and REFER."""
    include_headers: IncludeHeaders = "none"
    """none, x (X-*) or all. Default none."""
    ringing_timeout: Duration | None = Field(default=None, ge=1, le=600)
    """How long a call in may ring before it is refused. Default: the bridge's own, 3m."""
    max_call_duration: Duration | None = Field(default=None, ge=1, le=86400)
    """Longest call in. Default 24h."""
    max_calls: int | None = Field(default=None, ge=1, le=10_000)
    """How many calls at once the carrier allows, both directions together; the embedded bridge refuses more.
    Default: not known."""
    max_calls_per_second: float = Field(default=1.0, gt=0, le=1000)
    """How many calls out may begin in a second. Default 1."""
    krisp_enabled: bool = False
    """LiveKit Cloud's noise suppression; no effect on a server of one's own. Default false."""
    media: Media | None = None
    """This trunk's own codecs and encryption. Default: audio_codecs of the file."""
    metadata: dict[str, Any] | Text = Field(default_factory=dict)
    """Kept with the trunk as JSON, beside the mark by which we know our own. Plain text needs an id."""
    register_line: Registration | None = Field(default=None, alias="register")
    """For a line with a login: how to register. Default: as the carrier needs it."""
    id: str | None = Field(default=None, pattern=r"^ST_[0-9A-Za-z]{4,64}$")
    """LiveKit's id of a trunk that existed before; ``provision import`` writes it."""

    @property
    def is_inbound(self) -> bool:
        """Whether calls come in through it."""
        return not self.outbound_only

    @property
    def challenges_callers(self) -> bool:
        """Whether calls in must answer a digest challenge (carrier facts may add the host)."""
        if self.auth_username is None or self.auth_password is None:
            return False
        if self.auth_required is None:  # with a host they are our login there; the carrier does not know it
            return self.host is None and self.register_line is None
        return self.auth_required

    @property
    def is_outbound(self) -> bool:
        """Whether calls go out through it (carrier facts may add the host)."""
        return not self.inbound_only
