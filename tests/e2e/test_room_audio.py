"""The sample line with its audio in the room, as behind any other bridge: the server's own dispatch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.e2e.conftest import RunningLine, what_went_wrong
from tests.e2e.sample import line_of, sample_file

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def room_line(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningLine]:
    """The sample line without a dispatcher."""
    folder = tmp_path_factory.mktemp("room")
    config = sample_file(folder / "livekit-sip.yaml", agent={"audio_path": "room"})
    async with line_of(config, folder / "line") as line:
        yield RunningLine(line, line.info())


async def test_the_sample_conversation_is_the_same_in_the_room(room_line: RunningLine) -> None:
    """Understood, answered, interrupted, a key pressed, hung up by the agent, as on the direct line."""
    report = await room_line.call("demo")
    assert report.ok, what_went_wrong(report)
    assert report.ended_by == "agent"
    assert report.greeting_complete
    assert report.barge_in_silence_ms is not None
    assert await room_line.outcome(report) == "answered"
    events = room_line.events(report)
    paths = {event.data["audio_path"] for event in events if "audio_path" in event.data}
    assert paths == {"room"}
    types = {event.type for event in events}
    assert {"agent.interrupted", "dtmf.received", "fields.collected"} <= types
