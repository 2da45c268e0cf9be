"""One number on a livekit-server, whichever bridge serves it: its trunk, its rule, the room of a call."""

from __future__ import annotations

import itertools
from typing import Any

from livekit import api

from tests.bridge.agent_double import RoomPerson
from tests.bridge.servers import API_KEY, API_SECRET
from tests.waiting import until

_numbers = itertools.count(1)
PREFIX = "call"


class Number:
    """A number of its own, so that the room of a call to it is known: ``call_<number>``.

    Attributes:
        url: livekit-server's.
        trunk_id: of the last trunk that was made.
        rule_id: of the last rule.
    """

    api: api.LiveKitAPI

    def __init__(self, url: str) -> None:
        self.url = url
        self.number = f"+1555{next(_numbers):07d}"
        self.trunk_id = ""
        self.rule_id = ""
        self._trunks: list[str] = []
        self._rules: list[str] = []

    def open_api(self) -> None:
        """Connect to livekit-server's API."""
        self.api = api.LiveKitAPI("http" + self.url.removeprefix("ws"), API_KEY, API_SECRET)

    @property
    def room_name(self) -> str:
        """The room that a call to ``number`` gets."""
        return f"{PREFIX}_{self.number}"

    async def provision(
        self,
        *,
        trunk: dict[str, Any] | None = None,
        rule: dict[str, Any] | None = None,
        with_rule: bool = True,
        agents: bool = False,
    ) -> None:
        """Make a trunk for ``number`` and a rule that names the room after it."""
        info = api.SIPInboundTrunkInfo(name="test", numbers=[self.number], **(trunk or {}))
        made = await self.api.sip.create_inbound_trunk(api.CreateSIPInboundTrunkRequest(trunk=info))
        self.trunk_id = made.sip_trunk_id
        self._trunks.append(self.trunk_id)
        if not with_rule:
            return
        config = api.RoomConfiguration()
        if agents:
            config.agents.append(api.RoomAgentDispatch(agent_name="nobody"))
        by_number = api.SIPDispatchRule(dispatch_rule_callee=api.SIPDispatchRuleCallee(room_prefix=PREFIX))
        settings = {"name": "test", "rule": by_number, "room_config": config, **(rule or {})}
        info_of_rule = api.SIPDispatchRuleInfo(trunk_ids=[made.sip_trunk_id], **settings)
        request = api.CreateSIPDispatchRuleRequest(dispatch_rule=info_of_rule)
        self.rule_id = (await self.api.sip.create_dispatch_rule(request)).sip_dispatch_rule_id
        self._rules.append(self.rule_id)

    def forget_provisions(self) -> None:
        """What ``provision`` made is gone with the Redis that had it."""
        self._rules.clear()
        self._trunks.clear()

    async def remove_provisions(self) -> None:
        """Delete what ``provision`` made."""
        for rule in self._rules:
            await self.api.sip.delete_dispatch_rule(
                api.DeleteSIPDispatchRuleRequest(sip_dispatch_rule_id=rule)
            )
        for trunk in self._trunks:
            await self.api.sip.delete_trunk(api.DeleteSIPTrunkRequest(sip_trunk_id=trunk))

    def person(
        self, *, identity: str = "agent", kind: str = "agent", room_name: str | None = None
    ) -> RoomPerson:
        """Somebody for this call's room, or for another one."""
        return RoomPerson(self.url, room_name or self.room_name, identity=identity, kind=kind)

    async def rooms(self) -> list[str]:
        """Names of the rooms there are."""
        listed = await self.api.room.list_rooms(api.ListRoomsRequest())
        return [room.name for room in listed.rooms]

    async def participants(self) -> list[str]:
        """Identities of those in this call's room."""
        listed = await self.api.room.list_participants(api.ListParticipantsRequest(room=self.room_name))
        return [one.identity for one in listed.participants]

    async def room_appears(self) -> None:
        """Wait until the call has made its room."""
        await until(self._room_is_there)

    async def _room_is_there(self) -> bool:
        return self.room_name in await self.rooms()
