"""What takes its time, all at once: each wait is a call of its own, and together they last as the longest."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.bridge.called_phone import CalledPhone
from tests.bridge.phone import Phone
from tests.contract.line import ContractLine

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence
    from pathlib import Path

    from tests.contract.process import BridgeProcess
    from tests.dispatch.machine import WorkerDouble

_AT_ONCE = 5
"""Calls through rooms that a machine with two processors bears beside telephones and agents."""


class Party:
    """A line of its own, with telephones of its own, for one wait."""

    def __init__(self, rig: Rig, stack: AsyncExitStack) -> None:
        self._stack = stack
        self.line = rig.new_line()
        self.bridge = rig.bridge

    async def phone(self) -> Phone:
        """A telephone that calls."""
        return await self._stack.enter_async_context(Phone())

    async def called(self) -> CalledPhone:
        """A telephone that is called."""
        return await self._stack.enter_async_context(CalledPhone())


@dataclass(frozen=True, slots=True)
class Rig:
    """Where the waits take place."""

    bridge: BridgeProcess
    url: str
    worker: WorkerDouble | None
    links: Path

    def new_line(self) -> ContractLine:
        """Another number."""
        return ContractLine(self.bridge, self.url, self.worker, self.links)

    async def run(
        self, waits: Sequence[Callable[[Party], Coroutine[Any, Any, None]]]
    ) -> Mapping[str, object]:
        """Run all of them at once; by name, the exception that each came to, or None."""
        free = asyncio.Semaphore(_AT_ONCE)
        results = await asyncio.gather(*(self._one(wait, free) for wait in waits), return_exceptions=True)
        return {wait.__name__: result for wait, result in zip(waits, results, strict=True)}

    async def _one(self, wait: Callable[[Party], Coroutine[Any, Any, None]], free: asyncio.Semaphore) -> None:
        async with free, AsyncExitStack() as stack:
            party = Party(self, stack)
            await stack.enter_async_context(party.line)
            await wait(party)
