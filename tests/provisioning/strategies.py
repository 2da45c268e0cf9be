"""Random trunks, rules and calls that meet often: few numbers, few callers, few addresses."""

from __future__ import annotations

from hypothesis import strategies as st
from livekit.protocol.sip import SIPDispatchRule, SIPDispatchRuleInfo, SIPInboundTrunkInfo

from provisioning.match import Call

NUMBERS = ["+15550001", "15550001", "+1 (555) 0001", "+15550002", "15550002", "0053000", "bob"]
CALLERS = ["+79160000001", "79160000001", "anonymous", "+79160000002"]
ADDRESSES = ["10.0.0.0/8", "10.1.2.3", "10.1.2.3/32", "sip.example", "0.0.0.0/0", "bad mask", "2001:db8::/32"]
SOURCES = ["10.1.2.3", "10.9.9.9", "192.0.2.1", "2001:db8::5"]
HOSTS = ["sip.example", "10.1.2.3", "elsewhere.example"]
PINS = ["", "", "", "1234", "99"]


def some(values: list[str], at_most: int = 2) -> st.SearchStrategy[list[str]]:
    """Few of them, often none."""
    if not values:
        return st.just([])
    return st.lists(st.sampled_from(values), max_size=at_most, unique=True)


@st.composite
def trunks(draw: st.DrawFn, addresses: list[str] = ADDRESSES) -> SIPInboundTrunkInfo:
    """An inbound trunk that livekit-server would keep on its own."""
    trunk = SIPInboundTrunkInfo(
        name="trunk",
        numbers=draw(some(NUMBERS, 3)),
        allowed_numbers=draw(some(CALLERS)),
        allowed_addresses=draw(some(addresses)),
    )
    if draw(st.booleans()) or not (trunk.numbers or trunk.allowed_addresses):
        trunk.auth_username, trunk.auth_password = "user", "word"
    return trunk


@st.composite
def rule_kinds(draw: st.DrawFn) -> SIPDispatchRule:
    """Any of the three kinds, sometimes with a PIN."""
    kind, rule = draw(st.sampled_from(["direct", "individual", "callee"])), SIPDispatchRule()
    room, pin = draw(st.sampled_from(["a", "b", ""])), draw(st.sampled_from(PINS))
    if kind == "direct":
        rule.dispatch_rule_direct.room_name, rule.dispatch_rule_direct.pin = room, pin
    elif kind == "individual":
        rule.dispatch_rule_individual.room_prefix, rule.dispatch_rule_individual.pin = room, pin
        rule.dispatch_rule_individual.no_randomness = draw(st.booleans())
    else:
        rule.dispatch_rule_callee.room_prefix, rule.dispatch_rule_callee.pin = room, pin
        rule.dispatch_rule_callee.randomize = draw(st.booleans())
    return rule


@st.composite
def rules(draw: st.DrawFn, trunk_ids: list[str]) -> SIPDispatchRuleInfo:
    """A dispatch rule on some of the trunks, or on all."""
    return SIPDispatchRuleInfo(
        name="rule",
        rule=draw(rule_kinds()),
        trunk_ids=draw(some(trunk_ids)),
        numbers=draw(some(NUMBERS)),
        inbound_numbers=draw(some(CALLERS)),
        hide_phone_number=draw(st.booleans()),
    )


calls = st.builds(
    Call,
    to_user=st.sampled_from(NUMBERS),
    from_user=st.sampled_from(CALLERS),
    source_ip=st.sampled_from(SOURCES),
    from_host=st.sampled_from(HOSTS),
)
"""A call that a trunk or rule may have been made for."""
