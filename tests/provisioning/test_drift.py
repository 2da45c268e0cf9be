"""Drift: which field, by whose hand."""

from __future__ import annotations

import pytest
from livekit.protocol.sip import SIPInboundTrunkInfo

from provisioning.drift import find_drift
from provisioning.objects import Kind, Live
from provisioning.order import ordered
from provisioning.plan import imagined, make_plan
from provisioning.routing_table import RoutingTable
from tests.provisioning.files import config, line, rule, trunk

pytestmark = pytest.mark.pure


def applied(text: object) -> list[Live]:
    lives, _ = imagined(text)  # type: ignore[arg-type]
    return lives


def test_what_was_applied_has_no_drift() -> None:
    """Nothing changed, nothing found."""
    file = line(trunk("a", "+15550001"), rule("r", "a"))
    drift = find_drift(file, applied(file))
    assert not drift.found
    assert not drift.waits_for_apply


def test_a_field_changed_at_livekit_is_the_hands() -> None:
    """Its hash no longer fits the one that was applied."""
    file = line(trunk("a", "+15550001"))
    (live,) = applied(file)
    live.message.numbers.append("+1999")
    drift = find_drift(file, [live])
    assert [(one.change.field, one.cause) for one in drift.fields] == [("numbers", "hand")]
    assert drift.found


def test_a_field_changed_in_the_file_waits_for_apply() -> None:
    """That is no drift: the server is as it was applied."""
    lives = applied(line(trunk("a", "+15550001")))
    drift = find_drift(line(trunk("a", "+15550002")), lives)
    assert [(one.change.field, one.cause) for one in drift.fields] == [("numbers", "file")]
    assert not drift.found
    assert drift.waits_for_apply


def test_a_password_that_differs_is_either_ones() -> None:
    """A secret leaves no hash, so it cannot be told who changed it; its text is never shown."""
    text = 'sip_trunks: [{name: a, numbers: ["+1"], auth_username: u, auth_password: %s}]'
    lives = applied(config(text % "first-secret"))
    drift = find_drift(config(text % "other-secret"), lives)
    assert [(one.change.field, one.cause) for one in drift.fields] == [("auth_password", "either")]
    assert "secret" not in str(drift.to_json()["fields"]).replace("'secret'", "")


def test_a_password_that_appeared_is_the_hands() -> None:
    """Whether there was one when it was applied is known."""
    file = line(trunk("a", "+15550001"))
    (live,) = applied(file)
    live.message.auth_password = "sneaky"  # type: ignore[union-attr]
    assert [one.cause for one in find_drift(file, [live]).fields] == ["hand"]


def test_missing_and_foreign_objects_are_told_apart() -> None:
    """What the file has and the server not is missing; what is nobody's is left alone."""
    file = line(trunk("a", "+15550001"), rule("r", "a"))
    lives = [live for live in applied(file) if live.kind is Kind.INBOUND]
    lives.append(
        Live(Kind.INBOUND, "ST_x", SIPInboundTrunkInfo(sip_trunk_id="ST_x", name="hand", numbers=["9"]))
    )
    drift = find_drift(file, lives)
    assert [change.key for change in drift.missing] == ["rule/r"]
    assert [one.live.id for one in drift.foreign] == ["ST_x"]
    assert drift.found


def test_an_empty_server_is_not_drifted_but_new() -> None:
    """Before the first apply nothing was taken away by anybody."""
    drift = find_drift(line(trunk("a", "+15550001")), [])
    assert not drift.found
    assert drift.waits_for_apply


def test_a_plan_for_a_thousand_of_each_is_made_quickly() -> None:
    """Ordering looks at what can touch the same call only."""
    trunks = "\n".join(trunk(f"t{n}", f"+1555{n:07d}") for n in range(300))
    rules = "\n".join(rule(f"r{n}", f"t{n}") for n in range(300))
    plan = make_plan(line(trunks, rules), [])
    assert len(plan.chains) == 300
    assert ordered([], RoutingTable()) == []
