"""In which order a plan's changes are made, so that no call that works fails meanwhile. Pure.

Every candidate order is tried on a ``RoutingTable``: the change after which every probe call gets either
what it got before or what it will get afterwards goes first. Where LiveKit allows no such order (a number
moves between trunks, and it refuses to have it in both), the release and the claim stand side by side
and the gap is reported.
"""

from __future__ import annotations

import bisect
import itertools
from collections import defaultdict
from typing import TYPE_CHECKING

from livekit.protocol.sip import SIPDispatchRuleInfo, SIPInboundTrunkInfo, SIPOutboundTrunkInfo

from provisioning.components import components
from provisioning.match import pin_of, room_of, rule_priority
from provisioning.objects import Kind, Message, copy_of
from provisioning.ownership import short_hash
from provisioning.probes import Probe, probes_for
from provisioning.spelling import normalise_number
from provisioning.steps import NEW, Action, Chain, Gap, Step
from provisioning.ties import Ties

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from provisioning.routing_table import Outcome, RoutingTable

_TRIED_AT_MOST = 40
_WRONG_RULE, _NOT_TAKEN, _UNTOUCHED = 10, 1, 1000


def ordered(actions: Sequence[Action], table: RoutingTable) -> list[Chain]:
    """Order the changes of a plan.

    Args:
        actions: every change.
        table: what the server has now; it is changed to what the server will have.
    """
    now_and_then = [*table.rules(), *(action.after for action in actions)]
    ties = Ties(message for message in now_and_then if isinstance(message, SIPDispatchRuleInfo))
    quiet: list[Action] = []
    others: list[Action] = []
    for action in actions:
        (quiet if _decides_nothing(action, ties) else others).append(action)
    alone = [Chain([Step(action, action.after)]) for action in quiet]
    for action in quiet:
        assert action.after is not None
        table.put(action.id, action.after)
    wildcards = table.trunks_without_numbers()
    return alone + [_order_component(component, table) for component in components(others, wildcards)]


def _decides_nothing(action: Action, ties: Ties) -> bool:
    """Whether a change leaves open to every call what it gets, so that it may be made at any time."""
    before, after = action.before, action.after
    if isinstance(before, SIPInboundTrunkInfo) and isinstance(after, SIPInboundTrunkInfo):
        return all(
            sorted(getattr(before, name)) == sorted(getattr(after, name))
            for name in ("numbers", "allowed_addresses", "allowed_numbers")
        )
    if isinstance(before, SIPDispatchRuleInfo) and isinstance(after, SIPDispatchRuleInfo):
        return (
            (room_of(before) == room_of(after) or not ties.may_tie(after))
            and before.rule.WhichOneof("rule") == after.rule.WhichOneof("rule")
            and pin_of(before) == pin_of(after)
            and all(
                sorted(getattr(before, name)) == sorted(getattr(after, name))
                for name in ("trunk_ids", "numbers", "inbound_numbers")
            )
        )
    return False


def _order_component(actions: list[Action], table: RoutingTable) -> Chain:
    if len(actions) == 1 and actions[0].kind is Kind.OUTBOUND:
        return Chain([Step(actions[0], actions[0].after)])
    return _Ordering(actions, table).run()


class _Ordering:
    """The search within one group of actions."""

    def __init__(self, actions: list[Action], table: RoutingTable) -> None:
        self._actions = actions
        self._table = table
        self._result = Chain()
        self._thorough = len(actions) <= _TRIED_AT_MOST
        self._probes = probes_for(self._messages()) if self._thorough else []
        self._before = [table.outcome(probe.call) for probe in self._probes]
        self._after = self._outcomes_at_the_end()
        self._open: dict[tuple[str, str], tuple[int, bool]] = {}

    def run(self) -> Chain:
        pending = sorted((self._first_step(action) for action in self._actions), key=_rank)
        while pending:
            # Where nothing is tried, the first that is legal will do; looking at all would take squares.
            found = (step for step in pending if self._is_legal(step, pending))
            legal = list(found if self._thorough else itertools.islice(found, 1))
            step = self._best(legal + self._retreats(pending, legal)) if legal else self._park(pending)
            self._perform(step)
            if step in pending:
                pending.remove(step)
            if step.stage == "staged":
                bisect.insort(pending, Step(step.action, step.action.after), key=_rank)
        return self._result

    def _messages(self) -> list[Message]:
        """What the actions are about, with the trunks and rules that go with it and stay as they are."""
        own = [m for action in self._actions for m in (action.before, action.after) if m is not None]
        ids = dict.fromkeys(action.id for action in self._actions if action.kind is Kind.INBOUND)
        ids |= {n: None for m in own if isinstance(m, SIPDispatchRuleInfo) for n in m.trunk_ids}
        return own + [message for n in ids for message in self._table.around(n)]

    def _outcomes_at_the_end(self) -> list[Outcome]:
        for action in self._actions:
            self._write(action.id, action.after)
        outcomes = [self._table.outcome(probe.call) for probe in self._probes]
        for action in self._actions:
            self._write(action.id, action.before)
        return outcomes

    def _write(self, object_id: str, message: Message | None) -> None:
        if message is None:
            self._table.remove(object_id)
        else:
            self._table.put(object_id, message)

    def _first_step(self, action: Action) -> Step:
        """A new trunk for numbers that are served now is staged first, until its rules are there."""
        after = action.after
        if action.before is None and isinstance(after, SIPInboundTrunkInfo) and self._is_awaited(action):
            staged = SIPInboundTrunkInfo()
            staged.CopyFrom(after)
            staged.numbers[:] = [_parking_number(action.id)]
            return Step(action, staged, "staged")
        return Step(action, after)

    def _is_awaited(self, action: Action) -> bool:
        if self._thorough:
            numbers = {normalise_number(n) for n in action.after.numbers} if action.after else set()
            return any(
                outcome.result in {"accepted", "pin"}
                for probe, outcome in zip(self._probes, self._before, strict=True)
                if not numbers or normalise_number(probe.call.to_user) in numbers
            )
        return bool(action.after and self._table.blockers(action.id, action.after))

    def _is_legal(self, step: Step, pending: list[Step]) -> bool:
        message = step.message
        if message is None:
            return all(other.message is None for other in pending)
        if isinstance(message, SIPDispatchRuleInfo) and any(
            trunk_id.startswith(NEW) and trunk_id not in self._table for trunk_id in message.trunk_ids
        ):
            return False
        return not self._table.blockers(step.action.id, message)

    def _best(self, legal: list[Step]) -> Step:
        if not self._thorough or len(legal) == 1:
            return min(legal, key=_rank)
        return min(legal, key=lambda step: (self._badness_after(step), _rank(step)))

    def _badness_after(self, step: Step) -> int:
        current = self._current(step.action)
        self._write(step.action.id, step.message)
        badness = sum(weight for _, weight in self._disturbed())
        self._write(step.action.id, current)
        return badness

    def _current(self, action: Action) -> Message | None:
        written = [step.message for step in self._result.steps if step.action is action]
        return written[-1] if written else action.before

    def _disturbed(self) -> Iterable[tuple[Probe, int]]:
        """Probes that get neither what they got nor what they will get, with how bad that is."""
        for probe, before, after in zip(self._probes, self._before, self._after, strict=True):
            now = self._table.outcome(probe.call)
            if _same(now, before) or _same(now, after):
                continue
            weight = _WRONG_RULE if now.result in {"accepted", "pin"} else _NOT_TAKEN
            yield probe, weight * (_UNTOUCHED if _same(before, after) else 1)

    def _perform(self, step: Step) -> None:
        self._write(step.action.id, step.message)
        self._result.steps.append(step)
        self._note_gaps()

    def _note_gaps(self) -> None:
        """Open a gap for every call that is newly disturbed, and close those that are over."""
        step = len(self._result.steps) - 1
        disturbed = {(probe.number, probe.caller): weight for probe, weight in self._disturbed()}
        for call in [call for call in self._open if call not in disturbed]:
            opens, untouched = self._open.pop(call)
            self._result.gaps.append(Gap(*call, untouched, opens, step))
        for call, weight in disturbed.items():
            self._open.setdefault(call, (step, weight >= _UNTOUCHED))

    def _retreats(self, pending: list[Step], legal: list[Step]) -> list[Step]:
        """Objects to be deleted may let go of everything early, where that spares a call the wrong rule.

        Only where no other step is harmless: it is one write more. The deletion itself comes last, since
        what is deleted cannot be put back under its id.
        """
        if not self._thorough or any(self._badness_after(step) == 0 for step in legal):
            return []
        doomed = [step.action for step in pending if step.message is None]
        parked = {id(step.action) for step in self._result.steps if step.stage == "parked"}
        return [self._parked(action, None) for action in doomed if id(action) not in parked]

    def _park(self, pending: list[Step]) -> Step:
        """Make an object let go of what others wait for, and keep the rest of what it has."""
        waiting: defaultdict[str, set[tuple[str, ...]]] = defaultdict(set)
        for step in pending:
            if step.message is not None:
                for claim, holders in self._table.blockers(step.action.id, step.message).items():
                    for holder in holders:
                        waiting[holder].add(claim)
        candidates = [step for step in pending if step.action.id in waiting]
        if not candidates:
            raise AssertionError("a plan with conflicts outside itself must not be ordered")
        steps = [self._parked(step.action, waiting[step.action.id]) for step in candidates]
        steps += [self._partial(step) for step in candidates if step.message is not None]
        return self._best(steps)

    def _partial(self, step: Step) -> Step:
        """As much of what is wanted as others have not got yet; it holds nothing that others wait for."""
        assert step.message is not None
        taken = set(self._table.blockers(step.action.id, step.message))
        return self._without(step.action, step.message, taken)

    def _parked(self, action: Action, claims: set[tuple[str, ...]] | None) -> Step:
        """The object as it is without what it must give up; None: without any number."""
        current = self._current(action)
        assert current is not None
        return self._without(action, current, claims)

    def _without(self, action: Action, message: Message, claims: set[tuple[str, ...]] | None) -> Step:
        parked = copy_of(message)
        assert not isinstance(parked, SIPOutboundTrunkInfo)
        place = 0 if isinstance(parked, SIPInboundTrunkInfo) else 1
        given_up = {claim[place] for claim in claims or ()}
        kept = [number for number in parked.numbers if normalise_number(number) not in given_up]
        parked.numbers[:] = kept if kept and claims is not None else [_parking_number(action.id)]
        return Step(action, parked, "parked")


def _rank(step: Step) -> tuple[int, int, str]:
    """Where trying does not decide: trunks, then rules best first; deletions of the worst rule first."""
    message, kind = step.message, step.action.kind
    if message is None:
        before = step.action.before
        priority = -rule_priority(before) if isinstance(before, SIPDispatchRuleInfo) else 0
        return (4 if kind is Kind.RULE else 5), priority, step.action.key
    if isinstance(message, SIPDispatchRuleInfo):
        return 1, rule_priority(message), step.action.key
    return (0 if step.action.before is None else 2), 0, step.action.key


def _same(one: Outcome, other: Outcome) -> bool:
    if one.result in {"dropped", "refused"}:
        return other.result in {"dropped", "refused"}
    return one == other


def _parking_number(object_id: str) -> str:
    """A "number" that nobody dials, one of its own for every object."""
    return f"trunkline-parked-{short_hash(object_id)}"
