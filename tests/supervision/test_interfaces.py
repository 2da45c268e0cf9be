"""An interface for LiveKit's media."""

from __future__ import annotations

import pytest

from telephony.supervision.interfaces import has_interface

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("addresses", "enough"),
    [
        ({"lo": ["127.0.0.1", "::1"]}, False),
        ({}, False),
        ({"lo": ["127.0.0.1"], "eth0": []}, False),
        ({"lo": ["127.0.0.1"], "eth0": ["192.0.2.10"]}, True),
        ({"lo": ["127.0.0.1"], "wlan0": ["fe80::1%wlan0"]}, True),
    ],
)
def test_loopback_alone_is_not_enough(addresses: dict[str, list[str]], enough: bool) -> None:
    """Any other address will do, whether it leads anywhere or not."""
    assert has_interface(addresses) is enough
