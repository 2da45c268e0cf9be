"""Carrier packs: every fact sourced, nothing guessed, and what they fill in."""

from __future__ import annotations

import pytest

from provisioning.carriers.fill import filled
from provisioning.carriers.pack import Facts, all_packs, load_pack
from provisioning.desired import desired_objects
from provisioning.exposure import is_open_to_the_world
from telephony.errors import ConfigError
from tests.provisioning.files import config

pytestmark = pytest.mark.pure


@pytest.mark.parametrize("pack", all_packs(), ids=lambda pack: pack.id)
def test_every_fact_has_a_source_or_a_question(pack: object) -> None:
    """What is known says who says so; what is not known says what to ask."""
    facts = getattr(pack, "facts")  # noqa: B009 - a pack of any carrier
    for name in Facts.model_fields:
        fact = getattr(facts, name)
        assert (fact.value is None) == (fact.confidence == "unknown"), name
        assert fact.ask if fact.value is None else fact.source, name


def test_nothing_is_known_of_a_carrier_that_nobody_named() -> None:
    """The generic carrier fills nothing in."""
    pack = load_pack("generic")
    assert all(pack.known(name) is None for name in Facts.model_fields)


def test_an_unknown_carrier_is_refused() -> None:
    """The error says where the known ones are listed."""
    with pytest.raises(ConfigError, match="no carrier named"):
        load_pack("../../etc/passwd")


def test_a_novofon_trunk_is_closed_and_complete_from_two_lines() -> None:
    """Address, ranges, transport and From host come from the pack; calls go both ways."""
    (trunk,) = config("sip_trunks: [{name: n, carrier: novofon-trunk, numbers: ['+74951234567']}]").sip_trunks
    full = filled(trunk)
    assert (full.host, full.port, full.transport, full.from_host) == (
        "sip.novofon.ru",
        5060,
        "udp",
        "sip.novofon.ru",
    )
    assert full.dial_format == "digits"
    assert not is_open_to_the_world(full)
    keys = [desired.key for desired in desired_objects(config("sip_trunks: " + _NOVOFON))]
    assert keys == ["inbound/n", "outbound/n"]


_NOVOFON = "[{name: n, carrier: novofon-trunk, numbers: ['+74951234567']}]"


def test_what_the_file_says_goes_before_the_pack() -> None:
    """A pack never overrules the operator."""
    text = "sip_trunks: [{name: n, carrier: novofon-trunk, numbers: ['1'], host: own.example, port: 5080, "
    (trunk,) = config(text + "allowed_addresses: ['198.51.100.0/24'], dial_format: plus}]").sip_trunks
    full = filled(trunk)
    assert (full.host, full.port, full.dial_format) == ("own.example", 5080, "plus")
    assert full.allowed_addresses == ["198.51.100.0/24"]


def test_a_product_for_one_direction_makes_one_trunk() -> None:
    """Zadarma's trunk carries calls out, its SIP URI mode calls in, with the dialled number from a header."""
    text = """
        sip_trunks:
          - {name: out, carrier: zadarma-trunk, numbers: ["+74951234567"]}
          - {name: in, carrier: zadarma-uri, numbers: ["+74951234567"]}
        """
    objects = {desired.key: desired.message for desired in desired_objects(config(text))}
    assert list(objects) == ["outbound/out", "inbound/in"]
    assert dict(objects["inbound/in"].headers_to_attributes) == {  # type: ignore[union-attr]
        "CALLED_DID": "carrier.calledNumber"
    }
