"""What no single value can show: problems and notes of a whole file."""

from __future__ import annotations

import pytest

from provisioning.config import ConfigProblemsError
from provisioning.desired import desired_objects
from provisioning.room_names import rule_for_template
from tests.provisioning.files import config, lines, loaded, rule, trunk

pytestmark = pytest.mark.pure


def file(trunks: str, rules: str = "") -> str:
    text = "sip_trunks:\n" + "".join(f"  - {entry}\n" for entry in trunks.splitlines())
    if rules:
        text += "routing:\n  inbound_rules:\n" + "".join(f"    - {entry}\n" for entry in rules.splitlines())
    return text


def outbound(more: str, trunk: str = "") -> str:
    given = ", ".join(part for part in ("enabled: true, allowed_regions: [RU]", more) if part)
    entry = ", ".join(
        part for part in ("name: o, host: sip.example.com, numbers: ['+74951234567']", trunk) if part
    )
    return f"sip_trunks: [{{{entry}}}]\noutbound: {{{given}}}\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (file(trunk("a", "+1555001", more="inbound_only: true, outbound_only: true")), "exclude each other"),
        (file(trunk("a", "+1555001", more="auth_username: u")), "half a credential"),
        (
            file(trunk("a", "+1555001", more="auth_required: true")),
            "auth_username and auth_password are missing",
        ),
        (file("{name: a, outbound_only: true, numbers: ['+1555001']}"), "where do calls out go?"),
        (file("{name: a, outbound_only: true, host: sip.example}"), "needs the number that it shows"),
        (file("{name: a}"), "LiveKit wants at least one of"),
        (file("{name: a, carrier: novofon-line, numbers: ['1']}"), "exists on two platforms"),
        (
            file("{name: a, carrier: novofon-trunk, platform: v1, numbers: ['1']}"),
            "known on platform v2 only",
        ),
        (file("{name: a, carrier: twilio, outbound_only: true, numbers: ['+1555001']}"), "termination URI"),
        (file(lines(trunk("a", "+1555001"), trunk("a", "+1555002"))), "there is another trunk named 'a'"),
        (file(trunk("a", "+1555001"), rule("r", "b")), "there is no trunk named 'b'. Known: a."),
        (
            file("{name: o, outbound_only: true, host: h, numbers: ['+1']}", rule("r", "o")),
            "no call comes in through trunk 'o'",
        ),
        (file(trunk("a", "+1555001"), "{name: r, trunks: []}"), "calls from strangers"),
        (
            file(trunk("a", "+1555001"), rule("r", "a", more="numbers: '+1', match: {to: '+1'}")),
            "already said",
        ),
        (
            file(trunk("a", "+1555001"), rule("r", "a", more="action: {room_name_template: 'a-{who}'}")),
            "has the placeholder {who}, which nothing fills in",
        ),
        (file(lines(trunk("a", "+1555001"), trunk("b", "1555001"))), "both claim number +1555001"),
        (
            file(lines(trunk("a", "+1555001", more='allowed_numbers: ["+7916"]'), trunk("b", "+1555001"))),
            "LiveKit keeps both, and answers those calls 503",
        ),
        (
            file(trunk("a", "+1555001"), lines(rule("r", "a"), rule("s", "a"))),
            "rules 'r' and 's' take the same calls",
        ),
        (
            file(trunk("a", "+1", "+2"), rule("r", "a", more="inbound_numbers: ['+7916001', '7916001']")),
            "in two spellings; to LiveKit they are one",
        ),
        ("outbound: {trunk: x}", "there is no outbound trunk named 'x'"),
        ("outbound: {enabled: true}", "no trunk of the file carries calls out"),
        ("outbound: {extra_numbers: ['112']}", "is an emergency number, which is never dialled"),
        (outbound("reserved_for_inbound: 10"), "all 10 lines of agent.max_calls are kept for callers"),
        (outbound("", trunk="max_calls: 2"), "all 2 lines of trunk 'o' are kept for callers"),
        (outbound("max_minutes_per_day: 5"), "is shorter than the longest call"),
        (outbound("per_key: {max_minutes_per_day: 5}"), "is shorter than the longest call"),
        (outbound("max_spend_per_day: 5.0"), "needs prices"),
        (outbound("max_price_per_minute: 0.1"), "needs prices"),
        (file(trunk("a", "+1555001", more="metadata: text")), "must be a mapping"),
    ],
)
def test_what_cannot_be_is_a_problem(text: str, words: str) -> None:
    """Each impossible combination is refused in words, before any server is asked."""
    with pytest.raises(ConfigProblemsError) as caught:
        loaded(text)
    assert any(words in str(problem) for problem in caught.value.problems), caught.value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (file("{name: a, numbers: ['+1555001']}", rule("r", "a")), "anybody in the world"),
        (file(trunk("a", "84951234567"), rule("r", "a")), "a number in Vietnam"),
        (file("{name: a, allowed_addresses: ['10.0.0.0/8']}", rule("r", "a")), "takes calls to any number"),
        (
            file("{name: a, numbers: ['1'], allowed_addresses: ['10.0.0.7']}", rule("r", "a")),
            "Write 10.0.0.7/32.",
        ),
        (file(trunk("a", "+1555001")), "no rule takes the calls of trunk 'a'"),
        (
            file(trunk("a", "+1555001"), rule("r", "a", more="inbound_numbers: '1555001'")),
            "is our own number",
        ),
        (
            file(trunk("a", "+1", "+2"), rule("r", "a", more="numbers: '+1'")),
            "LiveKit compares a rule's numbers letter by letter",
        ),
        (
            file(trunk("a", "+1"), rule("r", "a", more="rule: {dispatch_rule_individual: {pin: '12'}}")),
            "asked for the PIN",
        ),
        (
            file(trunk("a", "+1"), rule("r", "a", more="rule: {dispatch_rule_direct: {room_name: x}}")),
            "all callers hear each other",
        ),
        (
            file(
                trunk("a", "+1"), rule("r", "a", more="rule: {dispatch_rule_individual: {room_prefix: x-}}")
            ),
            "x-_<caller>_<random>",
        ),
        (
            file("{name: a, carrier: novofon-line, platform: v2, numbers: ['0053000']}", rule("r", "a")),
            "only to a registered line",
        ),
    ],
)
def test_what_surprises_is_a_note_with_what_happens_instead(text: str, words: str) -> None:
    """The file stays valid; the surprise is said."""
    assert any(words in str(note) for note in loaded(text).notes), loaded(text).notes


@pytest.mark.parametrize(
    ("template", "kind", "rooms"),
    [
        ("voice-ai-call-{call_id}", "dispatch_rule_individual", "voice-ai-call_<caller>_<random>"),
        ("{caller_number}", "dispatch_rule_individual", "named <caller>_<random>"),
        ("desk-{called_number}", "dispatch_rule_callee", "desk_<called>_<random>"),
        ("support", "dispatch_rule_direct", "the one room 'support'"),
        ("a-{caller_number}-{call_id}", "dispatch_rule_individual", "a_<caller>_<random>"),
    ],
)
def test_a_freely_written_room_name_becomes_the_nearest_rule(template: str, kind: str, rooms: str) -> None:
    """LiveKit has three ways to name a room; the nearest is taken, and told."""
    result, told = rule_for_template(template)
    assert getattr(result, kind) is not None
    assert rooms in told


@pytest.mark.parametrize("template", ["", "{call_id}-x", "a-{nobody}", "a-{call_id", "a}b"])
def test_a_room_name_that_no_rule_comes_near_is_refused(template: str) -> None:
    """Text behind a placeholder, unknown placeholders and broken braces have no counterpart."""
    with pytest.raises(ValueError, match=r"has|is empty"):
        rule_for_template(template)


def rule_numbers(text: str) -> list[str]:
    objects = {desired.key: desired.message for desired in desired_objects(config(text))}
    return list(objects["rule/r"].numbers)


def test_a_rule_that_takes_all_of_its_trunk_needs_no_numbers() -> None:
    """Then the trunk decides, where spelling does not matter."""
    text = file(trunk("a", "+1555001", "1555002"), rule("r", "a", more="numbers: ['1555001', '+1555002']"))
    assert rule_numbers(text) == []


def test_a_rule_for_some_numbers_is_spelled_as_the_carrier_sends_them() -> None:
    """Novofon sends digits, so a rule for one of two numbers is written without the plus."""
    text = file(
        "{name: a, carrier: novofon-trunk, inbound_only: true, numbers: ['+74951234567', '+74951234568']}",
        rule("r", "a", more="match: {to: '+7 (495) 123-45-67'}"),
    )
    assert rule_numbers(text) == ["74951234567"]


def test_credentials_of_a_trunk_with_a_host_are_ours_and_not_asked_of_callers() -> None:
    """A carrier does not know our password; with auth_required it must."""
    both = "{name: a, host: h, numbers: ['+1'], allowed_addresses: ['10.0.0.0/8'], auth_username: u, %s}"
    for more, asked in (("auth_password: p", ""), ("auth_password: p, auth_required: true", "u")):
        inbound = {d.key: d.message for d in desired_objects(config(file(both % more)))}["inbound/a"]
        outbound = {d.key: d.message for d in desired_objects(config(file(both % more)))}["outbound/a"]
        assert inbound.auth_username == asked  # type: ignore[union-attr]
        assert outbound.auth_username == "u"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (outbound("").replace("[RU]", "[]"), "no country is allowed"),
        (
            outbound("allowed_kinds: [mobile, premium, satellite]"),
            "premium, satellite numbers are what toll fraud",
        ),
        (outbound("calling_hours: {}"), "mobile numbers of RU may lie in 16 time zones"),
    ],
)
def test_what_calls_out_do_unawares_is_noted(text: str, words: str) -> None:
    """A file that allows nothing, or more than it seems to, says so."""
    assert any(words in note.message for note in loaded(text).notes)


def test_a_file_that_knows_where_numbers_lie_has_nothing_to_note_of_hours() -> None:
    """One zone of their own, or one for all."""
    for known in ("timezone: Europe/Moscow", "timezones: {'+79': Europe/Moscow}"):
        notes = loaded(outbound(f"calling_hours: {{{known}}}")).notes
        assert not [note for note in notes if note.path[:1] == ("outbound",)]
