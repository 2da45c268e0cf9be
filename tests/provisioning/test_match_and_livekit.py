"""Our matching against a real livekit-server's, asked over the bus as a bridge asks it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provisioning.claims import claims_of
from provisioning.match import Call, room_name
from provisioning.objects import Kind, Message
from provisioning.routing_table import Outcome, RoutingTable
from telephony.errors import LiveKitError
from tests.provisioning.strategies import calls, rules, trunks

if TYPE_CHECKING:
    from livekit.protocol.sip import SIPDispatchRuleInfo

    from provisioning.sip_service import SipService
    from tests.provisioning.asking import Asking
    from tests.provisioning.conftest import LiveKit

pytestmark = pytest.mark.component

EXAMPLES = int(os.environ.get("TRUNKLINE_MATCH_EXAMPLES", "60"))
against_the_server = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=EXAMPLES == 60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


async def put(service: SipService, table: RoutingTable, kind: Kind, message: Message) -> str | None:
    """Ask the server to keep an object; it and we must agree on whether it can."""
    claims = claims_of(message)
    refused = bool(table.blockers("new", message)) or len(set(claims)) != len(claims)
    if refused:
        with pytest.raises(LiveKitError, match=r"(?i)conflicting|already exists"):
            await service.create(kind, message)
        return None
    live = await service.create(kind, message)
    table.put(live.id, live.message)
    return live.id


def told(outcome: Outcome) -> Outcome:
    """As much of an outcome as the server tells a bridge."""
    return Outcome("refused") if outcome.result == "refused" else outcome


@against_the_server
@given(data=st.data())
async def test_conflicts_and_decisions_are_the_servers(
    data: st.DataObject, livekit: LiveKit, service: SipService, asking: Asking
) -> None:
    """What we call a conflict the server refuses, and every call gets the trunk and the rule that we say."""
    livekit.forget_everything()
    table = RoutingTable()
    ids = []
    for trunk in data.draw(st.lists(trunks(), max_size=4), label="trunks"):
        made = await put(service, table, Kind.INBOUND, trunk)
        ids += [made] if made else []
    for rule in data.draw(st.lists(rules(ids), max_size=5), label="rules"):
        await put(service, table, Kind.RULE, rule)
    for call in data.draw(st.lists(calls, min_size=3, max_size=6), label="calls"):
        assert await asking.outcome(call) == told(table.outcome(call)), (call, await service.list_all())


@against_the_server
@given(data=st.data())
async def test_conflicts_that_crept_in_are_decided_alike(
    data: st.DataObject, livekit: LiveKit, asking: Asking
) -> None:
    """What the server would have refused, put into its store behind its back: it and we decide alike."""
    livekit.forget_everything()
    table = RoutingTable()
    ids = []
    with livekit.store() as store:
        for n, trunk in enumerate(data.draw(st.lists(trunks(), max_size=3), label="trunks")):
            trunk.sip_trunk_id = f"ST_{n}"
            ids.append(trunk.sip_trunk_id)
            store.hset("sip_inbound_trunk", trunk.sip_trunk_id, trunk.SerializeToString())
            table.put(trunk.sip_trunk_id, trunk)
        for n, rule in enumerate(data.draw(st.lists(rules(ids), max_size=4), label="rules")):
            rule.sip_dispatch_rule_id = f"SDR_{n}"
            store.hset("sip_dispatch_rule", rule.sip_dispatch_rule_id, rule.SerializeToString())
            table.put(rule.sip_dispatch_rule_id, rule)
    for call in data.draw(st.lists(calls, min_size=3, max_size=6), label="calls"):
        assert await asking.outcome(call) == told(table.outcome(call)), call


@against_the_server
@given(rule=rules([]), call=calls)
async def test_rooms_are_named_as_we_say(
    rule: SIPDispatchRuleInfo, call: Call, livekit: LiveKit, service: SipService, asking: Asking
) -> None:
    """The room's name is what explain shows, its random part aside."""
    livekit.forget_everything()
    rule.numbers[:], rule.inbound_numbers[:] = [], []
    for kind in ("dispatch_rule_direct", "dispatch_rule_individual", "dispatch_rule_callee"):
        if rule.rule.HasField(kind):
            getattr(rule.rule, kind).pin = ""
    await service.create(Kind.RULE, rule)
    dispatch = await asking.dispatch(call)
    assert dispatch is not None
    shown = room_name(rule, call)
    if shown.endswith("<random>"):
        assert dispatch.room_name.startswith(shown.removesuffix("<random>"))
    else:
        assert dispatch.room_name == shown
