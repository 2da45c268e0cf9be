"""Calls in and out at once, over a network that loses every fifth SIP packet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.bridge.mixed_calls import MixedCalls
from tests.waiting import until

if TYPE_CHECKING:
    from tests.bridge.line import TestLine

pytestmark = pytest.mark.component


async def test_every_call_ends_on_both_sides_and_leaves_nothing(line: TestLine) -> None:
    """Whoever ends it at whatever moment: one end is told, the same on both sides; then all is as before."""
    await line.provision()
    # livekit-server ends a room in which only agents are left; between two calls nobody else is there.
    async with line.person(kind="standard") as person:
        await person.speak()
        made = await MixedCalls(line).run(8, pace_s=0.2, at_once=8)
        assert [one for one in made if not one.agrees] == []
        # Agents alone do not keep a room: livekit-server may have closed it already.
        assert set(await line.participants()) <= {"agent"}
    assert line.bridge.active_calls == 0
    assert line.bridge.media_ports_taken() == 0
    await until(lambda: line.bridge.endpoint_stats().active_dialogs == 0, 35)
