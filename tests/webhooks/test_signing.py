from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from telephony.webhooks.signing import is_secret, new_secret, signed_headers
from tests.webhooks.receiver import signature_holds

pytestmark = pytest.mark.pure


@given(st.text())
def test_the_exact_bytes_are_signed(text: str) -> None:
    """Both the standard's library and our own arithmetic verify the signature, and no other body passes."""
    body = text.encode("utf-8", "replace")
    secret = new_secret()
    headers = signed_headers("evt_1", body, at=datetime.now(UTC), signing_secrets=[secret])
    Webhook(secret).verify(body, headers, json_parse=False)
    assert signature_holds(secret, headers, body)
    assert not signature_holds(secret, headers, body + b" ")
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(body, headers, json_parse=False)


def test_while_secrets_change_both_verify() -> None:
    """A delivery signed during a rotation passes with the old and with the new secret."""
    old, new = new_secret(), new_secret()
    headers = signed_headers("evt_1", b"{}", at=datetime.now(UTC), signing_secrets=[new, old])
    assert signature_holds(old, headers, b"{}")
    assert signature_holds(new, headers, b"{}")
    assert not signature_holds(new_secret(), headers, b"{}")


def test_an_old_delivery_cannot_be_played_again() -> None:
    """The signed timestamp makes a copy worthless after five minutes."""
    secret = new_secret()
    at = datetime.fromtimestamp(time.time() - 400, UTC)
    headers = signed_headers("evt_1", b"{}", at=at, signing_secrets=[secret])
    assert not signature_holds(secret, headers, b"{}")
    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(secret).verify(b"{}", headers)


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_abc", "secret", "whsec_" + "A" * 200, "whsec_äöü"])
def test_what_is_no_secret_is_known(text: str) -> None:
    """Only whsec_ and 24 to 64 bytes in base64 is a secret."""
    assert not is_secret(text)
    assert is_secret(new_secret())
