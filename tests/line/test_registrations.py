"""Which lines the bridge of a machine registers, by the operator's file."""

from __future__ import annotations

import pytest

from telephony.bridge.config import RegistrationSection
from telephony.line.registrations import registrations
from tests.provisioning.files import line

pytestmark = pytest.mark.pure

LOGIN = 'auth_username: "0053000", auth_password: "secret"'


def test_a_trunk_that_says_how_is_registered() -> None:
    """Its host is the registrar, its first number stands for the login."""
    config = line(
        f'{{name: a, numbers: ["+74950000001"], host: sip.carrier.example, {LOGIN}, '
        "register: {expiry: 1h, keepalive: 30s}}"
    )
    (entry,) = registrations(config)
    account = RegistrationSection(**entry).to_account()
    assert (account.name, str(account.registrar)) == ("a", "sip:sip.carrier.example")
    assert (account.username, account.number, account.expiry_s) == ("0053000", "+74950000001", 3600)
    assert account.keepalive_s == 30.0


def test_a_registrar_of_its_own_wins() -> None:
    """And a digest user and a domain of its own."""
    config = line(
        f'{{name: a, numbers: ["0053000"], host: sip.carrier.example, port: 5080, {LOGIN}, '
        "register: {registrar: reg.carrier.example, auth_username: user, domain: d.example}}"
    )
    (entry,) = registrations(config)
    account = RegistrationSection(**entry).to_account()
    assert (str(account.registrar), account.auth_username) == ("sip:reg.carrier.example", "user")
    assert str(account.address) == "<sip:0053000@d.example>"
    assert account.number == ""


def test_a_carrier_that_needs_it_is_registered_without_being_asked() -> None:
    """A line of Novofon takes calls in only so."""
    (entry,) = registrations(
        line(f'{{name: a, carrier: novofon-line, platform: v2, numbers: ["+74950000001"], {LOGIN}}}')
    )
    assert entry["name"] == "a"
    assert entry["registrar"]
    RegistrationSection(**entry).to_account()


def test_other_trunks_are_not_registered() -> None:
    """Neither those that need none, nor those without a login."""
    config = line(
        f"""
        {{name: a, numbers: ["+74950000001"], host: sip.carrier.example, {LOGIN}}}
        {{name: b, carrier: novofon-line, platform: v2, numbers: ["+74950000002"]}}
        """
    )
    assert registrations(config) == []
