"""Which lines the bridge of a machine registers, by the operator's file."""

from __future__ import annotations

import pytest

from provisioning.render.place import place_of
from provisioning.render.registrations import registrations
from provisioning.render.servers import bridge
from provisioning.render.trunk_limits import trunk_limits
from telephony.bridge.config import RegistrationSection, TrunkLimitSection, read_config
from telephony.errors import ConfigError
from tests.provisioning.files import line

pytestmark = pytest.mark.pure

LOGIN = 'auth_username: "0053000", auth_password: "secret"'


def test_a_trunk_that_says_how_is_registered() -> None:
    """Its host is the registrar, its first number stands for the login."""
    config = line(
        f'{{name: a, numbers: ["+74950000001"], host: sip.carrier.example, {LOGIN}, '
        "register: {expiry: 1h, keepalive: 30s}}"
    )
    (entry,) = registrations(config, secrets=True)
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
    (entry,) = registrations(config, secrets=True)
    account = RegistrationSection(**entry).to_account()
    assert (str(account.registrar), account.auth_username) == ("sip:reg.carrier.example", "user")
    assert str(account.address) == "<sip:0053000@d.example>"
    assert account.number == ""


def test_a_carrier_that_needs_it_is_registered_without_being_asked() -> None:
    """A line of Novofon takes calls in only so."""
    (entry,) = registrations(
        line(f'{{name: a, carrier: novofon-line, platform: v2, numbers: ["+74950000001"], {LOGIN}}}'),
        secrets=True,
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
    assert registrations(config, secrets=True) == []


def test_a_rendered_file_has_no_password() -> None:
    """The bridge then finds it in its environment, by the name that it is registered under."""
    config = line(f'{{name: main-line, numbers: ["0053000"], host: c.example, {LOGIN}, register: {{}}}}')
    place = place_of(config.bridge)
    (whole,) = bridge(config, place, secrets=True)["sip_registrations"]
    assert whole["password"] == "secret"
    (entry,) = bridge(config, place)["sip_registrations"]
    assert "password" not in entry
    settings = bridge(config, place)
    keys = {"LIVEKIT_API_KEY": "k", "LIVEKIT_API_SECRET": "s"}
    read = read_config(settings, {**keys, "SIP_PASSWORD_MAIN_LINE": "from outside"})
    assert read.sip_registrations[0].password == "from outside"
    with pytest.raises(ConfigError, match="main-line") as missing:
        read_config(settings, keys)
    assert "SIP_PASSWORD_MAIN_LINE" in (missing.value.fix or "")


def test_what_a_carrier_allows_is_told_to_the_bridge() -> None:
    """Trunks that say max_calls, by their numbers and login; the bridge reads it as its own limit."""
    config = line(
        f"""
        {{name: a, numbers: ["+7 495 000-00-01"], host: sip.carrier.example, {LOGIN}, max_calls: 5}}
        {{name: b, numbers: ["+74950000002"], host: sip.carrier.example}}
        """
    )
    (limit,) = trunk_limits(config)
    assert limit == {"name": "a", "numbers": ["+74950000001", "0053000"], "max_calls": 5}
    cap = TrunkLimitSection(**limit).to_cap()
    assert (cap.name, cap.numbers, cap.calls) == ("a", frozenset({"74950000001", "0053000"}), 5)
    assert bridge(config, place_of(config.bridge))["trunk_limits"] == [limit]


def test_a_number_of_several_lines_counts_towards_none() -> None:
    """What two trunks show alike tells nothing of the line; in and out of one line are not two lines."""
    config = line(
        """
        {name: narrow, outbound_only: true, numbers: ["+74950000001"], host: a.example, max_calls: 1}
        {name: wide, outbound_only: true, numbers: ["+74950000001"], host: b.example}
        {name: own, outbound_only: true, numbers: ["+74950000002"], host: c.example, max_calls: 2}
        {name: in, inbound_only: true, numbers: ["+74950000002"], allowed_addresses: ["192.0.2.1"]}
        """
    )
    assert trunk_limits(config) == [{"name": "own", "numbers": ["+74950000002"], "max_calls": 2}]
