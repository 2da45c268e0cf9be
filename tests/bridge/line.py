"""A bridge in this process on real servers, with a trunk and a rule, and what tests ask of it."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Self

from telephony.bridge.config import read_config
from telephony.bridge.service import BridgeService
from tests.bridge.number import Number
from tests.bridge.servers import bridge_settings
from tests.waiting import limit

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bridge.servers import Server


class TestLine(Number):
    """One bridge and one number."""

    __test__ = False

    def __init__(self, redis: Server, livekit: Server, folder: Path, **settings: Any) -> None:
        super().__init__(f"ws://127.0.0.1:{livekit.port}")
        self.redis = redis
        self.livekit = livekit
        self.events_dir = folder / "events"
        given = {"events_dir": str(self.events_dir), "agent_wait_timeout": "4.5s", **settings}
        self.settings = bridge_settings(self.url, f"127.0.0.1:{redis.port}", **given)
        self.bridge = BridgeService(read_config(self.settings, {}))

    async def __aenter__(self) -> Self:
        self.open_api()
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
                await self.remove_provisions()
        finally:
            await self.api.aclose()

    @property
    def port(self) -> int:
        """The bridge's SIP port."""
        return self.bridge.sip_port

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
        async with limit(timeout_s):
            while self.bridge.active_calls:
                await asyncio.sleep(0.01)
        return self.events()[-1]
