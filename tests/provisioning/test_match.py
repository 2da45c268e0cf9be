"""Matching by tables: each field of a trunk and a rule, and who goes first."""

from __future__ import annotations

import pytest
from livekit.protocol.sip import SIPDispatchRuleInfo, SIPInboundTrunkInfo

from provisioning.match import (
    Call,
    RuleRefusal,
    TrunkRefusal,
    match_rule,
    match_trunk,
    room_name,
    rule_refusal,
    trunk_refusals,
)
from provisioning.spelling import normalise_number, other_spelling, spelled, without_separators

pytestmark = pytest.mark.pure

CALL = Call(to_user="+15550001", from_user="+7916", source_ip="10.0.0.5", from_host="sip.example")


@pytest.mark.parametrize(
    ("number", "normalised"),
    [
        ("", ""),
        ("15550001", "+15550001"),
        ("+1 (555) 000-1", "+15550001"),
        ("0053000", "+0053000"),
        ("bob", "bob"),
        ("+bob", "+bob"),
        ("1;ext=2", "1;ext=2"),
        ("++1", "++1"),
    ],
)
def test_numbers_are_normalised_as_livekit_does(number: str, normalised: str) -> None:
    """Separators out and a plus in front, for numbers alone."""
    assert normalise_number(number) == normalised


def test_spellings_of_a_number() -> None:
    """With and without plus, as a carrier writes it, and logins as they are."""
    assert other_spelling("+7 495") == "7495"
    assert other_spelling("7495") == "+7495"
    assert other_spelling("bob") == "bob"
    assert spelled("+7 (495) 123-45-67", "digits") == "74951234567"
    assert spelled("74951234567", "plus") == "+74951234567"
    assert spelled("0053000", "plus") == "0053000"
    assert without_separators("a b") == "a b"


@pytest.mark.parametrize(
    ("fields", "refusals"),
    [
        ({"numbers": ["+15550001"]}, []),
        ({"numbers": ["1 555 0001"]}, []),
        ({"numbers": ["+15550002"]}, [TrunkRefusal.NUMBER]),
        ({}, []),
        ({"allowed_numbers": ["7916"]}, []),
        ({"allowed_numbers": ["7917"]}, [TrunkRefusal.CALLER]),
        ({"allowed_addresses": ["10.0.0.0/8"]}, []),
        ({"allowed_addresses": ["10.0.0.5"]}, []),
        ({"allowed_addresses": ["10.0.0.6"]}, [TrunkRefusal.SOURCE]),
        ({"allowed_addresses": ["sip.example"]}, []),
        ({"allowed_addresses": ["10.0.0.6/32", "bad;mask"]}, [TrunkRefusal.SOURCE]),
        ({"allowed_addresses": ["bad;mask"]}, []),
        ({"allowed_addresses": ["10.0.0.300/8"]}, [TrunkRefusal.SOURCE]),
        (
            {"numbers": ["2"], "allowed_numbers": ["3"], "allowed_addresses": ["4.4.4.4"]},
            [TrunkRefusal.CALLER, TrunkRefusal.SOURCE, TrunkRefusal.NUMBER],
        ),
    ],
)
def test_a_trunk_takes_or_refuses_by_each_field(fields: dict[str, list[str]], refusals: list[object]) -> None:
    """Numbers are normalised, addresses are ranges, addresses or From hosts, bad masks do not count."""
    assert trunk_refusals(SIPInboundTrunkInfo(**fields), CALL) == refusals  # type: ignore[arg-type]


def test_a_source_that_is_no_address_is_let_in() -> None:
    """As the server does: it has been asked by a bridge that knows better."""
    trunk = SIPInboundTrunkInfo(allowed_addresses=["10.0.0.0/8"])
    assert trunk_refusals(trunk, Call("1", "2", "not-an-address")) == []


def test_a_trunk_with_the_number_goes_before_one_without_numbers() -> None:
    """A trunk without numbers takes only what no other one does."""
    wildcard = SIPInboundTrunkInfo(sip_trunk_id="ST_a")
    specific = SIPInboundTrunkInfo(sip_trunk_id="ST_b", numbers=["15550001"])
    found = match_trunk([wildcard, specific], CALL).trunk
    assert found is not None
    assert found.sip_trunk_id == "ST_b"
    assert match_trunk([wildcard, wildcard], CALL).rivals == (wildcard, wildcard)
    assert match_trunk([], CALL).trunk is None


def make_rule(name: str, pin: str = "", kind: str = "individual", **fields: object) -> SIPDispatchRuleInfo:
    rule = SIPDispatchRuleInfo(name=name, sip_dispatch_rule_id=f"SDR_{name}", **fields)  # type: ignore[arg-type]
    part = getattr(rule.rule, f"dispatch_rule_{kind}")
    part.SetInParent()
    part.pin = pin
    if kind == "direct":
        part.room_name = name
    else:
        part.room_prefix = name
    return rule


TRUNK = SIPInboundTrunkInfo(sip_trunk_id="ST_1", numbers=["+15550001"])


@pytest.mark.parametrize(
    ("rules", "picked"),
    [
        ([make_rule("any"), make_rule("own", trunk_ids=["ST_1"])], "own"),
        (
            [
                make_rule("all", trunk_ids=["ST_1"]),
                make_rule("num", trunk_ids=["ST_1"], numbers=["+15550001"]),
            ],
            "num",
        ),
        (
            [
                make_rule("num", trunk_ids=["ST_1"], numbers=["+15550001"]),
                make_rule("who", trunk_ids=["ST_1"], numbers=["+15550001"], inbound_numbers=["+7916"]),
            ],
            "who",
        ),
        ([make_rule("open", trunk_ids=["ST_1"]), make_rule("pin", "12", trunk_ids=["ST_1"])], "pin"),
        ([make_rule("num", trunk_ids=["ST_1"], numbers=["15550001"])], None),
        ([make_rule("other", trunk_ids=["ST_2"])], None),
        ([], None),
    ],
)
def test_the_most_exact_rule_is_picked(rules: list[SIPDispatchRuleInfo], picked: str | None) -> None:
    """Own trunk before any trunk, caller and number before number before all, a PIN before none."""
    found = match_rule(TRUNK, rules, CALL).rule
    assert (found.name if found is not None else None) == picked


def test_two_rules_that_claim_the_same_stop_every_call() -> None:
    """Also a rule that has one number in two spellings."""
    twins = [make_rule("a", trunk_ids=["ST_1"]), make_rule("b", trunk_ids=["ST_1"], kind="callee")]
    assert [rule.name for rule in match_rule(TRUNK, twins, CALL).rivals] == ["a", "b"]
    double = make_rule("c", trunk_ids=["ST_1"], numbers=["+15550001", "15550001"])
    assert [rule.name for rule in match_rule(TRUNK, [double], CALL).rivals] == ["c", "c"]


def test_pins() -> None:
    """At first every rule counts, then only that PIN's, and without a PIN only open rules."""
    rules = [make_rule("open", trunk_ids=["ST_1"]), make_rule("pin", "12", trunk_ids=["ST_1"])]
    assert match_rule(TRUNK, rules, CALL, pin="12").rule is rules[1]
    assert match_rule(TRUNK, rules, CALL, pin="99").rule is None
    assert match_rule(TRUNK, rules, CALL, no_pin=True).rule is rules[0]
    assert rule_refusal(rules[1], TRUNK, CALL, pin="99", no_pin=False) is RuleRefusal.PIN


def test_rooms_hide_numbers_when_told_so() -> None:
    """Only the last digits of a hidden caller are in the room's name."""
    rule = make_rule("call", hide_phone_number=True)
    assert room_name(rule, Call("1", "+79161234567", "10.0.0.1")) == "call_4567_<random>"
    assert room_name(rule, Call("1", "7", "10.0.0.1")) == "call_7_<random>"
