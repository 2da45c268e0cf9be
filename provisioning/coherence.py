"""What no single value can show: names that must exist, values that exclude each other, surprises.

Pure. Problems make the file invalid; notes say what happens instead of what was written.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from provisioning.exposure import is_open_to_the_world
from provisioning.reading.problem import Note, Path, Problem
from provisioning.room_names import rule_for_template

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provisioning.config import LineConfig
    from provisioning.sections.routing import InboundRule
    from provisioning.sections.trunks import Trunk

_WIDEBAND = frozenset({"G722", "AMR-WB", "opus"})


def check_coherence(config: LineConfig) -> tuple[list[Problem], list[Note]]:
    """Every problem and every note of a file whose values are each well formed."""
    problems: list[Problem] = []
    notes: list[Note] = []
    for n, trunk in enumerate(config.sip_trunks):
        problems += _trunk_problems(trunk, ("sip_trunks", n))
        notes += _trunk_notes(trunk, ("sip_trunks", n))
    for n, rule in enumerate(config.routing.inbound_rules):
        path = ("routing", "inbound_rules", n)
        problems += _rule_problems(rule, path, config)
        notes += _rule_notes(rule, path)
    problems += _twice([t.name for t in config.sip_trunks], ("sip_trunks",), "trunk")
    problems += _twice([r.name for r in config.routing.inbound_rules], ("routing", "inbound_rules"), "rule")
    problems += _outbound_problems(config)
    notes += _codec_notes(config)
    return problems, notes


def _twice(names: list[str], path: Path, what: str) -> Iterator[Problem]:
    for name, count in Counter(names).items():
        if count > 1:
            last = len(names) - 1 - names[::-1].index(name)
            yield Problem((*path, last, "name"), f"there is another {what} named {name!r}.")


def _trunk_problems(trunk: Trunk, path: Path) -> Iterator[Problem]:
    if trunk.inbound_only and trunk.outbound_only:
        yield Problem((*path, "outbound_only"), "inbound_only and outbound_only exclude each other.")
    credentials = trunk.auth_username is not None and trunk.auth_password is not None
    if (trunk.auth_username is None) != (trunk.auth_password is None):
        missing = "auth_password" if trunk.auth_password is None else "auth_username"
        yield Problem(
            (*path, missing), f"{missing} is missing: LiveKit asks nobody for half of a credential."
        )
    if trunk.auth_required and not credentials:
        yield Problem(
            (*path, "auth_required"),
            "calls in must authenticate, but auth_username and auth_password are missing.",
        )
    if trunk.outbound_only and not trunk.numbers:
        yield Problem((*path, "numbers"), "a trunk for calls out needs the number that it shows.")
    if trunk.outbound_only and trunk.host is None and trunk.carrier == "generic":
        yield Problem((*path, "host"), "is missing: where do calls out go?")
    if trunk.is_inbound and not (trunk.numbers or trunk.allowed_addresses or credentials):
        yield Problem(
            path,
            "LiveKit wants at least one of numbers, allowed_addresses, or auth_username and auth_password.",
        )


def _trunk_notes(trunk: Trunk, path: Path) -> Iterator[Note]:
    if is_open_to_the_world(trunk) and not trunk.open_to_the_world:
        key = "allowed_addresses" if trunk.allowed_addresses else "name"
        yield Note(
            (*path, key),
            f"anybody in the world can call in through trunk {trunk.name!r}; apply will refuse it.",
            fix="Give the carrier's ranges in allowed_addresses, or auth_username and auth_password, "
            "or write open_to_the_world: true.",
        )
    for n, address in enumerate(trunk.allowed_addresses or ()):
        if "/" not in address and trunk.is_inbound:
            yield Note(
                (*path, "allowed_addresses", n),
                f"{address} without a range is also believed when a caller merely writes it in From.",
                fix=f"Write {address}/32." if address.replace(".", "").isdigit() else "Write a range.",
            )
    if trunk.auth_required is False and trunk.auth_username is not None and trunk.is_inbound:
        yield Note(
            (*path, "auth_required"),
            "calls in are not challenged; auth_username and auth_password are used for calls out only.",
        )
    for n, codec in enumerate(trunk.media.codecs if trunk.media else ()):
        if codec.name == "opus":
            yield Note((*path, "media", "codecs", n), "LiveKit speaks no Opus on a SIP leg; it is left out.")


def _rule_problems(rule: InboundRule, path: Path, config: LineConfig) -> Iterator[Problem]:
    inbound = {trunk.name for trunk in config.sip_trunks if trunk.is_inbound}
    known = {trunk.name for trunk in config.sip_trunks}
    named: list[tuple[Path, str]] = [(("trunks", n), name) for n, name in enumerate(rule.trunks or ())]
    if rule.match is not None and rule.match.trunk is not None:
        named.append((("match", "trunk"), rule.match.trunk))
    for place, name in named:
        if name not in known:
            listed = ", ".join(sorted(inbound)) or "none"
            yield Problem((*path, *place), f"there is no trunk named {name!r}.", fix=f"Known: {listed}.")
        elif name not in inbound:
            yield Problem((*path, *place), f"trunk {name!r} is outbound_only: no call comes in through it.")
    if not named and not inbound:
        yield Problem(path, "takes the calls of every inbound trunk, and the file has none.")
    for ours, theirs in (("numbers", "to"), ("inbound_numbers", "from_"), ("trunks", "trunk")):
        if getattr(rule, ours) and rule.match is not None and getattr(rule.match, theirs):
            yield Problem(
                (*path, "match", theirs.strip("_")), f"the same is already said by {ours}; keep one."
            )
    if rule.action is None:
        return
    for key in ("agent_name", "assistant"):
        if getattr(rule, key) is not None and getattr(rule.action, key) is not None:
            yield Problem((*path, "action", key), f"{key} is given twice; keep one.")
    if rule.action.room_name_template is not None:
        where: Path = (*path, "action", "room_name_template")
        if rule.rule is not None:
            yield Problem(where, "the room is already named by rule; keep one.")
        try:
            rule_for_template(rule.action.room_name_template)
        except ValueError as error:
            yield Problem(where, f"{error}.", fix='Write a text and one placeholder: "call-{call_id}".')


def _rule_notes(rule: InboundRule, path: Path) -> Iterator[Note]:
    if rule.rule is not None and rule.rule.dispatch_rule_individual is not None:
        prefix = rule.rule.dispatch_rule_individual.room_prefix
        if prefix.endswith(("-", "_")):
            yield Note(
                (*path, "rule", "dispatch_rule_individual", "room_prefix"),
                f"the server adds an underscore: rooms are named {prefix}_<caller>_<random>.",
            )
    if rule.action is None:
        return
    template = rule.action.room_name_template
    if template is not None and "{" in template:
        try:
            _, rooms = rule_for_template(template)
        except ValueError:
            rooms = ""
        if rooms:
            yield Note(
                (*path, "action", "room_name_template"),
                f"LiveKit cannot name a room after {template!r}: {rooms}. "
                "The call's id is in its events, attributes and logs.",
            )
    if rule.action.participant_identity is not None:
        yield Note(
            (*path, "action", "participant_identity"),
            "LiveKit gives a caller's identity itself: sip_<caller's number>.",
        )
    if rule.action.participant_name is not None:
        yield Note(
            (*path, "action", "participant_name"),
            "LiveKit names a caller itself: Phone <caller's number>.",
        )
    for key, value in (rule.action.room_metadata or {}).items():
        if isinstance(value, str) and "{" in value:
            yield Note(
                (*path, "action", "room_metadata", key),
                f"nobody fills in {value!r}; the key is left out. "
                "Time and numbers are in the call's own record.",
            )


def _outbound_problems(config: LineConfig) -> Iterator[Problem]:
    name = config.outbound.trunk
    outbound = [trunk.name for trunk in config.sip_trunks if trunk.is_outbound]
    if name is not None and name not in outbound:
        yield Problem(("outbound", "trunk"), f"there is no outbound trunk named {name!r}.")


def _codec_notes(config: LineConfig) -> Iterator[Note]:
    for n, codec in enumerate(config.audio_codecs):
        if codec.enabled and codec.name in _WIDEBAND:
            if codec.name == "opus":
                text = "LiveKit speaks no Opus on a SIP leg; the room has Opus anyway. It is left out."
            else:
                text = f"{codec.name} helps only where the carrier keeps it: telephone calls are G.711."
            yield Note(("audio_codecs", n, "name"), text)
