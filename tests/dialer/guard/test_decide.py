from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.calls.cost import CarrierPrice, PriceTable
from telephony.dialer.guard.decide import LINES, decide, decide_destination
from telephony.dialer.guard.hours import Hours
from telephony.dialer.guard.kinds import ALLOWABLE, Kind
from telephony.dialer.guard.rules import GuardRules, Limits, TrunkRules
from telephony.dialer.guard.usage import Tally, Usage
from telephony.dialer.guard.verdict import KeyFacts, Verdict, Wanted
from tests.dialer.guard.rules import NOW, OWN, TRUNK, rules

pytestmark = pytest.mark.pure

MOSCOW = "+74957654321"
FULL = Tally(calls=1000, seconds=1e6, micros=10**9, active=1000, oldest=NOW - timedelta(hours=20))
PRICES = PriceTable(
    currency="EUR",
    carriers=[
        CarrierPrice(direction="inbound", per_minute=9),
        CarrierPrice(direction="outbound", prefix="+7", per_minute=0.02),
        CarrierPrice(direction="outbound", prefix="+7495", per_minute=0.01, increment_s=1),
    ],
)


def verdict(to: str = MOSCOW, given: GuardRules | None = None, usage: Usage | None = None) -> Verdict:
    return decide(Wanted(to), given or rules(), usage or Usage(), NOW)


def refused_by(found: Verdict) -> str | None:
    assert found.allowed == (found.refusal is None)
    return found.refusal.name if found.refusal else None


def test_a_call_that_everything_allows_passes() -> None:
    """The number is in E.164, the trunk is named, and so are the numbers that it may show."""
    found = verdict("8 (495) 765-43-21")
    assert found.allowed
    assert (found.number, found.trunk) == (MOSCOW, "novofon")
    assert OWN in found.caller_ids
    assert found.notes
    assert all(check.passed for check in found.checks)


def test_the_defaults_allow_nothing() -> None:
    """Rules that nobody wrote refuse every number there is."""
    found = decide(Wanted(MOSCOW), GuardRules(), Usage(), NOW)
    assert not found.allowed
    failed = {check.name for check in found.checks if not check.passed}
    assert {"enabled", "country", "trunk"} <= failed


@pytest.mark.parametrize(
    ("to", "name"),
    [
        ("+18005550123", "country"),
        ("+77012345678", "country"),
        ("87012345678", "country"),
        ("810442079460000", "country"),
        ("+84951234567", "country"),
        ("+78091234567", "kind"),
        ("+78001234567", "kind"),
        ("+79401234567", "prefix"),
        ("+870773111234", "country"),
        ("+979123456789", "country"),
        ("+882161234567", "country"),
        ("112", "number"),
        ("0900", "number"),
        ("nonsense", "number"),
        (OWN, "own_number"),
        ("8 495 123-45-67", "own_number"),
    ],
)
def test_what_costs_or_comes_back_is_refused_by_default(to: str, name: str) -> None:
    """Other countries, premium, toll-free, satellite, short and emergency numbers, risks, ourselves."""
    found = verdict(to)
    assert refused_by(found) == name
    assert not found.transient


@given(st.sampled_from([kind for kind in ALLOWABLE if kind not in (Kind.FIXED_LINE, Kind.MOBILE)]))
def test_a_kind_passes_only_where_it_is_named(kind: Kind) -> None:
    """The file may allow each one, and only that one."""
    numbers = {
        Kind.PREMIUM: "+78091234567",
        Kind.TOLL_FREE: "+78001234567",
        Kind.SATELLITE: "+870773111234",
        Kind.NETWORK: "+882161234567",
    }
    for each, number in numbers.items():
        found = verdict(number, rules(allowed_kinds=frozenset({kind})))
        assert found.allowed == (each is kind)


def test_a_single_number_may_be_named() -> None:
    """An echo test passes as it is written; an emergency number does not even so."""
    named = rules(extra_numbers=frozenset({"4444", "78091234567", "112"}))
    assert verdict("4444", named).number == "4444"
    assert verdict("4444", named).allowed
    assert verdict("+7 809 123-45-67", named).allowed
    assert refused_by(verdict("112", named)) == "number"
    assert refused_by(verdict("+7112", named)) == "number"


def test_denied_beginnings_are_denied_even_in_an_allowed_country() -> None:
    """The operator's own list comes before the known one."""
    assert refused_by(verdict(MOSCOW, rules(denied_prefixes=("+7495",)))) == "prefix"
    found = verdict("+79401234567", rules(known_risks={}))
    assert found.allowed


def test_the_caller_id_must_be_the_trunks() -> None:
    """In any spelling; another's number is never shown."""
    for shown in (OWN, "84951234567", "74951234567", "+7 (495) 123-45-67"):
        found = decide(Wanted(MOSCOW, from_=shown), rules(), Usage(), NOW)
        assert found.caller_ids == (OWN,)
    found = decide(Wanted(MOSCOW, from_="+74959999999"), rules(), Usage(), NOW)
    assert refused_by(found) == "caller_id"
    assert found.caller_ids == ()


def test_a_login_may_be_shown_where_the_trunk_has_one() -> None:
    """A line's login is no telephone number and is compared letter by letter."""
    login = replace(TRUNK, caller_ids=("0053000",))
    assert decide(Wanted(MOSCOW, from_="0053000"), rules(trunks=(login,)), Usage(), NOW).allowed
    assert (
        refused_by(decide(Wanted(MOSCOW, from_="53000"), rules(trunks=(login,)), Usage(), NOW)) == "caller_id"
    )


def test_the_first_trunk_that_has_a_line_carries_the_call() -> None:
    """A named trunk is taken or nothing; an unknown one is refused."""
    full = TrunkRules("a", "sip_trunks[0]", (OWN,), max_calls=3)
    free = TrunkRules("b", "sip_trunks[1]", (OWN,), max_calls=3)
    two, usage = rules(trunks=(full, free)), Usage(active_by_trunk={"a": 1})
    assert decide(Wanted(MOSCOW), two, usage, NOW).trunk == "b"
    named = decide(Wanted(MOSCOW, trunk="a"), two, usage, NOW)
    assert (refused_by(named), named.transient) == ("trunk_lines", True)
    assert refused_by(decide(Wanted(MOSCOW, trunk="c"), two, usage, NOW)) == "trunk"
    assert refused_by(decide(Wanted(MOSCOW), rules(trunks=()), usage, NOW)) == "trunk"


@pytest.mark.parametrize(("inbound", "allowed"), [(0, True), (7, True), (8, False), (10, False)])
def test_callers_keep_the_last_lines(inbound: int, allowed: bool) -> None:
    """Ten lines of the worker, two kept: with eight callers up, nothing is dialled."""
    found = verdict(usage=Usage(inbound=inbound))
    assert found.allowed is allowed
    if not allowed:
        assert refused_by(found) == "worker_lines"
        assert found.transient


def test_a_trunks_lines_count_calls_both_ways() -> None:
    """Calls in are told apart by the number that was called; a trunk for calls out keeps no line."""
    four = replace(TRUNK, max_calls=4)
    usage = Usage(active_by_trunk={"novofon": 1}, inbound=2, inbound_by_number={"74951234567": 1, "7495": 1})
    assert refused_by(verdict(given=rules(trunks=(four,)), usage=usage)) == "trunk_lines"
    only_out = replace(four, takes_calls_in=False)
    assert verdict(given=rules(trunks=(only_out,)), usage=usage).allowed


def test_lines_that_are_all_kept_are_never_free() -> None:
    """Waiting does not help then, and the setting to change is named."""
    found = verdict(given=rules(worker_calls=2))
    assert found.refusal is not None
    assert (found.refusal.setting, found.transient) == ("outbound.reserved_for_inbound", False)


@pytest.mark.parametrize(
    ("per_second", "begun_s_ago", "wait_s"),
    [
        (1.0, [0.4], 0.6),
        (1.0, [1.0], None),
        (10.0, [0.1] * 10, 0.9),
        (10.0, [0.1] * 9, None),
        (0.2, [2.0], 3.0),
    ],
)
def test_a_trunk_begins_calls_no_faster_than_it_may(
    per_second: float, begun_s_ago: list[float], wait_s: float | None
) -> None:
    """The verdict says when the next one may."""
    begun = tuple(NOW - timedelta(seconds=each) for each in begun_s_ago)
    trunk = replace(TRUNK, max_calls_per_second=per_second)
    found = verdict(given=rules(trunks=(trunk,)), usage=Usage(recent_by_trunk={"novofon": begun}))
    assert found.retry_at == (None if wait_s is None else NOW + timedelta(seconds=wait_s))
    assert refused_by(found) == (None if wait_s is None else "trunk_rate")


@pytest.mark.parametrize(
    ("limits", "name"),
    [
        (Limits(concurrent=1000), "concurrency"),
        (Limits(calls=1000), "calls_per_day"),
        (Limits(minutes=1e6 / 60), "minutes_per_day"),
        (Limits(spend_micros=10**9), "spend_per_day"),
    ],
)
def test_each_cap_holds_for_the_line_and_for_a_key(limits: Limits, name: str) -> None:
    """What is full refuses until its oldest call is a day old; a call that ends frees its line at once."""
    tomorrow = None if name == "concurrency" else NOW + timedelta(hours=4)
    by_line = decide(Wanted(MOSCOW), rules(line=limits, prices=PRICES), Usage(line=FULL), NOW)
    assert (refused_by(by_line), by_line.retry_at) == (name, tomorrow)
    key = KeyFacts("k", in_force=True, may_dial=True)
    by_key = decide(
        Wanted(MOSCOW, key=key), rules(line=Limits(), key=limits, prices=PRICES), Usage(key=FULL), NOW
    )
    assert (refused_by(by_key), by_key.retry_at) == (f"key_{name}", tomorrow)


def test_a_keys_own_caps_only_lower_those_of_the_file() -> None:
    """Nothing that is given to a key by the api opens what the file closes."""
    generous = KeyFacts("k", in_force=True, may_dial=True, limits=Limits(calls=10**6))
    strict = KeyFacts("k", in_force=True, may_dial=True, limits=Limits(calls=1))
    usage = Usage(key=Tally(calls=5, oldest=NOW))
    capped = rules(key=Limits(calls=5))
    assert refused_by(decide(Wanted(MOSCOW, key=generous), capped, usage, NOW)) == "key_calls_per_day"
    assert refused_by(decide(Wanted(MOSCOW, key=strict), rules(), usage, NOW)) == "key_calls_per_day"


@pytest.mark.parametrize(
    "key",
    [KeyFacts("k"), KeyFacts("k", in_force=True), KeyFacts("k", may_dial=True)],
    ids=["", "scope", "force"],
)
def test_a_key_must_be_in_force_and_may_dial(key: KeyFacts) -> None:
    """Unknown, revoked, expired, or without the scope: nothing is dialled."""
    assert refused_by(decide(Wanted(MOSCOW, key=key), rules(), Usage(), NOW)) == "key"


def test_a_call_counts_at_its_longest_before_it_is_begun() -> None:
    """Five minutes that are left are enough for a call of five, not for one of ten."""
    usage = Usage(line=Tally(seconds=295 * 60, oldest=NOW))
    assert refused_by(decide(Wanted(MOSCOW), rules(), usage, NOW)) == "minutes_per_day"
    short = Wanted(MOSCOW, max_call_duration_s=300)
    assert decide(short, rules(), usage, NOW).allowed


def test_nobody_may_ask_for_a_longer_call_than_the_file_has() -> None:
    """Ringing and talking are cut to the file's own limits."""
    found = decide(Wanted(MOSCOW, ringing_timeout_s=900, max_call_duration_s=86400), rules(), Usage(), NOW)
    assert (found.ringing_timeout_s, found.max_call_duration_s) == (30, 600)


def test_the_longest_prefix_has_the_price() -> None:
    """By the table's outbound lines alone."""
    assert verdict(given=rules(prices=PRICES)).price_micros == 10_000
    assert verdict("+79161234567", rules(prices=PRICES)).price_micros == 20_000


def test_an_unknown_price_is_not_zero() -> None:
    """Where money is capped, a number without a price is refused; so is one that is too dear."""
    capped = rules(max_price_micros=10_000, prices=PRICES)
    assert verdict(given=capped).allowed
    assert refused_by(verdict("+79161234567", capped)) == "price"
    unpriced = rules(line=Limits(spend_micros=10**9))
    assert refused_by(verdict(given=unpriced)) == "spend_per_day"
    assert refused_by(verdict(given=rules(max_price_micros=10**9))) == "price"


def test_outside_the_hours_the_verdict_says_when() -> None:
    """By the callee's clock; for who does not know the place, all of them."""
    evening = datetime(2026, 11, 23, 18, 0, tzinfo=UTC)
    found = decide(Wanted(MOSCOW), rules(hours=Hours()), Usage(), evening)
    assert (refused_by(found), found.retry_at) == ("hours", datetime(2026, 11, 24, 6, 0, tzinfo=UTC))
    somewhere = rules(hours=Hours(), allowed_kinds=frozenset({Kind.SATELLITE}))
    found = decide(Wanted("+870773111234"), somewhere, Usage(), NOW)
    assert (refused_by(found), found.transient) == ("hours", False)


def test_a_number_that_was_called_today_is_left_alone() -> None:
    """Until the first call of its day is a day old."""
    found = verdict(usage=Usage(number=Tally(calls=1, oldest=NOW - timedelta(hours=1))))
    assert (refused_by(found), found.retry_at) == ("calls_to_number", NOW + timedelta(hours=23))


def test_what_lasts_is_named_before_what_passes() -> None:
    """A foreign number at a busy moment is refused for its country; waiting would not help."""
    found = verdict("+18005550123", usage=Usage(inbound=10))
    assert refused_by(found) == "country"
    assert found.retry_at is None


def test_the_do_not_call_list_is_final() -> None:
    """No setting lifts it."""
    found = verdict(usage=Usage(do_not_call=True))
    assert (refused_by(found), found.transient) == ("do_not_call", False)


def test_a_call_that_may_wait_is_refused_only_for_what_lasts() -> None:
    """That no line is free at this moment is told, and is decided again when one is."""
    busy = Usage(inbound=9, line=Tally(active=50))
    found = decide(Wanted(MOSCOW), rules(), busy, NOW, may_wait=True)
    assert found.allowed
    assert {check.name for check in found.waiting_for} == {"concurrency", "worker_lines"} <= LINES
    never = decide(Wanted(MOSCOW), rules(worker_calls=2), busy, NOW, may_wait=True)
    assert refused_by(never) == "worker_lines"


def test_a_destination_alone_can_be_judged() -> None:
    """For transfers: whom, not how often or when."""
    assert decide_destination("8 495 765-43-21", rules(line=Limits(calls=0))).allowed
    assert refused_by(decide_destination("+78091234567", rules())) == "kind"
    assert refused_by(decide_destination(OWN, rules())) == "own_number"
    assert not decide_destination(MOSCOW, GuardRules()).allowed


def test_no_sentence_has_a_number_in_clear() -> None:
    """What goes to logs and audit names no number whole."""
    for to in (MOSCOW, "84951234567", "442079460000", OWN, "+84951234567"):
        found = decide(Wanted(to, from_="+74959999999"), rules(), Usage(), NOW)
        said = " ".join(check.sentence for check in found.checks)
        assert not any(digits in said for digits in ("4957654321", "4951234567", "4959999999", "2079460000"))


@given(
    st.text(max_size=20) | st.from_regex(r"\+?[0-9]{3,15}", fullmatch=True),
    st.none() | st.text(max_size=20),
    st.booleans(),
)
def test_allowed_means_that_every_check_passed(to: str, shown: str | None, enabled: bool) -> None:
    """Whatever is asked: one check that fails refuses, and it is named."""
    found = decide(Wanted(to, from_=shown), rules(enabled=enabled), Usage(), NOW)
    assert found.allowed == all(check.passed for check in found.checks)
    assert (found.refusal is None) == found.allowed
    assert len({check.name for check in found.checks}) == len(found.checks)
    assert found.to_json()["allowed"] is found.allowed


@pytest.mark.parametrize(("transfer_to", "allowed"), [("+78091234567", False), (MOSCOW, True)])
def test_whom_a_call_may_be_handed_to_is_a_destination(transfer_to: str, allowed: bool) -> None:
    """A number that may not be dialled is not reached by a transfer either."""
    found = decide(Wanted(MOSCOW, transfer_to=transfer_to), rules(), Usage(), NOW)
    assert found.allowed == allowed
    assert refused_by(found) == (None if allowed else "transfer_to")
