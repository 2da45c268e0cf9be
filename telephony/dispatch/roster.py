"""Which worker is asked next. Pure.

Guarantee: only workers of the right agent that say they are available are asked, each once a launch, the
one with the fewest calls first, those counted that were given to it and it has not told of yet.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


@dataclass(slots=True)
class Worker:
    """One registered worker.

    Attributes:
        worker_id: as it was registered.
        agent_name: whom it serves.
        available: whether it says that it takes jobs.
        load: as it says, 0 to 1.
        limit: calls that it takes at once; 0 where that is not known.
        given: jobs given to it that have not ended, as far as is known.
        relayed: livekit-server's jobs that it has, as far as is known.
    """

    worker_id: str
    agent_name: str
    available: bool = True
    load: float = 0.0
    limit: int = 0
    given: set[str] = field(default_factory=set)
    relayed: set[str] = field(default_factory=set)

    @property
    def has_place(self) -> bool:
        """Whether it has a place free for certain, by this count; where no limit is known, never."""
        return len(self.given) + len(self.relayed) < self.limit


class Roster:
    """All workers of one dispatcher."""

    def __init__(self) -> None:
        self._workers: dict[str, Worker] = {}

    def add(self, worker: Worker) -> None:
        """A worker has registered; one that was known by that id is forgotten."""
        self._workers[worker.worker_id] = worker

    def remove(self, worker: Worker) -> None:
        """A worker is gone; one that has registered anew by that id stays."""
        if self._workers.get(worker.worker_id) is worker:
            del self._workers[worker.worker_id]

    @property
    def agent_names(self) -> set[str]:
        """The agents that somebody serves."""
        return {worker.agent_name for worker in self._workers.values()}

    def has(self, agent_name: str) -> bool:
        """Whether somebody serves that agent, busy or not."""
        return agent_name in self.agent_names

    def choose(self, agent_name: str, asked: Collection[str]) -> Worker | None:
        """The worker to ask next, or None.

        Args:
            agent_name: for whom.
            asked: ids of workers that have said no.
        """
        fitting = [
            worker
            for worker in self._workers.values()
            if worker.agent_name == agent_name and worker.available and worker.worker_id not in asked
        ]
        return min(fitting, key=lambda worker: (len(worker.given), worker.load), default=None)
