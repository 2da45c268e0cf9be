"""API keys: 32 random bytes that are shown once, their hash in the record, scopes that say what they may.

A key is ``tlk_<id>_<secret>``; the id finds the row, the secret is compared by its SHA-256 in constant
time. A key of such entropy needs no slow hash.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import RowMapping

_KEY = re.compile(r"^tlk_([a-z2-7]{16})_([0-9A-Za-z_-]{43})\Z")


class Scope(StrEnum):
    """What a key may do; ``admin`` may do everything."""

    CALLS_READ = "calls:read"
    CALLS_WRITE = "calls:write"
    CALLS_DIAL = "calls:dial"
    RECORDINGS_READ = "recordings:read"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_WRITE = "webhooks:write"
    EVENTS_WRITE = "events:write"
    KEYS_READ = "keys:read"
    KEYS_WRITE = "keys:write"
    AUDIT_READ = "audit:read"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made; ``text`` is shown once and kept nowhere."""

    key_id: str
    text: str
    key_hash: bytes


def make_key() -> NewKey:
    """A new random key."""
    key_id = base64.b32encode(secrets.token_bytes(10)).decode().lower()
    secret = secrets.token_urlsafe(32)
    return NewKey(key_id, f"tlk_{key_id}_{secret}", hash_of(secret))


def hash_of(secret: str) -> bytes:
    """What is stored of a key's secret part."""
    return hashlib.sha256(secret.encode()).digest()


def split(text: str) -> tuple[str, str] | None:
    """A key's id and secret; None for what is no key."""
    match = _KEY.match(text)
    return (match.group(1), match.group(2)) if match else None


def is_valid(row: RowMapping, secret: str, now: datetime) -> bool:
    """Whether a secret belongs to a key's row and the key is in force."""
    if not hmac.compare_digest(hash_of(secret), bytes(row["hash"])):
        return False
    return row["revoked_at"] is None and (row["expires_at"] is None or row["expires_at"] > now)


def allows(scopes: frozenset[str], wanted: Scope) -> bool:
    """Whether scopes include one."""
    return wanted in scopes or Scope.ADMIN in scopes
