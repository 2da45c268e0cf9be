"""A bridge in this process on real servers, with a trunk and a rule, and what tests ask of it."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import TYPE_CHECKING, Any, Self

from livekit import api

from telephony.bridge.config import read_config
from telephony.bridge.service import BridgeService
from tests.bridge.agent_double import RoomPerson
from tests.bridge.servers import API_KEY, API_SECRET

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.bridge.servers import Server

_numbers = itertools.count(1)
PREFIX = "call"


class TestLine:
    """One bridge and one number, so that the room of a call to it is known: ``call_<number>``."""

    __test__ = False

    def __init__(self, redis: Server, livekit: Server, folder: Path, **settings: Any) -> None:
        self.redis = redis
        self.livekit = livekit
        self.url = f"ws://127.0.0.1:{livekit.port}"
        self.events_dir = folder / "events"
        self.settings: dict[str, Any] = {
            "api_key": API_KEY,
            "api_secret": API_SECRET,
            "ws_url": self.url,
            "redis": {"address": f"127.0.0.1:{redis.port}"},
            "listen_ip": "127.0.0.1",
            "sip_port": 0,
            "rtp_port": "0",
            "health_port": 0,
            "events_dir": str(self.events_dir),
            "agent_wait_timeout": "4.5s",
            **settings,
        }
        self.bridge = BridgeService(read_config(self.settings, {}))
        self.number = f"+1555{next(_numbers):07d}"
        self._trunks: list[str] = []
        self._rules: list[str] = []

    async def __aenter__(self) -> Self:
        self.api = api.LiveKitAPI("http" + self.url.removeprefix("ws"), API_KEY, API_SECRET)
        try:
            await self.bridge.start()
        except BaseException:
            await self.api.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self.bridge.stop()
            if self.livekit.running and self.redis.running:
                await self._remove_provisions()
        finally:
            await self.api.aclose()

    @property
    def port(self) -> int:
        """The bridge's SIP port."""
        return self.bridge.sip_port

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
        self._trunks.append(made.sip_trunk_id)
        if not with_rule:
            return
        config = api.RoomConfiguration()
        if agents:
            config.agents.append(api.RoomAgentDispatch(agent_name="nobody"))
        by_number = api.SIPDispatchRule(dispatch_rule_callee=api.SIPDispatchRuleCallee(room_prefix=PREFIX))
        settings = {"name": "test", "rule": by_number, "room_config": config, **(rule or {})}
        info_of_rule = api.SIPDispatchRuleInfo(trunk_ids=[made.sip_trunk_id], **settings)
        request = api.CreateSIPDispatchRuleRequest(dispatch_rule=info_of_rule)
        self._rules.append((await self.api.sip.create_dispatch_rule(request)).sip_dispatch_rule_id)

    async def _remove_provisions(self) -> None:
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

    def events(self) -> list[dict[str, Any]]:
        """All events of all calls, in order."""
        lines = [
            json.loads(line)
            for file in sorted(self.events_dir.glob("*.jsonl"))
            for line in file.read_text().splitlines()
        ]
        return sorted(lines, key=lambda event: str(event["time"]))

    async def ended(self, timeout_s: float = 10.0) -> dict[str, Any]:
        """Wait until no call is left and return its last event."""
        async with asyncio.timeout(timeout_s):
            while self.bridge.active_calls:
                await asyncio.sleep(0.01)
        return self.events()[-1]


async def until(condition: Callable[[], Any], timeout_s: float = 10.0) -> None:
    """Wait for a condition, plain or awaitable, looking every 10 ms."""
    async with asyncio.timeout(timeout_s):
        while True:
            result = condition()
            if asyncio.iscoroutine(result):
                result = await result
            if result:
                return
            await asyncio.sleep(0.01)
