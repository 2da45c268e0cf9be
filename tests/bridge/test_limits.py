"""Which calls get a place, and which are refused."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.bridge.limits import CallLimits, Caps, TrunkCap

pytestmark = pytest.mark.pure


def test_without_limits_every_call_gets_a_place() -> None:
    """0 is no limit, of whatever kind."""
    limits = CallLimits()
    assert all(limits.enter(str(number), "192.0.2.1") is None for number in range(500))
    assert all(limits.on_trunk(str(number), "ST_1") is None for number in range(500))
    assert not limits.is_full


def test_the_last_place_is_free_again_when_its_call_is_over() -> None:
    """In all, from a source and on a trunk; a second end frees nothing more."""
    limits = CallLimits(Caps(in_all=1))
    assert limits.enter("a") is None
    assert limits.is_full
    refused = limits.enter("b")
    assert refused is not None
    assert (refused.status, refused.field, refused.retry_after_s) == (503, "max_active_calls", 5)
    limits.leave("a")
    limits.leave("a")
    assert limits.enter("b") is None
    assert limits.enter("c") is not None


def test_a_source_is_limited_by_itself() -> None:
    """Another address is not kept out by it, and calls of our own have no source."""
    limits = CallLimits(Caps(per_source=1, status=486))
    assert limits.enter("a", "192.0.2.1") is None
    refused = limits.enter("b", "192.0.2.1")
    assert refused is not None
    assert (refused.status, refused.reason, refused.retry_after_s) == (486, "Busy Here", None)
    assert refused.field == "max_calls_per_source"
    assert limits.enter("c", "192.0.2.2") is None
    assert limits.enter("d") is None
    assert limits.enter("e") is None


def test_a_trunk_is_limited_by_itself() -> None:
    """A call counts on its trunk once; one that no trunk takes counts on none."""
    limits = CallLimits(Caps(per_trunk=1))
    for name in "abcd":
        assert limits.enter(name, "192.0.2.1") is None
    assert limits.on_trunk("a", "ST_1") is None
    assert limits.on_trunk("a", "ST_1") is None
    refused = limits.on_trunk("b", "ST_1")
    assert refused is not None
    assert (refused.status, refused.field) == (503, "max_calls_per_trunk")
    assert "ST_1" in refused.sentence
    assert limits.on_trunk("c", "ST_2") is None
    assert limits.on_trunk("d", "") is None
    limits.leave("a")
    assert limits.on_trunk("b", "ST_1") is None


@given(
    caps=st.builds(Caps, in_all=st.integers(0, 4), per_trunk=st.integers(0, 3), per_source=st.integers(0, 3)),
    steps=st.lists(
        st.tuples(st.booleans(), st.integers(0, 9), st.sampled_from("xyz"), st.sampled_from("ST"))
    ),
)
def test_no_limit_is_ever_exceeded(caps: Caps, steps: list[tuple[bool, int, str, str]]) -> None:
    """Whatever order calls come and go in; and a place is refused only where a limit is reached."""
    limits = CallLimits(caps)
    up: dict[str, tuple[str, str]] = {}
    for comes, number, source, trunk in steps:
        name = str(number)
        if not comes or name in up:
            limits.leave(name)
            up.pop(name, None)
            continue
        sources, trunks = Counter(one[0] for one in up.values()), Counter(one[1] for one in up.values())
        has_room = (not caps.in_all or len(up) < caps.in_all) and (
            not caps.per_source or sources[source] < caps.per_source
        )
        refused = limits.enter(name, source)
        assert (refused is None) == has_room
        if refused is not None:
            continue
        refused = limits.on_trunk(name, trunk)
        assert (refused is None) == (not caps.per_trunk or trunks[trunk] < caps.per_trunk)
        if refused is None:
            up[name] = (source, trunk)
        else:
            limits.leave(name)


def test_a_line_of_a_carrier_has_its_own_limit() -> None:
    """By its numbers, with or without the plus, both directions together; other trunks keep theirs."""
    line = TrunkCap("novofon", frozenset({"74951234567", "0053000"}), 2)
    limits = CallLimits(Caps(per_trunk=1, of_trunks=(line,)))
    for name in "abcdef":
        assert limits.enter(name) is None
    assert limits.on_trunk("a", "ST_in", "+74951234567") is None
    assert limits.on_trunk("b", "ST_out", "0053000") is None
    refused = limits.on_trunk("c", "ST_in", "74951234567")
    assert refused is not None
    assert refused.field == "sip_trunks.novofon.max_calls"
    assert limits.on_trunk("d", "ST_other", "+15550100100") is None
    assert limits.on_trunk("e", "ST_other", "+15550100100") is not None
    limits.leave("a")
    assert limits.on_trunk("c", "ST_in", "74951234567") is None
    kept = CallLimits(Caps(reserved=1, of_trunks=(line,)))
    assert kept.enter("a", out=True) is None
    assert kept.on_trunk("a", "ST_out", "0053000") is None
    assert kept.enter("b", out=True) is None
    last = kept.on_trunk("b", "ST_out", "0053000")
    assert last is not None
    assert last.field == "reserved_inbound_calls"


@pytest.mark.parametrize(("reserved", "calls_out"), [(0, 4), (1, 3), (3, 1), (4, 0), (9, 0)])
def test_the_last_places_are_kept_for_callers(reserved: int, calls_out: int) -> None:
    """Calls out leave them free, in all and on a trunk; callers may have every one."""
    caps = Caps(in_all=4, reserved=reserved)
    limits = CallLimits(caps)
    refused = [limits.enter(f"out{n}", out=True) for n in range(6)]
    assert sum(each is None for each in refused) == calls_out
    assert all(limits.enter(f"in{n}", "192.0.2.1") is None for n in range(4 - calls_out))
    assert limits.is_full
    on_trunk = CallLimits(Caps(per_trunk=4, reserved=reserved))
    assert all(on_trunk.enter(f"out{n}", out=True) is None for n in range(6))
    kept = [on_trunk.on_trunk(f"out{n}", "ST_1") for n in range(6)]
    assert sum(each is None for each in kept) == calls_out
    assert on_trunk.enter("in", "192.0.2.1") is None
    assert (on_trunk.on_trunk("in", "ST_1") is None) == (calls_out < 4)
    if 0 < reserved < 4:
        first = next(each for each in refused if each is not None)
        assert (first.status, first.field) == (503, "reserved_inbound_calls")
