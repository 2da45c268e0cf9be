"""How many calls one worker takes: a number, counted, never a guess from the load of the processor.

livekit-agents' own limit compares processor load, and counts a request that is being answered as a
share of that limit, so that a third call at the same moment would be refused by an idle worker. Here
a call is refused exactly when ``limit`` calls are being served or on their way into a process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.calls import job_attributes
from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from livekit.agents import JobRequest
    from livekit.protocol import agent as wire

log = get_logger(__name__)

FULL_LOAD = 0.6
"""The load that a full worker tells livekit-server."""


def is_repeated(job: wire.Job, running: Iterable[wire.Job]) -> bool:
    """Whether another job here does the same already, in the same room and not only in one of that name.

    livekit-server v1.13.5 sends again for all agents of a room that it finds in Redis after a restart, by new
    dispatches, while those that it sent for before are on their way back: the caller would hear two.
    """
    if not job.room.sid or job_attributes.RESUME in job.attributes:
        return False
    return any(_errand(each) == _errand(job) for each in running)


def _errand(job: wire.Job) -> tuple[str, str, str]:
    return job.room.sid, job.agent_name, job.metadata


class Admission:
    """Counts calls and answers requests for more.

    Args:
        limit: calls at once.
        running: how many jobs are in a process already.
        tell: hears how many calls were taken and have no process yet, whenever that changes.
    """

    def __init__(
        self, limit: int, running: Callable[[], int], tell: Callable[[int], None] = lambda _: None
    ) -> None:
        self._limit = limit
        self._running = running
        self._tell = tell
        self._entering = 0

    @property
    def calls(self) -> int:
        """Calls being served, and those accepted that have no process yet."""
        return self._running() + self._entering

    @property
    def load(self) -> float:
        """How full the worker is, for livekit-server, which prefers the worker with less.

        Never above ``FULL_LOAD``. The server asks no worker that said 0.7 or more (agentservice.go,
        JobRequestAffinity, and ``target_load``), and hears of the load every 2.5 s only: a worker that
        told its share plainly would go unasked with a third of its places free, or just freed.
        """
        return FULL_LOAD * min(self.calls, self._limit) / self._limit

    async def answer(self, request: JobRequest) -> None:
        """Accept a job, or leave it to another worker."""
        if self.calls >= self._limit:
            log.info("job_refused", job_id=request.id, calls=self.calls, limit=self._limit)
            await request.reject(terminate=False)
            return
        self._enter(1)
        try:
            # Returns when the job is in a process, and counts as running.
            await request.accept()
        finally:
            self._enter(-1)

    def _enter(self, calls: int) -> None:
        self._entering += calls
        self._tell(self._entering)
