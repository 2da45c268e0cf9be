"""What exists at a real livekit-server becomes a file that plans to nothing."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from livekit.protocol.sip import (
    SIPDispatchRule,
    SIPDispatchRuleIndividual,
    SIPDispatchRuleInfo,
    SIPInboundTrunkInfo,
    SIPOutboundTrunkInfo,
    SIPTransport,
)

from provisioning.adopt import as_yaml, entries_for, prove
from provisioning.commands import adopt
from provisioning.commands.frame import Output, Screen
from provisioning.config import load
from provisioning.objects import Kind
from provisioning.plan import make_plan
from telephony.errors import LiveKitError
from tests.provisioning.files import SHIPPED
from tests.provisioning.strategies import rules, trunks

if TYPE_CHECKING:
    from pathlib import Path

    from provisioning.sip_service import SipService
    from tests.provisioning.conftest import LiveKit

pytestmark = pytest.mark.component

PASSWORD = "pass: word #with 'everything' ${in} it"


async def fill(service: SipService) -> None:
    """Things as people make them by hand."""
    inbound = SIPInboundTrunkInfo(
        name="Novofon (main) №1",
        numbers=["+74951234567", "0053000"],
        allowed_addresses=["37.139.38.0/24"],
        auth_username="0053000",
        auth_password=PASSWORD,
        headers_to_attributes={"X-Call": "carrier.call"},
        metadata="plain words",
    )
    inbound.ringing_timeout.FromSeconds(90)
    inbound.media.codecs.add(name="PCMA", rate=8000)
    made = await service.create(Kind.INBOUND, inbound)
    outbound = SIPOutboundTrunkInfo(
        name="out",
        address="sip.novofon.ru:5060",
        transport=SIPTransport.SIP_TRANSPORT_TCP,
        numbers=["+74951234567"],
        auth_username="u",
        auth_password="other",
    )
    await service.create(Kind.OUTBOUND, outbound)
    rule = SIPDispatchRuleInfo(
        name="true",
        trunk_ids=[made.id],
        numbers=["74951234567"],
        rule=SIPDispatchRule(dispatch_rule_individual=SIPDispatchRuleIndividual(room_prefix="012")),
        metadata='{"vip": true}',
    )
    rule.room_config.empty_timeout = 90
    rule.room_config.agents.add(agent_name="bob", metadata="not json")
    await service.create(Kind.RULE, rule)
    wildcard = SIPDispatchRuleInfo(name="everybody", rule=SIPDispatchRule())
    wildcard.rule.dispatch_rule_direct.room_name = "lobby"
    await service.create(Kind.RULE, wildcard)


async def run_import(livekit: LiveKit, to: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in livekit.env.items():
        monkeypatch.setenv(name, value)
    await adopt.adopt(Screen(Output.TEXT), SHIPPED, None, to=to, line_name="adopted")


async def test_what_is_imported_plans_to_nothing(
    livekit: LiveKit, service: SipService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Passwords, odd names, foreign metadata and media are read back exactly; nothing was written."""
    await fill(service)
    before = {live.id: live.message for live in await service.list_all()}
    await run_import(livekit, tmp_path / "imported.yaml", monkeypatch)
    lives = await service.list_all()
    assert {live.id: live.message for live in lives} == before
    config = load(tmp_path / "imported.yaml", livekit.env).config
    plan = make_plan(config, lives)
    assert plan.changes == []
    assert len(plan.unchanged) == 3
    assert [foreign.live.message.name for foreign in plan.foreign] == ["everybody"]


async def test_what_is_imported_is_private(
    livekit: LiveKit,
    service: SipService,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Passwords go into files of mode 0600 and nowhere else; what cannot be said is told."""
    await fill(service)
    await run_import(livekit, tmp_path / "imported.yaml", monkeypatch)
    assert PASSWORD not in (tmp_path / "imported.yaml").read_text()
    secrets = sorted((tmp_path / "imported.secrets").iterdir())
    assert [path.read_text() for path in secrets] == [PASSWORD, "other"]
    modes = [stat.S_IMODE(os.stat(path).st_mode) for path in [*secrets, tmp_path / "imported.yaml"]]
    assert modes == [0o600] * 3
    out, err = capsys.readouterr()
    assert PASSWORD not in out + err
    assert "it has no trunks and so takes calls from strangers too" in out


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
async def test_any_trunks_and_rules_are_imported_or_left_with_a_reason(
    data: st.DataObject, livekit: LiveKit, service: SipService, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Random objects of a real server: the file plans to nothing, and whatever is left out says why."""
    livekit.forget_everything()
    ids = []
    for trunk in data.draw(st.lists(trunks(), max_size=3)):
        trunk.name = data.draw(st.sampled_from(["a", "a b", "null", "[x]", "é", "", "12"]))
        ids += await made(service, Kind.INBOUND, trunk)
    for rule in data.draw(st.lists(rules(ids), max_size=3)):
        await made(service, Kind.RULE, rule)
    lives = await service.list_all()
    entries = entries_for(lives, secrets_folder="s")
    prove("adopted", entries, lives)
    folder = tmp_path_factory.mktemp("imported")
    (folder / "s").mkdir()
    for name, secret in entries.secrets.items():
        (folder / "s" / name).write_text(secret)
    (folder / "line.yaml").write_text(as_yaml("adopted", entries, heading="x"))
    if entries.trunks or entries.rules:
        assert make_plan(load(folder / "line.yaml", livekit.env).config, lives).changes == []
    assert len(entries.trunks) + len(entries.rules) + len(entries.left) == len(lives)
    assert all(reason for _, reason in entries.left)


async def made(
    service: SipService, kind: Kind, message: SIPInboundTrunkInfo | SIPDispatchRuleInfo
) -> list[str]:
    try:
        return [(await service.create(kind, message)).id]
    except LiveKitError:
        return []  # it conflicts with one that was made before
