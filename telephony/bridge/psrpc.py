"""psrpc's framing and rules, without a connection: channel names, envelopes, ids, expiry.

Pure. Mirrors livekit/psrpc v0.7.2: ``pkg/info/channels.go`` (the legacy channel names that Redis uses),
``internal/bus/serialization.go`` (the envelope), ``internal/bus/bus_redis.go`` (the queue key).
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import string
from typing import Any

from google.protobuf.message import DecodeError

from telephony.bridge import wire
from telephony.errors import BusError

CLAIM_TIMEOUT_S = 1.0
"""How long a client waits for the first server to bid (psrpc's default)."""

REQUEST_TIMEOUT_S = 3.0
"""psrpc's default for a whole request."""

QUEUE_LOCK_S = 5
"""How long the winner of a queued request keeps it, in whole seconds."""

_TYPE_PREFIX = "type.googleapis.com/internal."
_ID_ALPHABET = string.ascii_letters + string.digits
_ID_LENGTH = 12
_PLAIN = frozenset(_ID_ALPHABET + "_")
_BASIC_PLANE_END = 0x10000


def channel(service: str, *parts: str) -> str:
    """Name a Redis channel: escaped parts joined by ``|``, empty ones left out with their separator."""
    return "|".join(_escape(part) for part in (service, *parts) if part)


def request_channel(service: str, method: str, topic: str = "") -> str:
    """Where a client publishes requests and servers listen."""
    return channel(service, method, topic, "REQ")


def grant_channel(service: str, method: str, topic: str = "") -> str:
    """Where a client says which server's bid it took."""
    return channel(service, method, topic, "RCLAIM")


def bid_channel(service: str, client_id: str) -> str:
    """Where servers bid for one client's requests."""
    return channel(service, client_id, "CLAIM")


def response_channel(service: str, client_id: str) -> str:
    """Where one client's answers come."""
    return channel(service, client_id, "RES")


def _escape(part: str) -> str:
    return "".join(_escape_character(character) for character in part)


def _escape_character(character: str) -> str:
    if character in _PLAIN:
        return character
    code = ord(character)
    return f"u+{code:04x}" if code < _BASIC_PLANE_END else f"U+{code:08x}"


def new_id(prefix: str) -> str:
    """A prefix such as ``CLI_``, ``SRV_``, ``REQ_`` or ``SCL_`` and twelve letters or digits."""
    return prefix + "".join(secrets.choice(_ID_ALPHABET) for _ in range(_ID_LENGTH))


def frame(message: Any) -> bytes:
    """Put a psrpc message into its envelope; the Go side finds the type by this exact URL."""
    envelope = wire.Msg(
        type_url=_TYPE_PREFIX + message.DESCRIPTOR.name,
        value=message.SerializeToString(),
    )
    payload: bytes = envelope.SerializeToString()
    return payload


def unframe(payload: bytes, expected: type[Any]) -> Any:
    """Take a message out of its envelope.

    Raises:
        BusError: ``malformed_request``: not an envelope, or another type than ``expected``.
    """
    envelope = wire.Msg()
    message = expected()
    try:
        envelope.ParseFromString(payload)
        if envelope.type_url != _TYPE_PREFIX + expected.DESCRIPTOR.name:
            raise BusError(f"got {envelope.type_url[:80]!r} on the bus", code="malformed_request")
        message.ParseFromString(envelope.value)
    except DecodeError as error:
        raise BusError("a message on the bus cannot be decoded", code="malformed_request") from error
    return message


def queue_key(payload: bytes) -> str:
    """The Redis key that exactly one of several servers can create for one request."""
    return base64.b64encode(hashlib.sha256(payload).digest()).decode()


def remaining_s(expiry_ns: int, now_ns: int) -> float:
    """Seconds until a request expires; zero or less when it has."""
    return (expiry_ns - now_ns) / 1e9
