"""Fields of LiveKit's objects: equality as LiveKit means it, differences, secrets hidden."""

from __future__ import annotations

import pytest
from livekit.protocol.sip import SIPDispatchRuleInfo, SIPInboundTrunkInfo, SIPMediaEncryption

from provisioning.fields import HIDDEN, differences, field_hashes, overlay, plain_fields
from provisioning.objects import Kind
from provisioning.ownership import Mark, read_metadata, write_metadata

pytestmark = pytest.mark.pure


def test_what_the_server_adds_by_itself_is_no_difference() -> None:
    """An empty media, the order of numbers and an unset encryption mean nothing."""
    ours = SIPInboundTrunkInfo(numbers=["+1", "+2"])
    theirs = SIPInboundTrunkInfo(numbers=["+2", "+1"], sip_trunk_id="ST_1")
    theirs.media.SetInParent()
    theirs.media.encryption = SIPMediaEncryption.SIP_MEDIA_ENCRYPT_DISABLE
    assert plain_fields(Kind.INBOUND, ours) == plain_fields(Kind.INBOUND, theirs)


def test_the_deprecated_encryption_counts_like_the_new_one() -> None:
    """A trunk that was made years ago is not changed for the place where it says so."""
    old = SIPInboundTrunkInfo(numbers=["+1"], media_encryption=SIPMediaEncryption.SIP_MEDIA_ENCRYPT_REQUIRE)
    new = SIPInboundTrunkInfo(numbers=["+1"])
    new.media.encryption = SIPMediaEncryption.SIP_MEDIA_ENCRYPT_REQUIRE
    assert plain_fields(Kind.INBOUND, old) == plain_fields(Kind.INBOUND, new)


def test_json_of_another_hand_is_the_same_json() -> None:
    """Blanks and the order of keys in an agent's metadata are no difference."""
    rules = [SIPDispatchRuleInfo(name="r"), SIPDispatchRuleInfo(name="r")]
    for rule, text in zip(rules, ('{"a":1,"b":2}', '{"b": 2, "a": 1}'), strict=True):
        rule.room_config.agents.add(agent_name="x", metadata=text)
    assert plain_fields(Kind.RULE, rules[0]) == plain_fields(Kind.RULE, rules[1])


def test_secrets_are_hidden_in_differences_and_leave_no_hash() -> None:
    """Passwords, PINs and headers with keys: neither their text nor a hash of it gets out."""
    before, after = SIPInboundTrunkInfo(auth_password="old"), SIPInboundTrunkInfo(auth_password="new")
    after.headers["X-Auth-Token"] = "tok"
    changes = differences(plain_fields(Kind.INBOUND, before), plain_fields(Kind.INBOUND, after))
    assert {change.field: (change.before, change.after) for change in changes} == {
        "auth_password": (HIDDEN, HIDDEN),
        "headers": (None, {"X-Auth-Token": HIDDEN}),
    }
    one, other = SIPDispatchRuleInfo(), SIPDispatchRuleInfo()
    one.rule.dispatch_rule_direct.pin, other.rule.dispatch_rule_direct.pin = "1111", "2222"
    assert field_hashes(plain_fields(Kind.RULE, one)) == field_hashes(plain_fields(Kind.RULE, other))


def test_an_overlay_changes_what_is_wanted_and_keeps_the_rest() -> None:
    """Cleared fields are cleared, unknown ones survive, agents keep what we do not know of them."""
    live = SIPDispatchRuleInfo(name="old", hide_phone_number=True, sip_dispatch_rule_id="SDR_1")
    live.room_config.sync_streams = True
    live.room_config.max_participants = 5
    live.room_config.agents.add(agent_name="a", metadata="m", deployment="blue")
    live.MergeFromString(b"\xfa\x7c\x03new")
    wanted = SIPDispatchRuleInfo(name="new", metadata="{}")
    wanted.room_config.agents.add(agent_name="a", metadata="n")
    result = overlay(Kind.RULE, live, wanted)
    assert isinstance(result, SIPDispatchRuleInfo)
    assert (result.name, result.hide_phone_number, result.sip_dispatch_rule_id) == ("new", False, "SDR_1")
    assert (result.room_config.sync_streams, result.room_config.max_participants) == (True, 0)
    assert (result.room_config.agents[0].metadata, result.room_config.agents[0].deployment) == ("n", "blue")
    assert b"\xfa\x7c\x03new" in result.SerializeToString()


def test_a_mark_lives_beside_the_users_metadata() -> None:
    """What is written can be read again, whatever the user keeps there."""
    mark = Mark("clinic", "rule/r", {"name": "abc"})
    text = write_metadata({"vip": True, "note": "ünïcödé"}, mark)
    assert read_metadata(text) == ({"vip": True, "note": "ünïcödé"}, mark)


@pytest.mark.parametrize(
    ("text", "user"),
    [
        ("", {}),
        ("just words", "just words"),
        ("[1, 2]", "[1, 2]"),
        ('{"a": 1}', {"a": 1}),
        ('{"trunkline": 5, "a": 1}', {"a": 1}),
        ('{"trunkline": {"line": 1}}', {}),
        ("[" * 100_000, "[" * 100_000),
    ],
)
def test_metadata_of_any_other_form_is_nobodys(text: str, user: object) -> None:
    """Hostile or foreign metadata is never taken for a mark."""
    assert read_metadata(text) == (user, None)
