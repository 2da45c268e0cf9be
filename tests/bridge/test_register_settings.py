"""The bridge's settings for lines with a login."""

from __future__ import annotations

from typing import Any

import pytest

from telephony.bridge.config import BridgeConfig, read_config
from telephony.errors import ConfigError

pytestmark = pytest.mark.pure

LINE = {"registrar": "sip.carrier.example:5070", "username": "0053000", "password": "secret"}


def _read(*lines: dict[str, Any]) -> BridgeConfig:
    return read_config(
        {
            "api_key": "key",
            "api_secret": "secret",
            "ws_url": "ws://127.0.0.1:7880",
            "redis": {"address": "127.0.0.1"},
            "listen_ip": "127.0.0.1",
            "sip_registrations": list(lines),
        },
        {},
    )


def test_a_line_needs_registrar_login_and_password() -> None:
    """The rest has livekit/sip pull request 774's defaults; the login names the line."""
    (section,) = _read(LINE).sip_registrations
    account = section.to_account()
    assert str(account.registrar) == "sip:sip.carrier.example:5070"
    assert str(account.address) == "<sip:0053000@sip.carrier.example>"
    assert (account.name, account.expiry_s, account.keepalive_s) == ("0053000", 600, 5.0)
    assert "secret" not in repr(section)


def test_a_line_may_go_by_tcp() -> None:
    """Then registrar and Contact say so."""
    (section,) = _read({**LINE, "transport": "tcp"}).sip_registrations
    assert str(section.to_account().registrar) == "sip:sip.carrier.example:5070;transport=tcp"


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ([{**LINE, "registrar": "a b"}], "sip_registrations[0]"),
        ([{**LINE, "domain": "a b"}], "sip_registrations[0]"),
        ([LINE, LINE], "another one is called 0053000"),
        ([{**LINE, "username": 53000}], "username"),
        ([{**LINE, "username": "a@b"}], "username"),
        ([{**LINE, "pasword": "x"}], "pasword"),
        ([{**LINE, "expiry": "1s"}], "expiry"),
    ],
)
def test_wrong_settings_are_named(lines: list[dict[str, Any]], text: str) -> None:
    """A login that is written as a number is refused too: it would lose its zeros."""
    with pytest.raises(ConfigError) as caught:
        _read(*lines)
    assert text in str(caught.value)
