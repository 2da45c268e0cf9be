"""SIP URIs and the name-addr form that carries them (RFC 3261 sections 19.1 and 20.10).

Pure. A value built here can be written into a header as it is: what could break out of the
header or out of the angle brackets is refused when the value is made, not when it is sent.
The user part is kept as written, since numbers are compared as written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from telephony.errors import SipParseError
from telephony.sip.grammar import (
    Params,
    closing_quote,
    format_params,
    has_control,
    is_host,
    is_token,
    parse_params,
    quote,
    split_host_port,
    unquote,
)

_MAX_URI = 2048
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*\Z")
_FORBIDDEN = re.compile(r'[\x00-\x20\x7f<>"]')
_FORBIDDEN_USER = re.compile(r'[\x00-\x20\x7f<>"@:\\]')
_PARAM_BREAK = re.compile(r'[\x00-\x20\x7f<>"@;?=]')
_HEADER_BREAK = re.compile(r'[\x00-\x20\x7f<>"@&=]')
_ESCAPED = re.compile(r"[^A-Za-z0-9\-_.!~*'()&=+$,;?/#]")
_DISPLAY_TOKENS = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+(?: [A-Za-z0-9\-.!%*_+`'~]+)*\Z")


def escape_user(text: str) -> str:
    """Percent-encode what may not stand in the user part of a URI; digits and a plus stay as they are."""
    return _ESCAPED.sub(lambda match: "".join(f"%{byte:02X}" for byte in match.group().encode()), text)


@dataclass(frozen=True, slots=True)
class SipUri:
    """A ``sip:``, ``sips:`` or ``tel:`` URI; of another scheme only ``opaque`` is kept.

    Args:
        user: as written, without unescaping; None where there is none. The number of a ``tel:`` URI.
        host: name, IPv4 address or bracketed IPv6 reference; empty unless the scheme is sip or sips.
        port: 1 to 65535, or None for the default.
        params: ``transport``, ``lr``, ``user``, …; names in lower case.
        headers: what stands behind the question mark, as written.
        opaque: all behind the colon, for schemes that are not sip, sips or tel.

    Raises:
        SipParseError: a part could break out of the URI or is malformed.
    """

    user: str | None
    host: str
    port: int | None = None
    params: Params = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    scheme: str = "sip"
    password: str | None = None
    opaque: str = ""

    def __post_init__(self) -> None:
        if _SCHEME.match(self.scheme) is None:
            raise SipParseError(f"{self.scheme[:32]!r} is not a URI scheme", field="uri")
        if self.is_sip and not is_host(self.host):
            raise SipParseError(f"{self.host[:64]!r} is not a host", field="uri")
        if self.port is not None and not 0 < self.port < 65536:
            raise SipParseError(f"port {self.port} is not within 1 to 65535", field="uri")
        for part in (self.user, self.password):
            if part is not None and _FORBIDDEN_USER.search(part):
                raise SipParseError("the user part has a character that must be escaped", field="uri")
        pairs = [(_PARAM_BREAK, text) for item in self.params.items() for text in item]
        pairs += [(_HEADER_BREAK, text) for item in self.headers.items() for text in item]
        if any(text is not None and pattern.search(text) for pattern, text in pairs) or _FORBIDDEN.search(
            self.opaque
        ):
            raise SipParseError("a parameter has a character that must be escaped", field="uri")
        if self.user == "" and self.is_sip:
            raise SipParseError("the user part is empty", field="uri")

    @property
    def is_sip(self) -> bool:
        """Whether the scheme is sip or sips: one that a request can be sent to."""
        return self.scheme in ("sip", "sips")

    @classmethod
    def parse(cls, text: str) -> SipUri:
        """Read one URI without angle brackets.

        Raises:
            SipParseError: it is longer than 2048 characters or not as RFC 3261 section 25.1 writes it.
        """
        if len(text) > _MAX_URI:
            raise SipParseError(
                f"the URI has {len(text)} characters, at most {_MAX_URI} are read", field="uri"
            )
        scheme, colon, rest = text.partition(":")
        scheme = scheme.lower()
        if not colon or _SCHEME.match(scheme) is None or _FORBIDDEN.search(text):
            raise SipParseError(f"{text[:64]!r} is not a URI", field="uri")
        if scheme == "tel":
            subscriber, _, params = rest.partition(";")
            if not subscriber:
                raise SipParseError("the tel URI has no number", field="uri")
            return cls(subscriber, "", params=parse_params(params, field="uri"), scheme=scheme)
        if scheme not in ("sip", "sips"):
            return cls(None, "", scheme=scheme, opaque=rest)
        return cls._parse_sip(scheme, rest)

    @classmethod
    def _parse_sip(cls, scheme: str, rest: str) -> SipUri:
        userinfo, at, remainder = rest.rpartition("@")
        user: str | None = None
        password: str | None = None
        if at:
            user, colon, secret = userinfo.partition(":")
            password = secret if colon else None
        address, question, header_text = remainder.partition("?")
        hostport, _, params = address.partition(";")
        host, port = split_host_port(hostport, field="uri")
        headers = _parse_uri_headers(header_text) if question else {}
        return cls(user, host, port, parse_params(params, field="uri"), headers, scheme, password)

    def __str__(self) -> str:
        if not self.is_sip:
            body = f"{self.user}{_uri_params(self.params)}" if self.scheme == "tel" else self.opaque
            return f"{self.scheme}:{body}"
        text = f"{self.scheme}:"
        if self.user is not None:
            text += self.user + (f":{self.password}" if self.password is not None else "") + "@"
        text += self.host
        if self.port is not None:
            text += f":{self.port}"
        text += _uri_params(self.params)
        if self.headers:
            text += "?" + "&".join(f"{name}={value}" for name, value in self.headers.items())
        return text

    @property
    def transport(self) -> str | None:
        """The ``transport`` parameter in upper case, or None."""
        value = self.params.get("transport")
        return value.upper() if value else None


def _uri_params(params: Params) -> str:
    # Unlike header parameters these are never quoted: a URI has no quoted strings.
    return "".join(f";{name}" if value is None else f";{name}={value}" for name, value in params.items())


def _parse_uri_headers(text: str) -> dict[str, str]:
    headers: dict[str, str] = {}
    for part in text.split("&"):
        name, equals, value = part.partition("=")
        if not equals or not name:
            raise SipParseError("a URI header has no value", field="uri")
        headers[name] = value
    return headers


@dataclass(frozen=True, slots=True)
class NameAddr:
    """``"Display" <uri>;tag=…``: the value of From, To, Contact, Route, Record-Route, Refer-To.

    Args:
        display: unquoted text, empty for none; any Unicode but control characters.
        uri: the address.
        params: header parameters behind the brackets.
    """

    display: str
    uri: SipUri
    params: Params = field(default_factory=dict)

    def __post_init__(self) -> None:
        if has_control(self.display) or any(has_control(value) for value in self.params.values() if value):
            raise SipParseError("a display name or parameter has a control character", field="address")
        if not all(is_token(name) for name in self.params):
            raise SipParseError("a parameter's name is not a token", field="address")

    @classmethod
    def parse(cls, text: str) -> NameAddr:
        """Read a name-addr, or an addr-spec whose parameters then belong to the header (section 20).

        Raises:
            SipParseError: brackets or quotes do not close, or the URI is malformed.
        """
        text = text.strip()
        if text.startswith('"'):
            end = closing_quote(text, 0)
            display, rest = unquote(text[: end + 1]), text[end + 1 :].strip()
            if not rest.startswith("<"):
                raise SipParseError(
                    "a display name is not followed by an address in brackets", field="address"
                )
        else:
            begin = text.find("<")
            if begin < 0:
                uri, _, params = text.partition(";")
                return cls("", SipUri.parse(uri.strip()), parse_params(params, field="address"))
            display, rest = text[:begin].strip(), text[begin:]
        if '"' in rest.partition(">")[0]:
            raise SipParseError("an address has a quote within its brackets", field="address")
        uri, closed, tail = rest[1:].partition(">")
        tail = tail.strip()
        if not closed or (tail and not tail.startswith(";")):
            raise SipParseError("an address in brackets does not end as it should", field="address")
        return cls(display, SipUri.parse(uri.strip()), parse_params(tail, field="address"))

    def __str__(self) -> str:
        name = ""
        if self.display:
            plain = _DISPLAY_TOKENS.match(self.display) is not None
            name = f"{self.display} " if plain else f"{quote(self.display)} "
        return f"{name}<{self.uri}>{format_params(self.params)}"

    @property
    def tag(self) -> str | None:
        """The ``tag`` parameter, or None."""
        return self.params.get("tag")

    def with_tag(self, tag: str) -> NameAddr:
        """The same address with this tag."""
        return replace(self, params={**self.params, "tag": tag})
