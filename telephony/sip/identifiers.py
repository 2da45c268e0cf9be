"""Identifiers that must not be guessed or repeated: branches, tags, Call-IDs (RFC 3261 section 19.3)."""

from __future__ import annotations

import secrets

MAGIC_COOKIE = "z9hG4bK"
"""What every branch made under RFC 3261 starts with (section 8.1.1.7)."""


def new_branch() -> str:
    """A branch for one client transaction: the magic cookie and 96 random bits."""
    return f"{MAGIC_COOKIE}{secrets.token_hex(12)}"


def new_tag() -> str:
    """A From or To tag of 64 random bits; RFC 3261 asks for at least 32."""
    return secrets.token_hex(8)


def new_call_id() -> str:
    """A Call-ID of 128 random bits, without a host part, so that it tells nothing of this machine."""
    return secrets.token_hex(16)
