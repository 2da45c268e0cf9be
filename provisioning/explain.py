"""Why a call would or would not get through: livekit-server's decisions, candidate by candidate. Pure.

Works on what the server has, or on what the file asks for. Knows the traps: numbers without plus or with a
Russian 8, To header against Request-URI, ``inbound_numbers`` that hold our own number, PIN rules, trunks
without numbers, rules without trunks.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from livekit.protocol.sip import SIPDispatchRuleInfo, SIPInboundTrunkInfo

from provisioning.hints import call_hints, rule_reason, trunk_reason
from provisioning.match import (
    Call,
    RuleRefusal,
    TrunkRefusal,
    match_rule,
    match_trunk,
    pin_of,
    room_name,
    rule_priority,
    rule_refusal,
    trunk_refusals,
)
from provisioning.spelling import normalise_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from provisioning.objects import Live

Verdict = Literal["accepted", "pin", "dropped", "refused"]

_SHOWN_AT_MOST = 12
_SHOWN_WHEN_ACCEPTED = 4


@dataclass(frozen=True, slots=True)
class Candidate:
    """A trunk or rule, and whether it takes the call.

    Attributes:
        kind: trunk or rule.
        id: LiveKit's id.
        name: its name, or its key in the file where it is ours.
        verdict: picked; takes: would take it too; refuses: does not.
        field: the field that refuses, in LiveKit's words; empty when nothing does.
        reason: what that field holds and what the call brings, in a sentence.
        fix: what to change, in the imperative.
    """

    kind: Literal["trunk", "rule"]
    id: str
    name: str
    verdict: Literal["picked", "takes", "refuses"]
    field: str = ""
    reason: str = ""
    fix: str = ""

    def to_json(self) -> dict[str, Any]:
        """The published shape."""
        return {
            "kind": self.kind,
            "id": self.id,
            "name": self.name,
            "verdict": self.verdict,
            "field": self.field or None,
            "reason": self.reason or None,
            "fix": self.fix or None,
        }


@dataclass(slots=True)
class Explanation:
    """What the server does with a call, and why.

    Attributes:
        call: the hypothetical INVITE.
        verdict: accepted; pin: answered, and a PIN asked for; dropped: the caller hears ringing until he
            gives up; refused: 503.
        sentence: the verdict in words.
        fix: what to change first, empty when the call gets through.
        room: the room's name, ``<random>`` for what the server draws.
        agents: agent names that are called into the room.
        challenged: the digest user that the caller must be, empty for none.
        because: what decided for it, in words.
        candidates: trunks, then rules, nearest first.
        hidden: how many candidates are left out because they are further away.
        hints: traps that this call comes near.
    """

    call: Call
    verdict: Verdict = "dropped"
    sentence: str = ""
    fix: str = ""
    room: str = ""
    agents: list[str] = field(default_factory=list)
    challenged: str = ""
    because: list[str] = field(default_factory=list)
    candidates: list[Candidate] = field(default_factory=list)
    hidden: int = 0
    hints: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The published shape."""
        return {
            "call": {
                "to": self.call.to_user,
                "from": self.call.from_user,
                "source": self.call.source_ip,
                "from_host": self.call.from_host or None,
            },
            "verdict": self.verdict,
            "sentence": self.sentence,
            "fix": self.fix or None,
            "room": self.room or None,
            "agents": self.agents,
            "challenged": self.challenged or None,
            "because": self.because,
            "candidates": [candidate.to_json() for candidate in self.candidates],
            "hidden": self.hidden,
            "hints": self.hints,
        }


def explain(
    call: Call,
    lives: Sequence[Live],
    *,
    names: Mapping[str, str],
    request_uri_user: str = "",
    pin: str = "",
) -> Explanation:
    """Replay the server's decisions on a hypothetical INVITE.

    Args:
        call: what the server would be told.
        lives: every trunk and rule.
        names: LiveKit's id to the key in the file, for what is ours.
        request_uri_user: user part of the Request-URI, where it differs from To.
        pin: what the caller presses when asked.
    """
    trunks = [live.message for live in lives if isinstance(live.message, SIPInboundTrunkInfo)]
    rules = [live.message for live in lives if isinstance(live.message, SIPDispatchRuleInfo)]
    trunks.sort(key=lambda trunk: trunk.sip_trunk_id)
    rules.sort(key=lambda rule: rule.sip_dispatch_rule_id)
    result = Explanation(call)
    _Explaining(result, trunks, rules, names, pin).run()
    result.hints = call_hints(call, trunks, rules, request_uri_user)
    return result


class _Explaining:
    def __init__(
        self,
        result: Explanation,
        trunks: list[SIPInboundTrunkInfo],
        rules: list[SIPDispatchRuleInfo],
        names: Mapping[str, str],
        pin: str,
    ) -> None:
        self._result = result
        self._call = result.call
        self._trunks = trunks
        self._rules = rules
        self._names = names
        self._pin = pin

    def run(self) -> Explanation:
        match = match_trunk(self._trunks, self._call)
        trunks = self._trunk_candidates(match.trunk, match.rivals)
        if match.rivals:
            self._show(trunks, [])
            self._refuse_rivals([self._trunk_name(trunk) for trunk in match.rivals])
            return self._result
        found = match_rule(match.trunk, self._rules, self._call, pin=self._pin)
        rules = self._rule_candidates(match.trunk, found.rule)
        self._show(trunks, rules, accepted=found.rule is not None)
        if found.rivals:
            self._refuse_conflict([self._rule_name(rule) for rule in found.rivals])
        elif found.rule is None:
            self._drop(match.trunk, trunks, rules)
        else:
            self._accept(match.trunk, found.rule)
        return self._result

    # -- verdicts ---------------------------------------------------------------------------------

    def _accept(self, trunk: SIPInboundTrunkInfo | None, rule: SIPDispatchRuleInfo) -> None:
        result, call = self._result, self._call
        result.room = room_name(rule, call)
        result.agents = [agent.agent_name for agent in rule.room_config.agents]
        result.verdict = "pin" if pin_of(rule) and not self._pin else "accepted"
        if trunk is not None:
            own = (
                f"numbers has {_as_written(call.to_user, trunk)}"
                if trunk.numbers
                else "it takes every number"
            )
            result.because.append(f"{self._trunk_name(trunk)}: {own}, and {self._source_words(trunk)}")
            if trunk.auth_username and trunk.auth_password:
                result.challenged = trunk.auth_username
        else:
            text = "no trunk matches, but a rule without trunks takes such calls too, from anybody"
            result.because.append(text)
        result.because.append(f"{self._rule_name(rule)}: {self._precision(rule)}")
        who = f"agent {', '.join(result.agents)}" if result.agents else "no agent by name"
        if result.verdict == "pin":
            result.sentence = (
                f"The call is answered and asked for a PIN, then room {result.room}, {who} "
                "(livekit-sip; the embedded bridge cannot ask and answers 501)."
            )
        else:
            result.sentence = f"The call gets room {result.room}, {who}."
        if result.challenged:
            first = f"The caller must first prove to be {result.challenged!r} (407, digest). "
            result.sentence = first + result.sentence

    def _drop(
        self,
        trunk: SIPInboundTrunkInfo | None,
        trunks: list[Candidate],
        rules: list[Candidate],
    ) -> None:
        result = self._result
        result.verdict = "dropped"
        silence = "the caller hears ringing and nobody answers (the embedded bridge says 404)"
        if trunk is None:
            result.sentence = f"No trunk takes the call and no rule takes calls without one: {silence}."
            nearest = next((one for one in trunks if one.verdict == "refuses"), None)
        else:
            name = self._trunk_name(trunk)
            result.sentence = f"{name} takes the call, but no rule takes it on: {silence}."
            nearest = next((one for one in rules if one.verdict == "refuses"), None)
        if nearest is not None:
            result.fix = f"In {nearest.name}: {nearest.fix[:1].lower()}{nearest.fix[1:]}"
        elif trunk is None:
            result.fix = "Make a trunk with this number: there is none at all."
        else:
            result.fix = "Make a rule for this trunk: there is none at all."

    def _refuse_rivals(self, names: list[str]) -> None:
        self._result.verdict = "refused"
        self._result.sentence = f"{_listed(names)} all take the call, so LiveKit cannot choose: 503."
        self._result.fix = "Leave the number in one of them."

    def _refuse_conflict(self, names: list[str]) -> None:
        self._result.verdict = "refused"
        one = f"{names[0]} claims the same twice" if names[0] == names[-1] else f"{_listed(names)} conflict"
        self._result.sentence = f"{one}: LiveKit refuses every call that makes it look at them, 503."
        self._result.fix = "Change or delete one of them."

    # -- candidates -------------------------------------------------------------------------------

    def _trunk_candidates(
        self, picked: SIPInboundTrunkInfo | None, rivals: Sequence[SIPInboundTrunkInfo]
    ) -> list[Candidate]:
        found: list[tuple[int, Candidate]] = []
        for trunk in self._trunks:
            refusals = trunk_refusals(trunk, self._call)
            name = self._trunk_name(trunk)
            if trunk is picked:
                found.append((-2, Candidate("trunk", trunk.sip_trunk_id, name, "picked")))
            elif not refusals:
                why = "" if trunk in rivals else "a trunk that names the number goes first"
                found.append((-1, Candidate("trunk", trunk.sip_trunk_id, name, "takes", reason=why)))
            else:
                reason, fix = trunk_reason(trunk, self._call, refusals)
                fields = ", ".join(refusal.value for refusal in refusals)
                one = Candidate("trunk", trunk.sip_trunk_id, name, "refuses", fields, reason, fix)
                # A trunk with the number is nearer than one with another, whatever else is wrong.
                found.append((len(refusals) + 4 * (TrunkRefusal.NUMBER in refusals), one))
        return [candidate for _, candidate in sorted(found, key=lambda pair: pair[0])]

    def _rule_candidates(
        self, trunk: SIPInboundTrunkInfo | None, picked: SIPDispatchRuleInfo | None
    ) -> list[Candidate]:
        """Rules, nearest first; without a trunk only those that need none come into question."""
        found: list[tuple[int, Candidate]] = []
        for rule in self._rules:
            if trunk is None and rule.trunk_ids:
                continue
            refusal = rule_refusal(rule, trunk, self._call, pin=self._pin, no_pin=False)
            name, rule_id = self._rule_name(rule), rule.sip_dispatch_rule_id
            if rule is picked:
                found.append((-2, Candidate("rule", rule_id, name, "picked")))
            elif refusal is None:
                why = self._beaten(rule, picked)
                found.append((-1, Candidate("rule", rule_id, name, "takes", reason=why)))
            else:
                reason, fix = rule_reason(rule, refusal, self._call, self._trunks)
                one = Candidate("rule", rule_id, name, "refuses", refusal.value, reason, fix)
                found.append((9 if self._elsewhere(rule, trunk, refusal) else 1, one))
        return [candidate for _, candidate in sorted(found, key=lambda pair: pair[0])]

    def _elsewhere(
        self, rule: SIPDispatchRuleInfo, trunk: SIPInboundTrunkInfo | None, refusal: RuleRefusal
    ) -> bool:
        """Whether the rule is for other trunks anyway."""
        if refusal is RuleRefusal.TRUNK:
            return True
        return bool(rule.trunk_ids) and (trunk is None or trunk.sip_trunk_id not in rule.trunk_ids)

    def _show(self, trunks: list[Candidate], rules: list[Candidate], *, accepted: bool = False) -> None:
        """Keep what can matter: when the call gets through, only what takes it or comes near."""
        most = _SHOWN_WHEN_ACCEPTED if accepted else _SHOWN_AT_MOST
        shown = trunks[:most] + rules[:most]
        if accepted:
            shown = [replace(one, fix="") for one in shown]
        self._result.candidates = shown
        self._result.hidden = len(trunks) + len(rules) - len(shown)

    # -- words ------------------------------------------------------------------------------------

    def _trunk_name(self, trunk: SIPInboundTrunkInfo) -> str:
        return self._name("trunk", trunk.sip_trunk_id, trunk.name)

    def _rule_name(self, rule: SIPDispatchRuleInfo) -> str:
        return self._name("rule", rule.sip_dispatch_rule_id, rule.name)

    def _name(self, kind: str, object_id: str, name: str) -> str:
        key = self._names.get(object_id)
        if key is not None:
            return f"{kind} {key.partition('/')[2]}"
        return f"{kind} {object_id}{f' ({name})' if name else ''}, not of this file"

    def _source_words(self, trunk: SIPInboundTrunkInfo) -> str:
        if not trunk.allowed_addresses:
            return "it lets every address in"
        return f"allowed_addresses lets {self._call.source_ip} in"

    def _precision(self, rule: SIPDispatchRuleInfo) -> str:
        exact = []
        if rule.numbers:
            exact.append("numbers has the called number")
        if rule.inbound_numbers:
            exact.append("inbound_numbers has the caller")
        if rule.trunk_ids:
            exact.append("it is for this trunk")
        return " and ".join(exact) or "it takes calls of every trunk"

    def _beaten(self, rule: SIPDispatchRuleInfo, picked: SIPDispatchRuleInfo | None) -> str:
        if picked is None:
            return ""
        if picked.trunk_ids and not rule.trunk_ids:
            return "a rule for this trunk goes before one for all trunks"
        if pin_of(picked) and not pin_of(rule):
            return "a rule with a PIN goes first: every caller is asked for it"
        if rule_priority(picked) < rule_priority(rule):
            return "the picked rule is more exact"
        return "equally exact: the picked room's name comes first in the alphabet"


def _as_written(number: str, trunk: SIPInboundTrunkInfo) -> str:
    """The trunk's own spelling of a number that it has."""
    if number in trunk.numbers:
        return number
    same = [own for own in trunk.numbers if normalise_number(own) == normalise_number(number)]
    return same[0] if same else number


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else "".join(names)
