"""Lexical rules that SIP headers share (RFC 3261 section 25.1): tokens, quoted strings, lists, parameters.

Pure. Every function takes hostile text in linear time and fails only with SipParseError.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from telephony.errors import SipParseError

if TYPE_CHECKING:
    from collections.abc import Mapping

Params = dict[str, str | None]
"""Parameters in order: lower-case name to value, or to None for a flag such as ``lr``."""

_TOKEN = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+\Z")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_QUOTED_SPECIAL = re.compile(r'(["\\])')
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._\-]*[A-Za-z0-9])?\.?|\[[0-9A-Fa-f:.]+\])\Z")
_DIGITS = re.compile(r"[0-9]+\Z")
_MAX_PARAMS = 64
_MAX_HOST = 255


def is_token(text: str) -> bool:
    """Whether the text is a ``token`` of RFC 3261: at least one character, no blanks or separators."""
    return _TOKEN.match(text) is not None


def has_control(text: str) -> bool:
    """Whether the text carries a control character other than tab: what could start a new header line."""
    return _CONTROL.search(text) is not None


def number(text: str, *, field: str, maximum: int) -> int:
    """Read a decimal number of ASCII digits.

    Raises:
        SipParseError: it is empty, signed, not ASCII digits, or above ``maximum``.
    """
    # The length is capped before int(): conversion of very long digit strings is quadratic.
    if _DIGITS.match(text) is None or len(text.lstrip("0")) > len(str(maximum)) or int(text) > maximum:
        raise SipParseError(f"{text[:24]!r} is not a number up to {maximum}", field=field)
    return int(text)


def quote(text: str) -> str:
    """Write a quoted-string; the caller's text may hold quotes and backslashes."""
    return '"' + _QUOTED_SPECIAL.sub(r"\\\1", text) + '"'


def unquote(text: str) -> str:
    """Read a quoted-string; a text that is not quoted comes back as it is."""
    if len(text) >= 2 and text[0] == '"' and text[-1] == '"':
        return _QUOTED_PAIR.sub(r"\1", text[1:-1])
    return text


def closing_quote(text: str, start: int) -> int:
    """Index of the quote that closes the one at ``start``.

    Raises:
        SipParseError: the string is not closed.
    """
    position = start + 1
    while position < len(text):
        if text[position] == "\\":
            position += 2
            continue
        if text[position] == '"':
            return position
        position += 1
    raise SipParseError("a quoted string is not closed")


def split_outside(text: str, separator: str) -> list[str]:
    """Split at a separator that stands outside quotes and angle brackets; parts come back stripped.

    Raises:
        SipParseError: a quote or an angle bracket is not closed.
    """
    if '"' not in text and "<" not in text and ">" not in text:
        # Most values are so plain, and an INVITE has dozens of them.
        return [part.strip() for part in text.split(separator)]
    parts: list[str] = []
    begin = position = 0
    bracketed = False
    while position < len(text):
        char = text[position]
        if char == '"':
            position = closing_quote(text, position)
        elif char == "<":
            bracketed = True
        elif char == ">":
            bracketed = False
        elif char == separator and not bracketed:
            parts.append(text[begin:position].strip())
            begin = position + 1
        position += 1
    if bracketed:
        raise SipParseError("an angle bracket is not closed")
    parts.append(text[begin:].strip())
    return parts


def split_list(text: str) -> list[str]:
    """The elements of a comma-separated header value, empty ones left out (RFC 3261 section 7.3.1)."""
    return [part for part in split_outside(text, ",") if part]


def parse_params(text: str, *, field: str) -> Params:
    """Read ``;name=value;flag``; the leading semicolon may be missing, quoted values are unquoted.

    Raises:
        SipParseError: a name is not a token, a name comes twice, or there are more than 64.
    """
    params: Params = {}
    for part in split_outside(text, ";"):
        if not part:
            continue
        name, equals, value = part.partition("=")
        name = name.strip().lower()
        if not is_token(name):
            raise SipParseError(f"parameter {name[:32]!r} is not a token", field=field)
        if name in params or len(params) >= _MAX_PARAMS:
            raise SipParseError(f"parameter {name[:32]!r} comes twice or is one too many", field=field)
        params[name] = unquote(value.strip()) if equals else None
    return params


def format_params(params: Mapping[str, str | None]) -> str:
    """Write ``;name=value;flag``; values that are no token or host are quoted."""
    text = ""
    for name, value in params.items():
        if value is None:
            text += f";{name}"
        elif is_token(value) or is_host(value):
            text += f";{name}={value}"
        else:
            text += f";{name}={quote(value)}"
    return text


def is_host(text: str) -> bool:
    """Whether the text is a host name, an IPv4 address or a bracketed IPv6 reference."""
    return len(text) <= _MAX_HOST and _HOST.match(text) is not None


def split_host_port(text: str, *, field: str) -> tuple[str, int | None]:
    """Read ``host`` or ``host:port``; blanks round the colon are allowed, as in a Via.

    Raises:
        SipParseError: the host is none, or the port is not within 1 to 65535.
    """
    text = text.strip()
    end = text.find("]") + 1 if text.startswith("[") else text.find(":")
    if end <= 0:
        end = len(text)
    host, rest = text[:end].strip(), text[end:].strip()
    if not is_host(host):
        raise SipParseError(f"{host[:64]!r} is not a host", field=field)
    if not rest:
        return host, None
    if not rest.startswith(":"):
        raise SipParseError(f"{rest[:32]!r} follows the host", field=field)
    port = number(rest[1:].strip(), field=field, maximum=65535)
    if port == 0:
        raise SipParseError("port 0 cannot be sent to", field=field)
    return host, port
