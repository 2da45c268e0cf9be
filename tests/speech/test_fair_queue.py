"""Turns at a model: fair between owners, in order within one, and never for nobody."""

from __future__ import annotations

import asyncio
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.errors import SpeechError
from telephony.speech.fair_queue import ModelThread, RoundRobin

pytestmark = pytest.mark.pure


def test_owners_are_served_in_turn() -> None:
    """Who asks for much waits behind who asks for little."""
    queue: RoundRobin[str] = RoundRobin()
    for item in ("a1", "a2", "a3", "b1", "c1", "b2"):
        queue.put(item[0], item)
    assert [queue.get() for _ in range(len(queue))] == ["a1", "b1", "c1", "a2", "b2", "a3"]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers())))
def test_every_item_comes_out_once_and_in_its_owners_order(items: list[tuple[int, int]]) -> None:
    """Nothing is lost or doubled, and no owner's items overtake each other."""
    queue: RoundRobin[tuple[int, int]] = RoundRobin()
    for item in items:
        queue.put(item[0], item)
    out = [queue.get() for _ in range(len(queue))]
    for owner in range(5):
        assert [item for item in out if item[0] == owner] == [item for item in items if item[0] == owner]
    with pytest.raises(IndexError):
        queue.get()


async def test_work_runs_in_one_thread_and_returns_its_result() -> None:
    """Everything runs in the same thread, which is not the event loop's."""
    model = ModelThread("model")
    threads = await asyncio.gather(*(model.run(owner, threading.get_ident) for owner in range(5)))
    await model.close()
    assert len(set(threads)) == 1
    assert threads[0] != threading.get_ident()


async def test_an_exception_goes_to_who_asked() -> None:
    """A failing piece fails its own caller and nobody else."""

    def fail() -> None:
        raise ValueError("no")

    model = ModelThread("model")
    with pytest.raises(ValueError, match="no"):
        await model.run("a", fail)
    assert await model.run("a", lambda: 1) == 1
    await model.close()


async def test_abandoned_work_is_never_begun() -> None:
    """What was cancelled while it waited is passed over."""
    gate, ran = threading.Event(), []
    model = ModelThread("model")
    first = asyncio.create_task(model.run("a", lambda: gate.wait(20)))
    second = asyncio.create_task(model.run("a", lambda: ran.append("second")))
    third = asyncio.create_task(model.run("a", lambda: ran.append("third")))
    await asyncio.sleep(0.01)
    second.cancel()
    gate.set()
    await asyncio.gather(first, third)
    await model.close()
    assert ran == ["third"]


async def test_too_much_waiting_is_refused_and_may_be_tried_again() -> None:
    """The queue is bounded; the refusal says that trying again can help."""
    gate = threading.Event()
    model = ModelThread("model", max_waiting=2)
    running = asyncio.create_task(model.run("a", lambda: gate.wait(20)))
    await asyncio.sleep(0.01)
    waiting = [asyncio.create_task(model.run("a", lambda: None)) for _ in range(2)]
    await asyncio.sleep(0.01)
    with pytest.raises(SpeechError) as caught:
        await model.run("b", lambda: None)
    assert caught.value.retryable
    gate.set()
    await asyncio.gather(running, *waiting)
    await model.close()


async def test_closing_finishes_what_runs_and_refuses_what_waits() -> None:
    """The running piece gets its grace; the rest hears at once that it is over."""
    gate = threading.Event()
    model = ModelThread("model")
    running = asyncio.create_task(model.run("a", lambda: gate.wait(20)))
    await asyncio.sleep(0.01)
    waiting = asyncio.create_task(model.run("a", lambda: None))
    await asyncio.sleep(0.01)
    closing = asyncio.create_task(model.close(grace_s=10))
    with pytest.raises(SpeechError, match="stopping"):
        await waiting
    gate.set()
    await closing
    assert await running is True
    with pytest.raises(SpeechError, match="stopping"):
        await model.run("a", lambda: None)


async def test_closing_does_not_wait_for_ever() -> None:
    """A piece that outlasts its grace is given up, and its caller is told."""
    gate = threading.Event()
    model = ModelThread("model")
    running = asyncio.create_task(model.run("a", lambda: gate.wait(20)))
    await asyncio.sleep(0.01)
    await model.close(grace_s=0.02)
    with pytest.raises(SpeechError, match="stopping"):
        await running
    gate.set()
