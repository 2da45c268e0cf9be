"""The order of a plan's writes: every state on the way keeps working calls working."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given, note, settings
from hypothesis import strategies as st
from livekit.protocol.sip import SIPDispatchRule, SIPDispatchRuleInfo, SIPInboundTrunkInfo

from provisioning.claims import claims_of, conflicts
from provisioning.desired import Desired
from provisioning.objects import Kind, Live, copy_of
from provisioning.plan import Plan, plan_objects
from provisioning.probes import probes_for
from provisioning.routing_table import Outcome, RoutingTable
from provisioning.steps import NEW, Chain, Step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provisioning.objects import Message

pytestmark = pytest.mark.pure

NUMBERS = ["+15550001", "+15550002", "+15550003"]
CALLERS = ["+7916001", "+7916002"]


def subset(values: Sequence[str], at_least: int = 0) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), min_size=at_least, max_size=len(values), unique=True)


@st.composite
def states(draw: st.DrawFn) -> list[Desired]:
    """A file's trunks and rules that livekit-server would keep side by side."""
    names = draw(subset(["a", "b", "c"]))
    wanted: list[Desired] = []
    taken: set[str] = set()
    for name in names:
        numbers = [number for number in draw(subset(NUMBERS, 1)) if number not in taken]
        wildcard = draw(st.integers(0, 9)) == 0 and "" not in taken
        if not numbers and not wildcard:
            continue
        taken |= {""} if wildcard else set(numbers)
        trunk = SIPInboundTrunkInfo(name=name, numbers=[] if wildcard else numbers)
        trunk.allowed_addresses.append("10.0.0.0/8")
        wanted.append(Desired(Kind.INBOUND, f"inbound/{name}", (), trunk, {}))
    keys = [desired.key for desired in wanted]
    for name in draw(subset(["r", "s", "t", "u"])) if keys else []:
        rule = SIPDispatchRuleInfo(
            name=name,
            trunk_ids=draw(subset(keys, 1)),
            numbers=draw(subset(NUMBERS)) if draw(st.booleans()) else [],
            inbound_numbers=draw(subset(CALLERS)) if draw(st.integers(0, 3)) == 0 else [],
            rule=SIPDispatchRule(),
        )
        kind = draw(st.sampled_from(["dispatch_rule_individual", "dispatch_rule_callee"]))
        getattr(rule.rule, kind).room_prefix = draw(st.sampled_from(["x", "y"]))
        wanted.append(Desired(Kind.RULE, f"rule/{name}", (), rule, {}))
    rules = [desired.message for desired in wanted if desired.kind is Kind.RULE]
    assume(not conflicts([claims_of(rule) for rule in rules]))
    return wanted


class World:
    """What a server would have after a plan, written down in memory."""

    def __init__(self) -> None:
        self.lives: dict[str, Live] = {}
        self._made = 0

    def plan(self, wanted: list[Desired]) -> Plan:
        return plan_objects(wanted, list(self.lives.values()), "line")

    def write(self, step: Step, ids: dict[str, str]) -> None:
        action = step.action
        object_id = ids.get(action.id, action.id)
        if step.message is None:
            del self.lives[object_id]
            return
        if object_id.startswith(NEW):
            self._made += 1
            object_id = ids[action.id] = f"ID_{self._made:04d}"
        message = copy_of(step.message)
        if isinstance(message, SIPDispatchRuleInfo):
            message.trunk_ids[:] = [ids.get(trunk_id, trunk_id) for trunk_id in message.trunk_ids]
            assert not any(trunk_id.startswith(NEW) for trunk_id in message.trunk_ids)
        self.lives[object_id] = Live(action.kind, object_id, message)

    def table(self) -> RoutingTable:
        return RoutingTable((live.id, live.message) for live in self.lives.values())

    def has_conflicts(self) -> bool:
        kinds: dict[Kind, list[Message]] = {}
        for live in self.lives.values():
            kinds.setdefault(live.kind, []).append(live.message)
        return any(conflicts([claims_of(m) for m in messages]) for messages in kinds.values())


def told(wanted: list[Desired]) -> str:
    """A state in a few words."""
    parts = []
    for desired in wanted:
        m = desired.message
        where = f" on {list(m.trunk_ids)}" if isinstance(m, SIPDispatchRuleInfo) else ""
        who = f" from {list(m.inbound_numbers)}" if isinstance(m, SIPDispatchRuleInfo) else ""
        parts.append(f"{desired.key}: {list(m.numbers)}{where}{who}")
    return "; ".join(parts)


def keyed(outcome: Outcome, ids: dict[str, str]) -> tuple[str, str, str]:
    """An outcome with what does not exist yet and what was made in its place under one name."""
    names = {made: new for new, made in ids.items()}
    if outcome.result in {"dropped", "refused"}:
        return ("refused", "", "")
    return (
        outcome.result,
        names.get(outcome.trunk_id, outcome.trunk_id),
        names.get(outcome.rule_id, outcome.rule_id),
    )


def run(world: World, plan: Plan) -> list[str]:
    """Do a plan and say what went wrong for which call."""
    messages = [m for c in plan.chains for s in c.steps for m in (s.action.before, s.action.after) if m]
    probes = probes_for([*messages, *(live.message for live in world.lives.values())])
    ids: dict[str, str] = {}
    before = [keyed(world.table().outcome(probe.call), ids) for probe in probes]
    trail: list[tuple[Chain, int, list[tuple[str, str, str]]]] = []
    for chain in plan.chains:
        for index, step in enumerate(chain.steps):
            world.write(step, ids)
            assert not world.has_conflicts(), "livekit-server would have refused this write"
            table = world.table()
            trail.append((chain, index, [keyed(table.outcome(probe.call), ids) for probe in probes]))
    after = [keyed(world.table().outcome(probe.call), ids) for probe in probes]
    # What was made first is known by its id only once it is there: name the earlier outcomes alike.
    wrong = []
    for chain, index, outcomes in trail:
        declared = {(gap.number, gap.caller) for gap in chain.gaps if gap.opens <= index <= gap.closes}
        for probe, old, now, new in zip(probes, before, outcomes, after, strict=True):
            if now in (old, new):
                continue
            if old == new and old[0] != "refused":
                wrong.append(f"{probe} is served the same before and after, but not in between: {now}")
            elif (probe.number, probe.caller) not in declared:
                wrong.append(f"{probe}: {old} -> {now} -> {new}, and the plan does not say so")
    return wrong


@pytest.mark.exhaustive
@settings(max_examples=120, deadline=None)
@given(states(), states())
def test_every_call_gets_the_old_or_the_new_and_gaps_are_declared(
    first: list[Desired], second: list[Desired]
) -> None:
    """No write is refused by livekit-server; a call served alike before and after never fails."""
    note(f"from {told(first)}")
    note(f"to {told(second)}")
    world = World()
    assert run(world, world.plan(first)) == []
    plan = world.plan(second)
    assert run(world, plan) == [], [(s.action.key, s.stage) for c in plan.chains for s in c.steps]
    assert world.plan(second).changes == []


@pytest.mark.exhaustive
@settings(max_examples=60, deadline=None)
@given(states(), states(), st.integers(0, 20))
def test_a_plan_cut_off_anywhere_is_completed_by_the_next(
    first: list[Desired], second: list[Desired], cut: int
) -> None:
    """After any prefix of its writes a new plan leads to the same end."""
    world = World()
    run(world, world.plan(first))
    ids: dict[str, str] = {}
    steps = [step for chain in world.plan(second).chains for step in chain.steps]
    for step in steps[:cut]:
        world.write(step, ids)
    run(world, world.plan(second))
    assert world.plan(second).changes == []
    assert {live.message.name for live in world.lives.values()} == {d.message.name for d in second}


def test_a_change_that_decides_nothing_waits_for_nothing() -> None:
    """Rules of one trunk whose rooms change are written side by side; one whose number moves is not."""
    trunk = SIPInboundTrunkInfo(name="a", numbers=NUMBERS)
    world = World()

    def wanted(prefix: str, *, moved: bool = False) -> list[Desired]:
        rules = []
        for n, number in enumerate(NUMBERS):
            taken = NUMBERS[(n + 1) % len(NUMBERS)] if moved else number
            rule = SIPDispatchRuleInfo(name=str(n), trunk_ids=["inbound/a"], numbers=[taken])
            rule.rule.dispatch_rule_callee.room_prefix = prefix
            rules.append(Desired(Kind.RULE, f"rule/{n}", (), rule, {}))
        return [Desired(Kind.INBOUND, "inbound/a", (), trunk, {}), *rules]

    assert run(world, world.plan(wanted("x"))) == []
    assert [len(chain.steps) for chain in world.plan(wanted("y")).chains] == [1, 1, 1]
    assert len(world.plan(wanted("x", moved=True)).chains) == 1


def test_a_new_room_name_does_not_hand_a_call_to_a_rule_of_the_same_priority() -> None:
    """Of two that tie the room's name decides: the one to be deleted lets go before the name changes."""
    trunk = Desired(Kind.INBOUND, "inbound/a", (), SIPInboundTrunkInfo(name="a"), {})
    by_number = SIPDispatchRuleInfo(name="number", trunk_ids=["inbound/a"], numbers=NUMBERS[:1])
    by_number.rule.dispatch_rule_callee.room_prefix = "m"

    def by_caller(prefix: str) -> Desired:
        rule = SIPDispatchRuleInfo(name="caller", trunk_ids=["inbound/a"], inbound_numbers=CALLERS)
        rule.rule.dispatch_rule_callee.room_prefix = prefix
        return Desired(Kind.RULE, "rule/caller", (), rule, {})

    world = World()
    first = [trunk, by_caller("a"), Desired(Kind.RULE, "rule/number", (), by_number, {})]
    assert run(world, world.plan(first)) == []
    assert run(world, world.plan([trunk, by_caller("z")])) == []
    assert world.plan([trunk, by_caller("z")]).changes == []


def test_a_trunk_with_very_many_rules_is_ordered_in_one_look() -> None:
    """Where there are too many to try every order, trunk before rules is made, rules before trunk deleted."""
    numbers = [f"+1555{n:07d}" for n in range(400)]
    trunk = SIPInboundTrunkInfo(name="a", numbers=numbers)
    wanted = [Desired(Kind.INBOUND, "inbound/a", (), trunk, {})]
    for number in numbers:
        rule = SIPDispatchRuleInfo(name=number, trunk_ids=["inbound/a"], numbers=[number])
        rule.rule.dispatch_rule_callee.room_prefix = "x"
        wanted.append(Desired(Kind.RULE, f"rule/{number}", (), rule, {}))
    world = World()
    (chain,) = world.plan(wanted).chains
    assert chain.steps[0].action.kind is Kind.INBOUND
    ids: dict[str, str] = {}
    for step in chain.steps:
        world.write(step, ids)
    assert world.plan(wanted).changes == []
    (chain,) = world.plan([]).chains
    assert chain.steps[-1].action.kind is Kind.INBOUND
