"""What an apply does to a real livekit-server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from livekit.protocol.sip import SIPDispatchRuleInfo, SIPInboundTrunkInfo

from provisioning import apply as apply_module
from provisioning import plan as plan_module
from provisioning.apply import ApplyResult, apply_line
from provisioning.config import load
from provisioning.match import Call
from provisioning.objects import Kind, Live
from provisioning.refusals import RefusedError
from provisioning.routing_table import Outcome
from telephony.errors import LiveKitError
from tests.provisioning.files import SHIPPED, line, lines, rule, trunk

if TYPE_CHECKING:
    from provisioning.config import LineConfig
    from provisioning.sip_service import SipService
    from tests.provisioning.asking import Asking
    from tests.provisioning.conftest import LiveKit

pytestmark = pytest.mark.component

CALLER = "+15550009999"


async def apply(livekit: LiveKit, config: LineConfig) -> ApplyResult:
    return await apply_line(config, url=livekit.url, api_key=livekit.api_key, api_secret=livekit.api_secret)


async def by_name(service: SipService, kind: Kind) -> dict[str, Live]:
    return {live.message.name: live for live in await service.list_kind(kind)}


def call(number: str) -> Call:
    return Call(to_user=number, from_user=CALLER, source_ip="127.0.0.1")


async def test_the_shipped_file_takes_calls_in_both_spellings(livekit: LiveKit, asking: Asking) -> None:
    """The demo's number is reached with and without plus, and every call has a room of its own."""
    await apply(livekit, load(SHIPPED, livekit.env).config)
    for number in ("+15550100100", "15550100100"):
        dispatch = await asking.dispatch(call(number))
        assert dispatch is not None
        assert dispatch.room_name.startswith(f"call_{CALLER}_")
        assert dispatch.room_config is not None
        assert [agent.agent_name for agent in dispatch.room_config.agents] == ["trunkline"]
        assert dispatch.room_config.agents[0].metadata == '{"assistant": "reception"}'


async def test_a_second_apply_writes_nothing(livekit: LiveKit) -> None:
    """What was applied is as it should be."""
    config = load(SHIPPED, livekit.env).config
    assert (await apply(livekit, config)).writes == 2
    assert (await apply(livekit, config)).writes == 0


async def test_a_change_keeps_the_ids(livekit: LiveKit, service: SipService) -> None:
    """A number, an address and an agent change in place."""
    await apply(livekit, line(trunk("a", "+15550001"), rule("r", "a")))
    before = {live.id for live in await service.list_all()}
    config = line(
        trunk("a", "+15550001", "+15550002"),
        rule("r", "a", more="agent_name: other"),
    )
    result = await apply(livekit, config)
    assert result.writes == 2
    assert {live.id for live in await service.list_all()} == before
    assert set((await by_name(service, Kind.INBOUND))["a"].message.numbers) == {"+15550001", "+15550002"}


async def test_a_renamed_entry_keeps_its_id(livekit: LiveKit, service: SipService) -> None:
    """A deletion and a creation that claim the same number are one change in place."""
    await apply(livekit, line(trunk("old", "+15550001"), rule("r1", "old")))
    before = {live.id for live in await service.list_all()}
    result = await apply(livekit, line(trunk("new", "+15550001"), rule("r2", "new")))
    assert {write.action for write in result.written} == {"replaced"}
    assert {live.id for live in await service.list_all()} == before


async def test_what_the_file_drops_is_deleted(livekit: LiveKit, service: SipService) -> None:
    """Trunk and rule of an entry that is gone are deleted, rule first."""
    await apply(livekit, line(trunk("a", "+15550001"), rule("r", "a")))
    result = await apply(livekit, line())
    assert [(write.action, write.kind) for write in result.written] == [
        ("deleted", Kind.RULE),
        ("deleted", Kind.INBOUND),
    ]
    assert await service.list_all() == []


async def test_what_is_not_ours_is_left_alone(livekit: LiveKit, service: SipService) -> None:
    """Objects without our mark, or with another line's, survive apply and the deletion of everything."""
    other = line(trunk("theirs", "+15550009"), name="other")
    await apply(livekit, other)
    by_hand = SIPInboundTrunkInfo(name="hand", numbers=["+15550008"])
    await service.create(Kind.INBOUND, by_hand)
    await apply(livekit, line(trunk("a", "+15550001")))
    await apply(livekit, line())
    assert set(await by_name(service, Kind.INBOUND)) == {"theirs", "hand"}


async def test_a_claim_of_somebody_elses_is_found_before_anything_is_written(
    livekit: LiveKit, service: SipService
) -> None:
    """The number of a trunk made by hand is refused by us, with the trunk's id, and nothing changes."""
    hand = await service.create(Kind.INBOUND, SIPInboundTrunkInfo(name="hand", numbers=["15550001"]))
    config = line(lines(trunk("a", "+15550001"), trunk("b", "+15550002")))
    with pytest.raises(RefusedError, match=hand.id):
        await apply(livekit, config)
    assert set(await by_name(service, Kind.INBOUND)) == {"hand"}


async def test_an_open_trunk_is_refused_until_it_says_so(livekit: LiveKit) -> None:
    """A trunk without sources and without digest is not applied unless that is meant."""
    with pytest.raises(RefusedError, match="anybody in the world"):
        await apply(livekit, line('{name: a, numbers: ["+15550001"]}'))
    meant = line('{name: a, numbers: ["+15550001"], open_to_the_world: true}')
    assert (await apply(livekit, meant)).writes == 1


async def test_fields_we_do_not_know_survive(livekit: LiveKit, service: SipService) -> None:
    """A newer server's field, an agent's deployment and a room's tags are still there after an update."""
    await apply(livekit, line(trunk("a", "+15550001"), rule("r", "a")))
    live = (await by_name(service, Kind.RULE))["r"]
    assert isinstance(live.message, SIPDispatchRuleInfo)
    live.message.room_config.min_playout_delay = 77
    live.message.room_config.agents[0].deployment = "blue"
    # Field 1999 of a message that this version does not have.
    live.message.MergeFromString(b"\xfa\x7c\x03new")
    await service.replace(Kind.RULE, live.id, live.message)

    config = line(trunk("a", "+15550001"), rule("r", "a", more="assistant: sales"))
    assert (await apply(livekit, config)).writes == 1
    after = (await by_name(service, Kind.RULE))["r"].message
    assert isinstance(after, SIPDispatchRuleInfo)
    assert after.room_config.agents[0].metadata == '{"assistant": "sales"}'
    assert after.room_config.min_playout_delay == 77
    assert after.room_config.agents[0].deployment == "blue"
    assert b"\xfa\x7c\x03new" in after.SerializeToString()


@pytest.mark.parametrize("kind", [Kind.INBOUND, Kind.OUTBOUND])
async def test_a_trunks_fields_that_we_do_not_know_survive(
    kind: Kind, livekit: LiveKit, service: SipService
) -> None:
    """A newer server's field of a trunk is still there after its headers were changed by the file."""
    more = "outbound_only: true, host: sip.example.com" if kind is Kind.OUTBOUND else "inbound_only: true"
    given = f'name: a, numbers: ["+15550001"], {more}, allowed_addresses: ["127.0.0.1/32"]'
    if kind is Kind.OUTBOUND:
        given = given.partition(", allowed")[0]
    await apply(livekit, line(f"{{{given}}}"))
    live = (await by_name(service, kind))["a"]
    live.message.MergeFromString(b"\xfa\x7c\x03new")
    await service.replace(kind, live.id, live.message)
    assert (await apply(livekit, line(f"{{{given}, headers: {{X-Line: one}}}}"))).writes == 1
    after = (await by_name(service, kind))["a"].message
    assert dict(after.headers) == {"X-Line": "one"}  # type: ignore[union-attr]
    assert b"\xfa\x7c\x03new" in after.SerializeToString()


async def test_a_number_moves_between_trunks_with_its_gap_measured(
    livekit: LiveKit, service: SipService, asking: Asking
) -> None:
    """LiveKit keeps a number in one trunk only: it is let go and taken in two writes side by side."""
    two = lines(trunk("a", "+15550001", "+15550002"), trunk("b", "+15550003"))
    rules = lines(rule("ra", "a"), rule("rb", "b"))
    await apply(livekit, line(two, rules))
    ids = {name: live.id for name, live in (await by_name(service, Kind.INBOUND)).items()}
    moved = lines(trunk("a", "+15550001"), trunk("b", "+15550003", "+15550002"))
    result = await apply(livekit, line(moved, rules))
    assert [write.key for write in result.written] == ["inbound/a", "inbound/b"]
    assert len(result.gaps_ms) == 1
    outcome = await asking.outcome(call("+15550002"))
    assert (outcome.result, outcome.trunk_id) == ("accepted", ids["b"])


async def test_two_trunks_swap_their_numbers(livekit: LiveKit, asking: Asking) -> None:
    """A cycle is broken by parking one of the two, which nobody can call meanwhile."""
    rules = lines(rule("ra", "a"), rule("rb", "b"))
    one = lines(trunk("a", "+15550001"), trunk("b", "+15550002"))
    await apply(livekit, line(one, rules))
    before = await asking.outcome(call("+15550001"))
    other = lines(trunk("a", "+15550002"), trunk("b", "+15550001"))
    result = await apply(livekit, line(other, rules))
    assert [write.stage for write in result.written] == ["parked", "whole", "whole"]
    assert await asking.outcome(call("+15550002")) == before
    assert (await apply(livekit, line(other, rules))).writes == 0


class Breaking:
    """A SIP service whose n-th write fails, as if the server had refused it."""

    def __init__(self, service: SipService, fails_at: int) -> None:
        self._service = service
        self._left = fails_at

    def __getattr__(self, name: str) -> object:
        return getattr(self._service, name)

    async def replace(self, kind: Kind, object_id: str, message: object) -> Live:
        self._left -= 1
        if self._left == 0:
            raise LiveKitError("livekit-server refused: no.")
        return await self._service.replace(kind, object_id, message)  # type: ignore[arg-type]


async def test_a_move_that_fails_is_put_back(
    livekit: LiveKit, service: SipService, asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the claim is refused after the release, the number is where it was."""
    two = lines(trunk("a", "+15550001", "+15550002"), trunk("b", "+15550003"))
    rules = lines(rule("ra", "a"), rule("rb", "b"))
    await apply(livekit, line(two, rules))
    before = {live.id: live.message for live in await service.list_all()}
    moved = lines(trunk("a", "+15550001"), trunk("b", "+15550003", "+15550002"))
    real = apply_module.apply_plan

    async def broken(service: SipService, *args: object, **kwargs: object) -> ApplyResult:
        return await real(Breaking(service, 2), *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(apply_module, "apply_plan", broken)
    with pytest.raises(LiveKitError, match=r"refused: no\."):
        await apply(livekit, line(moved, rules))
    assert {live.id: live.message for live in await service.list_all()} == before
    assert (await asking.outcome(call("+15550002"))).result == "accepted"


async def test_an_object_changed_meanwhile_is_not_written_over(
    livekit: LiveKit, service: SipService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every object is read again right before it is replaced."""
    await apply(livekit, line(trunk("a", "+15550001")))
    live = (await by_name(service, Kind.INBOUND))["a"]
    real = plan_module.make_plan

    def meddled(config: LineConfig, lives: list[Live]) -> object:
        plan = real(config, lives)
        for one in lives:
            one.message.numbers.append("+15550007")
        return plan

    monkeypatch.setattr(apply_module, "make_plan", meddled)
    with pytest.raises(LiveKitError, match=f"{live.id} was changed by somebody else"):
        await apply(livekit, line(trunk("a", "+15550002")))
    assert (await by_name(service, Kind.INBOUND))["a"].message == live.message


async def test_a_caller_is_served_by_what_was_applied(livekit: LiveKit, asking: Asking) -> None:
    """An unknown number is dropped, a stranger's source too."""
    await apply(livekit, line(trunk("a", "+15550001"), rule("r", "a")))
    assert (await asking.outcome(call("+15550001"))).result == "accepted"
    assert await asking.outcome(call("+15550005")) == Outcome("dropped")
    stranger = Call(to_user="+15550001", from_user=CALLER, source_ip="198.51.100.1")
    assert await asking.outcome(stranger) == Outcome("dropped")
