"""Explanations: the verdict, the field at fault, and the fix, as an operator reads them."""

from __future__ import annotations

import pytest

from provisioning.explain import Explanation, explain
from provisioning.match import Call
from provisioning.plan import imagined
from tests.provisioning.files import config

pytestmark = pytest.mark.pure

FILE = """
    sip_trunks:
      - name: novofon
        inbound_only: true
        numbers: ["+74951234567", "+74951234568", "0053000"]
        allowed_addresses: ["37.139.38.0/24"]
      - name: vip
        inbound_only: true
        numbers: ["+74950000001"]
        allowed_addresses: ["10.0.0.0/8"]
        allowed_numbers: ["+79160000001"]
        auth_username: u1
        auth_password: p
    routing:
      inbound_rules:
        - {name: reception, trunks: [novofon], numbers: ["74951234567"]}
        - {name: sales, trunks: [novofon], inbound_numbers: ["+74951234568"], assistant: sales}
        - {name: vip, trunks: [vip], rule: {dispatch_rule_individual: {room_prefix: vip, pin: "4711"}}}
    """


def ask(
    to: str,
    *,
    caller: str = "+79161234567",
    source: str = "37.139.38.224",
    text: str = FILE,
    request_uri: str = "",
    pin: str = "",
) -> Explanation:
    lives, names = imagined(config(text))
    call = Call(to_user=to, from_user=caller, source_ip=source)
    return explain(call, lives, names=names, request_uri_user=request_uri, pin=pin)


def candidate(result: Explanation, name: str) -> str:
    return next(f"{c.field}: {c.reason} | {c.fix}" for c in result.candidates if c.name == name)


def test_a_call_that_gets_through_is_told_its_room_and_agent_and_why() -> None:
    """The operator sees what decided: the trunk's number and source, and the rule's exactness."""
    result = ask("74951234567")
    assert (result.verdict, result.room) == ("accepted", "call_+79161234567_<random>")
    assert result.agents == ["trunkline"]
    assert "numbers has +74951234567" in result.because[0]
    assert "numbers has the called number" in result.because[1]
    assert result.fix == ""


def test_a_russian_8_is_seen_for_what_it_is() -> None:
    """84951234567 is the same number dialled at home; LiveKit makes another country of it."""
    result = ask("84951234567")
    assert result.verdict == "dropped"
    assert "how it is dialled at home" in candidate(result, "trunk novofon")
    assert result.fix == (
        'In trunk novofon: have the carrier send +74951234567, or add "84951234567" to numbers.'
    )


def test_a_missing_plus_is_no_matter_to_a_trunk_and_all_to_a_rule() -> None:
    """The trunk takes both spellings, the rule only its own, and the fix says which to write."""
    result = ask("+74951234567")
    assert result.verdict == "dropped"
    assert "compared letter by letter" in candidate(result, "rule reception")
    assert 'write "+74951234567"' in result.fix or 'Write "+74951234567"' in candidate(
        result, "rule reception"
    )


def test_our_own_number_among_the_callers_is_named() -> None:
    """inbound_numbers with our own number never match; the fix moves it."""
    result = ask("+74951234568")
    assert "our own number; but inbound_numbers are callers" in candidate(result, "rule sales")


def test_a_stranger_is_told_by_his_address() -> None:
    """The source that is not let in stands in the reason, with what is."""
    result = ask("74951234567", source="1.2.3.4")
    assert "allowed_addresses lets in 37.139.38.0/24, the call comes from 1.2.3.4" in candidate(
        result, "trunk novofon"
    )


def test_every_field_that_refuses_is_named() -> None:
    """Number, caller and source are told together, so that one correction is enough."""
    result = ask("+74959999999", source="1.2.3.4")
    assert "allowed_numbers, allowed_addresses, numbers" in candidate(result, "trunk vip")


def test_a_pin_and_a_password_are_told_before_the_room() -> None:
    """The caller is challenged, then asked for the PIN; with it the room is his."""
    result = ask("+74950000001", caller="+79160000001", source="10.1.1.1")
    assert (result.verdict, result.challenged) == ("pin", "u1")
    assert "407" in result.sentence
    assert ask("+74950000001", caller="+79160000001", source="10.1.1.1", pin="4711").verdict == "accepted"
    assert ask("+74950000001", caller="+79160000001", source="10.1.1.1", pin="1").verdict == "dropped"


def test_the_request_uri_does_not_count() -> None:
    """A number that stands only in the Request-URI is pointed out."""
    result = ask("0053001", request_uri="74951234567")
    assert any("never at the Request-URI (74951234567)" in hint for hint in result.hints)
    assert any("does not count" in hint for hint in result.hints)


def test_a_login_is_matched_as_it_is_written() -> None:
    """Logins keep their zeros and get no plus."""
    assert "trunk novofon takes the call" in ask("0053000").sentence


def test_two_trunks_for_one_call_are_a_refusal() -> None:
    """What LiveKit keeps side by side it may still refuse to choose between."""
    text = """
        sip_trunks:
          - {name: a, inbound_only: true, allowed_addresses: ["10.0.0.0/8"], allowed_numbers: ["+7916"]}
          - {name: b, inbound_only: true, allowed_addresses: ["10.0.0.0/8"], allowed_numbers: ["+7917"]}
        """
    lives, names = imagined(config(text))
    for live in lives:
        live.message.allowed_numbers[:] = []  # type: ignore[union-attr]
    result = explain(Call("1", "2", "10.0.0.1"), lives, names=names)
    assert result.verdict == "refused"
    assert "trunk a and trunk b all take the call" in result.sentence


def test_no_trunk_at_all_is_said() -> None:
    """An empty server needs a trunk, not a correction."""
    result = ask("1", text="line: x")
    assert (result.verdict, result.fix) == ("dropped", "Make a trunk with this number: there is none at all.")


def test_a_thousand_trunks_are_not_all_shown() -> None:
    """The nearest candidates are shown, the others counted."""
    entries = "\n".join(
        f'      - {{name: t{n}, inbound_only: true, numbers: ["+7495{n:07d}"], '
        'allowed_addresses: ["37.139.38.0/24"]}'
        for n in range(1000)
    )
    result = ask("+74950000500", text=f"sip_trunks:\n{entries}\n")
    assert len(result.candidates) <= 12
    assert result.candidates[0].name == "trunk t500"
    assert result.hidden >= 980
