"""Trunks and rules at the server: as the file says, reachable, closed to strangers, spelled right."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import phonenumbers
from livekit.protocol.sip import SIPDispatchRuleInfo, SIPInboundTrunkInfo

from provisioning.apply import apply_line
from provisioning.doctor.finding import Finding, ok, problem, warning
from provisioning.exposure import addresses_allow_everybody
from provisioning.hints import listed
from provisioning.ownership import read_metadata
from provisioning.plan import make_plan
from provisioning.probes import probes_for
from provisioning.refusals import refusals_of
from provisioning.routing_table import RoutingTable
from provisioning.spelling import normalise_number

if TYPE_CHECKING:
    from provisioning.doctor.patient import Patient
    from provisioning.objects import Live

_TELEPHONE = re.compile(r"^\+[0-9]{7,15}$")
_NAMED_AT_MOST = 10


async def applied(patient: Patient) -> list[Finding]:
    """Whether the server is as the file says; mended when no deletion and no conflict is in the way."""
    plan = make_plan(patient.config, await patient.lives())
    if not plan.changes:
        return [ok("routing.applied", f"all {len(plan.unchanged)} trunks and rules are as the file says.")]
    text = f"{len(plan.changes)} of the file's trunks and rules are not as it says."
    finding = problem("routing.applied", text, "See `provision plan`, then `provision apply`.")
    if plan.deletions or refusals_of(patient.config, plan):
        return [finding]

    async def mend() -> str:
        key, secret = patient.credentials()
        url = patient.config.livekit.url
        result = await apply_line(patient.config, url=url, api_key=key, api_secret=secret)
        return f"applied the file: {result.writes} writes"

    return [Finding(finding.id, finding.status, finding.evidence, finding.fix, mend)]


async def rules_match(patient: Patient) -> list[Finding]:
    """Whether every rule is picked by some call that can be thought of, and every trunk has a rule."""
    lives = await patient.lives()
    trunks = {live.id: live.message for live in lives if isinstance(live.message, SIPInboundTrunkInfo)}
    rules = {live.id: live.message for live in lives if isinstance(live.message, SIPDispatchRuleInfo)}
    table = RoutingTable((live.id, live.message) for live in lives)
    ours = {normalise_number(number) for trunk in trunks.values() for number in trunk.numbers}
    picked: set[str] = set()
    served: set[str] = set()
    for rule in rules.values():
        around = [trunks[n] for n in rule.trunk_ids if n in trunks] or list(trunks.values())[:20]
        for probe in probes_for([rule, *around]):
            if normalise_number(probe.call.from_user) in ours:
                continue  # nobody calls from a number of ours: it stands there by mistake
            outcome = table.outcome(probe.call)
            picked.add(outcome.rule_id)
            if outcome.result in {"accepted", "pin"}:
                served.add(outcome.trunk_id)
    findings = [
        warning(f"routing.rule.{_name(rules[rule_id], rule_id)}", _why_never(rules[rule_id], trunks), _FIX)
        for rule_id in sorted(set(rules) - picked)
    ]
    findings += [
        warning(
            f"routing.trunk.{_name(trunks[trunk_id], trunk_id)}",
            "no rule takes its calls: they ring and nobody answers.",
            "Add a rule with this trunk.",
        )
        for trunk_id in sorted(set(trunks) - served)
    ]
    if findings:
        return findings[:_NAMED_AT_MOST]
    return [
        ok(
            "routing.rules",
            f"each of {len(rules)} rules can be picked, each of {len(trunks)} trunks is served.",
        )
    ]


_FIX = "Correct or remove it; `provision explain` shows what a call would need."


def _why_never(rule: SIPDispatchRuleInfo, trunks: dict[str, SIPInboundTrunkInfo]) -> str:
    known = [trunks[trunk_id] for trunk_id in rule.trunk_ids if trunk_id in trunks]
    if rule.trunk_ids and not known:
        return f"no call can reach it: its trunk {rule.trunk_ids[0]} does not exist."
    ours = {normalise_number(number) for trunk in trunks.values() for number in trunk.numbers}
    own = [number for number in rule.inbound_numbers if normalise_number(number) in ours]
    if own:
        return f"no call can reach it: inbound_numbers are callers, and {own[0]} is our own number."
    served = {normalise_number(number) for trunk in known for number in trunk.numbers}
    if rule.numbers and served and not served & {normalise_number(number) for number in rule.numbers}:
        return f"no call can reach it: its trunks do not serve {listed(rule.numbers)}."
    return "another rule always goes before it: a more exact one, or one with a PIN."


async def open_trunks(patient: Patient) -> list[Finding]:
    """Whether any trunk or rule at the server takes calls from anybody, managed by us or not."""
    meant = {trunk.name for trunk in patient.config.sip_trunks if trunk.open_to_the_world}
    findings = []
    for live in await patient.lives():
        message = live.message
        if isinstance(message, SIPInboundTrunkInfo):
            challenged = message.auth_username and message.auth_password
            if not challenged and addresses_allow_everybody(message.allowed_addresses):
                findings.append(_open_trunk(live, meant))
        elif isinstance(message, SIPDispatchRuleInfo) and not message.trunk_ids:
            text = "takes calls that match no trunk at all, from anybody who finds the SIP port."
            fix = "Give it trunks."
            findings.append(problem(f"routing.open.{_name(message, live.id)}", text, fix))
    return findings[:_NAMED_AT_MOST] or [
        ok("routing.open", "every trunk wants a known source or a password.")
    ]


def _open_trunk(live: Live, meant: set[str]) -> Finding:
    name = _name(live.message, live.id)
    text = "takes calls from any address in the world, without a password."
    if name in meant:
        return warning(f"routing.open.{name}", f"{text} The file says that this is meant.")
    fix = "Set allowed_addresses to the carrier's ranges, or a user and password."
    return problem(f"routing.open.{name}", text, fix)


async def numbers(patient: Patient) -> list[Finding]:
    """Whether numbers are E.164 with plus, as people mean them."""
    wrong: list[str] = []
    for live in await patient.lives():
        if isinstance(live.message, SIPInboundTrunkInfo):
            wrong += [f"{number} ({fault})" for number in live.message.numbers if (fault := _fault(number))]
    if not wrong:
        return [ok("routing.numbers", "all telephone numbers of trunks are valid.")]
    text = f"{listed(wrong)} in the numbers of trunks."
    return [
        warning(
            "routing.numbers", text, "Write numbers with plus and country code; logins may stay as they are."
        )
    ]


def _fault(number: str) -> str:
    normalised = normalise_number(number)
    if not _TELEPHONE.match(normalised) or (number.startswith("0") and "+" not in number):
        return ""  # a login or an extension
    try:
        parsed = phonenumbers.parse(normalised)
    except phonenumbers.NumberParseException:
        return "no country code"
    if len(normalised) == 12 and normalised.startswith("+8") and _valid_russian(normalised[2:]):
        return f"dialled from Russia this is +7{normalised[2:]}"
    if phonenumbers.is_valid_number(parsed) or normalised.startswith("+1555"):
        return ""
    return "no such number"


def _valid_russian(national: str) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(f"+7{national}"))
    except phonenumbers.NumberParseException:
        return False


def _name(message: object, object_id: str) -> str:
    _, mark = read_metadata(getattr(message, "metadata", ""))
    name = mark.key.partition("/")[2] if mark is not None else ""
    return name or object_id
