"""Short work is done where it is asked for, and answered like any executor's."""

from __future__ import annotations

import asyncio
import threading

import pytest

from telephony.speech.at_once import AtOnce

pytestmark = pytest.mark.pure


async def test_it_is_done_on_the_thread_that_asks() -> None:
    """No other thread is begun or woken."""
    before = threading.active_count()
    ran_on = await asyncio.get_running_loop().run_in_executor(AtOnce(), threading.get_ident)
    assert ran_on == threading.get_ident()
    assert threading.active_count() == before


async def test_what_it_raises_is_raised_where_it_is_awaited() -> None:
    """And not where it is handed over."""
    failed = asyncio.get_running_loop().run_in_executor(AtOnce(), int, "no number")
    with pytest.raises(ValueError, match="no number"):
        await failed
