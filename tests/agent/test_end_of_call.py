"""A call ends once, whoever ends it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from telephony.agent.ending import Ending
from tests.agent.lone_call import LoneCall
from tests.waiting import until

if TYPE_CHECKING:
    from livekit.agents import RunContext

pytestmark = pytest.mark.pure

GOODBYE = Ending("agent", "the agent said goodbye")


async def test_only_the_first_end_counts() -> None:
    """The talk is stopped and the job shut down once, and the record tells the first reason."""
    call = LoneCall()
    call.end.end(Ending("caller", "the caller hung up"))
    call.end.end(Ending("line", "the room was deleted"))
    assert call.how == ("caller", "the caller hung up")
    assert call.done == ["close", "shut down: the caller hung up"]
    assert call.end.over.is_set()


async def test_hanging_up_is_said_heard_and_done_in_order() -> None:
    """Only the goodbye is said, then nobody listens, then phone and room are told, then the job ends."""
    call = LoneCall()
    call.end.hang_up(GOODBYE, None)
    call.end.hang_up(Ending("agent", "another reason"), None)
    await until(call.end.over.is_set)
    assert call.how == ("agent", "the agent said goodbye")
    assert call.done == [
        "closing",
        "stop_listening",
        "way hung up",
        "room deleted",
        "close",
        "shut down: the agent said goodbye",
    ]


async def test_a_line_that_ends_while_the_agent_hangs_up_was_hung_up() -> None:
    """A caller who leaves meanwhile has left; a room that is gone was ended by us."""
    for ending, by in (
        (Ending("line", "the room was deleted"), "agent"),
        (Ending("caller", "gone"), "caller"),
    ):
        call = LoneCall()
        call.end.hang_up(GOODBYE, None)
        call.end.told(ending)
        assert call.how[0] == by
        await call.tasks.cancel()


async def test_a_goodbye_that_the_caller_spoke_into_ends_the_call_all_the_same() -> None:
    """What cannot be protected any more is hung up after."""

    def refuse() -> None:
        raise RuntimeError("interrupted already")

    context: Any = SimpleNamespace(disallow_interruptions=refuse, speech_handle=None)
    call = LoneCall()
    call.end.said_goodbye(cast("RunContext[None]", context))
    await until(call.end.over.is_set)
    assert call.how == ("agent", "the agent said goodbye")


async def test_the_bridge_tells_why_the_call_is_over() -> None:
    """By its own word; after a transfer it is the operator's doing."""
    call = LoneCall(direct=True)
    assert call.way.on_hung_up is not None
    call.end.handed_over = True
    call.way.on_hung_up("caller_hung_up")
    assert call.how[0] == "operator"


async def test_a_call_that_another_job_has_keeps_its_room() -> None:
    """Whoever is cut off by the bridge ends nothing but itself."""
    call = LoneCall(direct=True)
    assert call.way.on_lost is not None
    call.way.on_lost()
    await call.end.close_room()
    assert call.end.superseded
    assert "room deleted" not in call.done


async def test_a_call_that_cannot_begin_leaves_nobody_in_the_room() -> None:
    """Phone and room are told at once, and nothing is raised where the room does not answer."""
    call = LoneCall()
    await call.end.fail("no provider")
    assert call.done == ["way hung up", "room deleted", "close", "shut down: no provider"]
    lost = LoneCall(room_fails=True)
    async with asyncio.timeout(10):
        await lost.end.fail("no provider")
    assert lost.how == ("line", "no provider")


async def test_a_job_that_is_stopped_says_so() -> None:
    """Where nobody has ended the call, the line has."""
    assert LoneCall().how == ("line", "the job was stopped")
