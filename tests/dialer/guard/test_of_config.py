from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import pytest

from provisioning.config import load_config
from provisioning.sections.outbound import NumberKind
from telephony.dialer.guard.hours import Hours
from telephony.dialer.guard.kinds import ALLOWABLE, Kind
from telephony.dialer.guard.of_config import known_risks, rules_of
from telephony.dialer.guard.rules import GuardRules, Limits

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.pure

FILE = """
sip_trunks:
  - {name: in, inbound_only: true, numbers: ["+74950000001"], allowed_addresses: ["192.0.2.0/24"]}
  - {name: out, outbound_only: true, host: sip.example.com, numbers: ["84951234567"], max_calls_per_second: 5}
agent: {max_calls: 20}
bridge: {max_active_calls: 15}
outbound:
  enabled: true
  default_region: RU
  allowed_regions: [RU]
  allowed_kinds: [mobile]
  extra_numbers: ["4444"]
  calling_hours: {start: "10:00", end: "19:30", days: [sat], timezones: {"+7916": Europe/Moscow}}
  max_spend_per_day: 2.5
  per_key: {max_calls_per_day: 3}
api: {prices_file: prices.yaml}
"""


def rules(tmp_path: Path, text: str) -> GuardRules:
    path = tmp_path / "line.yaml"
    path.write_text(text)
    return rules_of(load_config(path, {}))


def test_every_setting_of_the_file_becomes_a_rule(tmp_path: Path) -> None:
    """Numbers of every trunk are ours, in E.164 and as written; only those that call out carry calls."""
    found = rules(tmp_path, FILE)
    assert {"74950000001", "84951234567", "74951234567"} == found.own_numbers
    assert [(trunk.name, trunk.place, trunk.burst) for trunk in found.trunks] == [
        ("out", "sip_trunks[1]", (5, 1.0))
    ]
    assert not found.trunks[0].takes_calls_in
    assert found.allowed_kinds == {Kind.MOBILE}
    assert found.extra_numbers == {"4444"}
    assert found.hours == Hours(600, 1170, frozenset({5}))
    assert found.zones == {"+7916": "Europe/Moscow"}
    assert (found.worker_calls, found.bridge_calls, found.reserved) == (20, 15, 2)
    assert found.line == Limits(1, 100, 300, 2_500_000)
    assert found.key == Limits(calls=3)
    assert found.known_risks == known_risks()


def test_the_files_defaults_are_those_of_the_rules(tmp_path: Path) -> None:
    """An empty section allows nothing, and says the same as rules that nobody wrote."""
    found = rules(tmp_path, "line: default\n")
    written = GuardRules(worker_calls=10, known_risks=known_risks())
    assert found == written


def test_the_kinds_of_the_file_are_those_of_the_guard() -> None:
    """None can be named that the guard does not know, and none is missing."""
    assert set(get_args(NumberKind)) == {kind.value for kind in ALLOWABLE}


def test_known_risks_are_beginnings_with_a_reason() -> None:
    """In E.164, each with words for a refusal."""
    assert all(
        prefix.startswith("+") and prefix[1:].isdigit() and reason for prefix, reason in known_risks().items()
    )
