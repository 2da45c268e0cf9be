"""From a bridge's request to a job on its way, or a reason why not.

Guarantees: every request is answered once, within its patience and the time that workers take to answer;
a worker that says no, or nothing, is followed by the next one; what was abandoned has no job left.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from livekit.protocol import agent as wire
from livekit.protocol import models

from telephony.dispatch.messages import SLOWEST_ANSWER_S, Launched, Refused
from telephony.dispatch.roster import Roster
from telephony.dispatch.worker_session import new_id
from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.dispatch.messages import JobState, Launch
    from telephony.dispatch.tokens import JobTokens
    from telephony.dispatch.worker_session import WorkerSession

log = get_logger(__name__)

ANSWER_S = 1.0
"""How long a worker may take to answer while there is another one to ask."""
_LOOK_AGAIN_S = 0.1


class Launcher:
    """Finds workers.

    Args:
        tokens: with which jobs enter their rooms.
        limit: calls that each worker takes at once; 0 where that is not known here.
        on_change: told when the names of served agents may have changed.
    """

    def __init__(self, tokens: JobTokens, on_change: Callable[[], None], *, limit: int = 0) -> None:
        self._limit = limit
        self.roster = Roster()
        self._tokens = tokens
        self._on_change = on_change
        self._sessions: dict[str, WorkerSession] = {}
        self._watchers: dict[str, Callable[[JobState], None]] = {}
        self._news = asyncio.Event()

    # Workers

    def changed(self, session: WorkerSession) -> None:
        """A worker has registered, or says something new of itself."""
        if self._sessions.get(session.worker.worker_id) is not session:
            self._sessions[session.worker.worker_id] = session
            session.worker.limit = self._limit
            self.roster.add(session.worker)
            log.info("worker_registered", worker_id=session.worker.worker_id, agent=session.worker.agent_name)
            self._on_change()
        self._news.set()
        self._news = asyncio.Event()

    def gone(self, session: WorkerSession) -> None:
        """A worker's connection has ended."""
        if self._sessions.get(session.worker.worker_id) is session:
            del self._sessions[session.worker.worker_id]
            self.roster.remove(session.worker)
            log.info("worker_gone", worker_id=session.worker.worker_id)
            self._on_change()

    def job_over(self, job_id: str, state: JobState) -> None:
        """A job has ended."""
        log.info("job_over", job_id=job_id, state=state)
        watcher = self._watchers.pop(job_id, None)
        if watcher is not None:
            watcher(state)

    # Launches

    async def launch(
        self,
        request: Launch,
        on_over: Callable[[JobState], None],
        on_reserved: Callable[[], None] = lambda: None,
    ) -> Launched | Refused:
        """Find a worker for a request.

        Args:
            on_reserved: told, before the worker has answered, that it has a place free; may be told again
                for the next one that is asked.
            on_over: told once when the job that was launched has ended.
        """
        deadline = asyncio.get_running_loop().time() + request.patience_s
        while True:
            launched = await self._one_round(request, on_over, on_reserved)
            if launched is not None:
                return launched
            left = deadline - asyncio.get_running_loop().time()
            served = self.roster.has(request.agent_name)
            if left <= 0 or (served and not request.persistent):
                return _refused(request, served=served)
            await self._wait_for_news(min(left, _LOOK_AGAIN_S) if served else left)

    async def abandon(self, job_id: str) -> None:
        """End a job that is not wanted any more."""
        self._watchers.pop(job_id, None)
        for session in self._sessions.values():
            if job_id in session.worker.given:
                try:
                    await session.terminate(job_id)
                except (ConnectionError, TimeoutError):
                    log.info("job_not_ended", job_id=job_id)

    async def _one_round(
        self, request: Launch, on_over: Callable[[JobState], None], on_reserved: Callable[[], None]
    ) -> Launched | None:
        asked: set[str] = set()
        while (worker := self.roster.choose(request.agent_name, asked)) is not None:
            asked.add(worker.worker_id)
            session = self._sessions[worker.worker_id]
            is_last = self.roster.choose(request.agent_name, asked) is None
            job = _job(request)
            if worker.has_place:
                on_reserved()
            # Counted from now on, so that ten calls at once do not all go to the same worker.
            worker.given.add(job.id)
            try:
                if await self._give(session, job, request, SLOWEST_ANSWER_S if is_last else ANSWER_S):
                    self._watchers[job.id] = on_over
                    return Launched(request.request, job.id, worker.worker_id)
            except (ConnectionError, TimeoutError) as error:
                log.warning("worker_lost_while_asked", worker_id=worker.worker_id, reason=str(error))
            except asyncio.CancelledError:
                worker.given.discard(job.id)
                # It may just have said yes.
                with contextlib.suppress(ConnectionError, TimeoutError):
                    await session.terminate(job.id)
                raise
            worker.given.discard(job.id)
        return None

    async def _give(self, session: WorkerSession, job: wire.Job, request: Launch, limit_s: float) -> bool:
        answer = await session.ask(job, limit_s)
        if answer is None or job.id not in session.worker.given:
            return False
        token = self._tokens.job(request.room, request.room_config, answer, session.permissions)
        await session.assign(job, token)
        log.info("job_launched", job_id=job.id, worker_id=session.worker.worker_id, agent=request.agent_name)
        return True

    async def _wait_for_news(self, limit_s: float) -> None:
        try:
            async with asyncio.timeout(limit_s):
                await self._news.wait()
        except TimeoutError:
            return


def _job(request: Launch) -> wire.Job:
    return wire.Job(
        id=new_id("AJ_"),
        dispatch_id=new_id("AD_"),
        type=wire.JobType.JT_ROOM,
        room=models.Room(name=request.room),
        metadata=request.metadata,
        agent_name=request.agent_name,
        attributes=request.attributes,
    )


def _refused(request: Launch, *, served: bool) -> Refused:
    if served:
        return Refused(request.request, "full", f"Every worker of agent {request.agent_name} is full.")
    return Refused(request.request, "no_worker", f"No worker is registered for agent {request.agent_name}.")
