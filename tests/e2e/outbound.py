"""A whole line that may call out, over a carrier of the tests."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest import mock

from telephony.api.client import Client, find_place
from tests.e2e.sample import line_of, sample, sample_file
from tests.e2e.timed import SPEECH
from tests.waiting import limit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from telephony.line.line import Line, LineInfo

CALLER_ID = "+12125550100"
OUTBOUND = {
    "enabled": True,
    "trunk": "out",
    "allowed_regions": ["US"],
    "max_concurrent_calls": 1000,
    "max_calls_per_day": 100_000,
    "max_minutes_per_day": 10_000_000,
    "max_calls_per_number_per_day": 1000,
    "reserved_for_inbound": 0,
}
"""Everything that a test dials may be dialled: what the guard refuses is tested elsewhere."""

ENDED_S = 60.0
_LOOK_S = 1.0


def trunk(name: str, port: int, **more: Any) -> dict[str, Any]:
    """An outbound trunk to a SIP server on this machine."""
    return {
        "name": name,
        "outbound_only": True,
        "numbers": [CALLER_ID],
        "host": "127.0.0.1",
        "port": port,
        "max_calls_per_second": 1000,
        **more,
    }


def written(
    folder: Path, trunks: list[dict[str, Any]], *, speech: Mapping[str, Any] | None, max_calls: int = 40
) -> Path:
    """The sample file with trunks to call out through; ``speech`` None leaves the sample's offline speech."""
    sections: dict[str, Any] = {"sip_trunks": sample()["sip_trunks"] + trunks, "outbound": OUTBOUND}
    if speech is not None:
        sections["speech"] = dict(speech)
    return sample_file(folder / "livekit-sip.yaml", agent={"max_calls": max_calls}, **sections)


@dataclass
class OutboundLine:
    """A line that is up."""

    line: Line
    info: LineInfo

    def client(self) -> Client:
        """Whoever asks the line's api."""
        return Client(find_place(None, None, self.line.data.root, env={}))

    async def dial(self, to: str, key: str | None = None, **more: Any) -> dict[str, Any]:
        """Ask for a call."""
        async with self.client() as client:
            call: dict[str, Any] = await client.send("POST", "/v1/calls", {"to": to, **more}, key=key)
        return call

    async def ended(self, call_id: str, timeout_s: float = ENDED_S) -> dict[str, Any]:
        """A call as the record has it, once it has ended."""
        async with limit(timeout_s), self.client() as client:
            while True:
                call: dict[str, Any] = await client.get(f"/v1/calls/{call_id}")
                if call["state"] == "ended":
                    return call
                await asyncio.sleep(_LOOK_S)

    async def events(self, call_id: str) -> list[dict[str, Any]]:
        """A call's events."""
        async with self.client() as client:
            page = await client.get(f"/v1/calls/{call_id}/events", limit=1000)
        found: list[dict[str, Any]] = page["events"]
        return found


@asynccontextmanager
async def outbound_line(
    folder: Path,
    trunks: list[dict[str, Any]],
    *,
    speech: Mapping[str, Any] | None = SPEECH,
    watched: bool = False,
) -> AsyncIterator[OutboundLine]:
    """A line that calls out through these trunks; ``watched``: parts that die are started again."""
    config = written(folder, trunks, speech=speech)
    # Many look at once how their calls went, all with one key.
    with mock.patch.dict(os.environ, {"TRUNKLINE_REQUESTS_PER_MINUTE": "1000000"}):
        async with line_of(config, folder / "data", watched=watched) as line:
            yield OutboundLine(line, line.info())
