"""Standard Webhooks 1.0: secrets, and signatures over the exact bytes that are sent.

While a secret is being replaced a delivery carries one signature for each valid secret, and any of
them verifies.
"""

from __future__ import annotations

import base64
import secrets
from typing import TYPE_CHECKING

from standardwebhooks import Webhook

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

_SECRET_BYTES = 32


def new_secret() -> str:
    """A new signing secret, ``whsec_`` and base64 of 32 random bytes."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def is_secret(text: str) -> bool:
    """Whether a text is a signing secret of 24 to 64 bytes, as the standard asks."""
    if not text.startswith("whsec_"):
        return False
    try:
        raw = base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except ValueError:
        return False
    return 24 <= len(raw) <= 64


def signed_headers(
    message_id: str, body: bytes, *, at: datetime, signing_secrets: Sequence[str]
) -> dict[str, str]:
    """The headers ``webhook-id``, ``webhook-timestamp`` and ``webhook-signature`` for one attempt.

    Args:
        message_id: the same for every attempt at the same event.
        body: UTF-8.
        at: the instant of the attempt, UTC.
        signing_secrets: the newest first; at least one.
    """
    text = body.decode()
    signatures = [
        Webhook(secret).sign(msg_id=message_id, timestamp=at, data=text) for secret in signing_secrets
    ]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
