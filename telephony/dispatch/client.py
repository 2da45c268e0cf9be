"""The bridge's side of the dispatcher: ask for a job, hear what became of it, come back by itself.

Guarantees: ``launch`` returns or raises within its patience and the time workers take to answer, whatever
becomes of the dispatcher; the connection is made again as long as the client is started.
"""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from telephony.dispatch import messages
from telephony.dispatch.messages import (
    SLOWEST_ANSWER_S,
    VERSION,
    Abandon,
    Agents,
    Hello,
    JobOver,
    Launch,
    Launched,
    Refused,
    Reserved,
    Welcome,
)
from telephony.errors import DispatchError, LinkError
from telephony.link.channel import CLOSED, Channel
from telephony.link.listener import connect
from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from telephony.dispatch.messages import JobState, ToDispatcher

log = get_logger(__name__)

_LOOK_S = 0.1
_ANSWER_GRACE_S = SLOWEST_ANSWER_S + 1.0
_WAITING_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Job:
    """A job on its way."""

    request: int
    job_id: str


@dataclass(slots=True)
class _Request:
    answer: asyncio.Future[Launched | Refused]
    on_over: Callable[[JobState], None]
    on_reserved: Callable[[], None]


class DispatchClient:
    """One bridge's connection to the dispatcher of its machine.

    Args:
        path: the dispatcher's socket.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._numbers = itertools.count(1)
        self._requests: dict[int, _Request] = {}
        self._agents: frozenset[str] | None = None
        self._known: frozenset[str] = frozenset()
        self._channel: Channel | None = None
        self._task: asyncio.Task[None] | None = None
        self._told = asyncio.Event()
        self._lost = asyncio.Event()

    def start(self) -> None:
        """Connect, and keep on doing so."""
        self._task = asyncio.create_task(self._keep_connected(), name="dispatch_client")

    async def close(self) -> None:
        """Connect no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._channel is not None:
            self._channel.close()

    @property
    def connected(self) -> bool:
        """Whether the dispatcher is there."""
        return self._agents is not None

    def serves(self, agent_name: str) -> bool:
        """Whether jobs of that agent come from the dispatcher; as it said last, also while it is away."""
        return agent_name in (self._known if self._agents is None else self._agents)

    async def launch(
        self,
        *,
        agent_name: str,
        room: str,
        metadata: str,
        attributes: Mapping[str, str],
        room_config: str,
        patience_s: float,
        on_over: Callable[[JobState], None],
        on_reserved: Callable[[], None] = lambda: None,
        persistent: bool = False,
    ) -> Job:
        """Put a job on its way.

        Args:
            patience_s: how long dispatcher and worker are waited for where they are away.
            on_over: told once of the job's end, unless it is abandoned.
            on_reserved: told as soon as a place is kept for the job, where the dispatcher can know; perhaps
                more than once.
            persistent: wait also where all workers are full.

        Raises:
            DispatchError: nobody takes it; says why.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience_s
        while True:
            left = max(0.0, deadline - loop.time())
            if not await self.wait_connected(left):
                raise _away()
            number = next(self._numbers)
            launch = Launch(
                number,
                agent_name,
                room,
                metadata,
                dict(attributes),
                room_config,
                max(0.0, deadline - loop.time()),
                persistent,
            )
            answer = await self._ask(launch, on_over, on_reserved)
            match answer:
                case Launched():
                    return Job(number, answer.job_id)
                case Refused() if answer.reason != "away":
                    raise DispatchError(answer.sentence, reason=answer.reason)
            if loop.time() >= deadline:
                raise _away()

    def abandon(self, job: Job) -> None:
        """The job is not wanted any more; it is ended if it still runs."""
        if self._requests.pop(job.request, None) is not None:
            self._send(Abandon(job.request))

    async def _ask(
        self, launch: Launch, on_over: Callable[[JobState], None], on_reserved: Callable[[], None]
    ) -> Launched | Refused:
        answer: asyncio.Future[Launched | Refused] = asyncio.get_running_loop().create_future()
        self._requests[launch.request] = _Request(answer, on_over, on_reserved)
        launched = False
        try:
            self._send(launch)
            async with asyncio.timeout(launch.patience_s + _ANSWER_GRACE_S):
                said = await answer
            launched = isinstance(said, Launched)
            return said
        except TimeoutError:
            return Refused(launch.request, "away", "The dispatcher did not answer.")
        finally:
            if not launched:
                self._requests.pop(launch.request, None)
                # Whoever stopped waiting wants no job that was just taken.
                self._send(Abandon(launch.request))

    async def wait_connected(self, limit_s: float) -> bool:
        """Wait for the dispatcher; whether it is there."""
        if self._agents is None:
            try:
                async with asyncio.timeout(limit_s):
                    await self._told.wait()
            except TimeoutError:
                return False
        return True

    async def _keep_connected(self) -> None:
        while True:
            self._lost.clear()
            try:
                self._channel = Channel(connect(self._path), self._message, self._ended, limit=_WAITING_BYTES)
            except LinkError:
                await asyncio.sleep(_LOOK_S)
                continue
            self._send(Hello(VERSION))
            await self._lost.wait()
            await asyncio.sleep(_LOOK_S)

    def _send(self, message: ToDispatcher) -> None:
        if self._channel is not None:
            self._channel.send(messages.encode(message))

    def _message(self, data: bytes) -> None:
        message = messages.decode(data)
        match message:
            case Welcome():
                if message.version != VERSION:
                    raise LinkError(f"the dispatcher speaks version {message.version}, not {VERSION}.")
            case Agents():
                self._agents = self._known = frozenset(message.names)
                self._told.set()
            case Reserved():
                kept = self._requests.get(message.request)
                if kept is not None and not kept.answer.done():
                    kept.on_reserved()
            case Launched() | Refused():
                request = self._requests.get(message.request)
                if request is not None and not request.answer.done():
                    request.answer.set_result(message)
            case JobOver():
                ended = self._requests.pop(message.request, None)
                if ended is not None:
                    ended.on_over(message.state)
            case _:
                raise LinkError(f"{type(message).__name__} came from the dispatcher.")

    def _ended(self, reason: str) -> None:
        if self._agents is not None and reason != CLOSED:
            log.warning("dispatcher_lost", reason=reason)
        self._agents = None
        self._told.clear()
        self._lost.set()
        for number, request in list(self._requests.items()):
            if not request.answer.done():
                request.answer.set_result(Refused(number, "away", "The dispatcher went away."))
            else:
                # What becomes of its job is not told any more; its call's own socket tells the most of it.
                del self._requests[number]


def _away() -> DispatchError:
    return DispatchError(
        "The dispatcher is not there.", reason="away", fix="See that the dispatcher of this machine runs."
    )
