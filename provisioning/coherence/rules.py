"""Problems and notes of one dispatch rule. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.reading.problem import Note, Path, Problem
from provisioning.room_names import rule_for_template
from provisioning.spelling import normalise_number

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from provisioning.rule_messages import RuleMessages
    from provisioning.sections.routing import Action, InboundRule
    from provisioning.sections.trunks import Trunk


def rule_problems(rule: InboundRule, path: Path, trunks: Sequence[Trunk]) -> Iterator[Problem]:
    """What makes a rule impossible."""
    yield from _trunk_name_problems(rule, path, trunks)
    for ours, theirs in (("numbers", "to"), ("inbound_numbers", "from_"), ("trunks", "trunk")):
        if getattr(rule, ours) and rule.match is not None and getattr(rule.match, theirs):
            where = (*path, "match", theirs.strip("_"))
            yield Problem(where, f"the same is already said by {ours}; keep one.")
    if isinstance(rule.metadata, str) and rule.id is None:
        yield Problem(
            (*path, "metadata"),
            "must be a mapping: the mark by which we know our own is kept in it.",
            fix="Write metadata: {text: …}.",
        )
    if rule.action is None:
        return
    for key in ("agent_name", "assistant"):
        if getattr(rule, key) is not None and getattr(rule.action, key) is not None:
            yield Problem((*path, "action", key), f"{key} is given twice; keep one.")
    if rule.action.room_name_template is not None:
        place: Path = (*path, "action", "room_name_template")
        if rule.rule is not None:
            yield Problem(place, "the room is already named by rule; keep one.")
        try:
            rule_for_template(rule.action.room_name_template)
        except ValueError as error:
            yield Problem(place, f"{error}.", fix='Write a text and one placeholder: "call-{call_id}".')


def _trunk_name_problems(rule: InboundRule, path: Path, trunks: Sequence[Trunk]) -> Iterator[Problem]:
    inbound = {trunk.name for trunk in trunks if trunk.is_inbound}
    known = {trunk.name for trunk in trunks}
    named: list[tuple[Path, str]] = [(("trunks", n), name) for n, name in enumerate(rule.trunks or ())]
    if rule.match is not None and rule.match.trunk is not None:
        named.append((("match", "trunk"), rule.match.trunk))
    for place, name in named:
        if name not in known:
            listed = ", ".join(sorted(inbound)[:10]) or "none"
            yield Problem((*path, *place), f"there is no trunk named {name!r}.", fix=f"Known: {listed}.")
        elif name not in inbound:
            yield Problem((*path, *place), f"no call comes in through trunk {name!r}: it is outbound only.")
    if rule.trunks == []:
        yield Problem(
            (*path, "trunks"),
            "is empty: to LiveKit that is every trunk, and calls from strangers that match none.",
            fix="Name the trunks, or leave the line out for every inbound trunk of the file.",
        )
    if not named and not inbound:
        yield Problem(path, "takes the calls of every inbound trunk, and the file has none.")


def rule_notes(
    rule: InboundRule, path: Path, trunks: Sequence[Trunk], messages: RuleMessages
) -> Iterator[Note]:
    """What a rule does that its lines do not say."""
    yield from _room_notes(rule, path)
    yield from _number_notes(rule, path, trunks, messages)
    kind = rule.rule
    pins = (
        (kind.dispatch_rule_direct, kind.dispatch_rule_individual, kind.dispatch_rule_callee) if kind else ()
    )
    if any(one is not None and one.pin for one in pins):
        yield Note(
            (*path, "rule"),
            "every caller of its trunks is asked for the PIN, other rules or not, by livekit-sip; "
            "the embedded bridge cannot ask and answers 501.",
        )
    if rule.action is not None:
        yield from _action_notes(rule.action, (*path, "action"))


def _room_notes(rule: InboundRule, path: Path) -> Iterator[Note]:
    if rule.rule is None:
        return
    individual, direct = rule.rule.dispatch_rule_individual, rule.rule.dispatch_rule_direct
    if individual is not None:
        place = (*path, "rule", "dispatch_rule_individual")
        if individual.room_prefix.endswith(("-", "_")):
            rooms = f"{individual.room_prefix}_<caller>_<random>"
            yield Note((*place, "room_prefix"), f"the server adds an underscore: rooms are named {rooms}.")
        if individual.no_randomness:
            text = "a caller's second call enters the room of the first and throws it out."
            yield Note((*place, "no_randomness"), text)
    if direct is not None:
        text = "all callers hear each other in one room, and a second call from one number ends the first."
        yield Note((*path, "rule", "dispatch_rule_direct"), text)


def _number_notes(
    rule: InboundRule, path: Path, trunks: Sequence[Trunk], messages: RuleMessages
) -> Iterator[Note]:
    ours = {normalise_number(number) for trunk in trunks for number in trunk.numbers}
    for n, number in enumerate(rule.inbound_numbers):
        if normalise_number(number) in ours:
            yield Note(
                (*path, "inbound_numbers", n),
                f"{number} is our own number, but inbound_numbers are callers: this rule takes no call.",
                fix="Write it in numbers.",
            )
    compared = messages.called_numbers(rule)
    if compared and not messages.spelling_is_known(rule):
        yield Note(
            (*path, "numbers" if rule.numbers else "match"),
            f"LiveKit compares a rule's numbers letter by letter: as written it takes {compared[0]} only, "
            "and how the carrier spells it is not known.",
            fix="See the To header of a call (`provision explain` shows what fits), "
            "or give the number a trunk of its own, where spelling does not matter.",
        )


def _action_notes(action: Action, path: Path) -> Iterator[Note]:
    template = action.room_name_template
    if template is not None and "{" in template:
        try:
            _, rooms = rule_for_template(template)
        except ValueError:
            rooms = ""
        if rooms:
            yield Note(
                (*path, "room_name_template"),
                f"LiveKit cannot name a room after {template!r}: {rooms}. "
                "The call's id is in its events, attributes and logs.",
            )
    if action.participant_identity is not None:
        text = "LiveKit gives a caller's identity itself: sip_<caller's number>."
        yield Note((*path, "participant_identity"), text)
    if action.participant_name is not None:
        yield Note((*path, "participant_name"), "LiveKit names a caller itself: Phone <caller's number>.")
    for key, value in (action.room_metadata or {}).items():
        if isinstance(value, str) and "{" in value:
            yield Note(
                (*path, "room_metadata", key),
                f"nobody fills in {value!r}; the key is left out. "
                "Time and numbers are in the call's own record.",
            )
