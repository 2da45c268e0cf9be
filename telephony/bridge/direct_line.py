"""The agent of one call over the direct line: sent for, waited for, replaced when it dies.

Guarantees. Before the answer: a job that dies is followed by another one while the caller can still be
kept waiting, and then the call is refused. After it: within a tick of a job's death the caller hears the
clip that the job had left for this, again and again until another job speaks; if none comes in time, or
they keep dying, the other clip, to its end, and the end of the call. What is said is the jobs' own
affair; here are only the two clips. No task outlives ``close``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from telephony.bridge import ending
from telephony.calls import job_attributes
from telephony.errors import DispatchError, LinkError
from telephony.link.bridge_end import BridgeEnd
from telephony.link.messages import Clip
from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path
    from typing import Any

    from telephony.bridge.agent_order import AgentOrder
    from telephony.bridge.ending import Ending
    from telephony.clock import Clock
    from telephony.dispatch.client import DispatchClient, Job
    from telephony.dispatch.messages import JobState
    from telephony.rtp.thread import MediaThread

log = get_logger(__name__)

REPLACE_S = 12.0
"""How long a caller is kept waiting for another agent: as long as a worker takes to start, and more."""

REMIND_S = 4.0
"""Silence after which a waiting caller hears the clip again."""

MAX_DEATHS = 3
"""Jobs of one call that may die; an agent that always dies would go on for ever."""

_MAX_TRIES = 3
_CLIP_TAIL_S = 0.06
_BYTES_PER_S = 16_000


class DirectLine:
    """One call's agent.

    Args:
        folder: where the call's sockets lie.
        order: whom to send for.
        media: the thread on which the call's end of the socket lives.

    Attributes:
        link: the call's end of the socket.
        on_here: a job has come (True) or gone before it was ready (False), before the answer.
        on_ready: the call may be answered.
        on_failed: before the answer: nobody will come any more.
        on_left: after the answer: the job left of its own will, and the call is nobody's.
        on_ending: the call cannot go on.
        on_died: after the answer: the job is gone against its will, before anything is done about it.
        others_talk: whether the caller has somebody else to talk to, so that a dead job is not replaced.
    """

    def __init__(
        self,
        clock: Clock,
        folder: Path,
        dispatcher: DispatchClient,
        order: AgentOrder,
        call_id: str,
        media: MediaThread,
    ) -> None:
        self.link = BridgeEnd(folder, clock, call_id)
        self.link.on_ready = media.to_owner(self._ready)
        self.link.on_here = media.to_owner(self._here)
        self.link.on_gone = media.to_owner(self._gone)
        self._media = media
        self.on_here: Callable[[bool], None] | None = None
        self.on_ready: Callable[[], None] | None = None
        self.on_failed: Callable[[], None] | None = None
        self.on_left: Callable[[], None] | None = None
        self.on_ending: Callable[[Ending], None] | None = None
        self.on_died: Callable[[], None] | None = None
        self.others_talk: Callable[[], bool] = lambda: False
        self._clock = clock
        self._dispatcher = dispatcher
        self._order = order
        self._call_id = call_id
        self._job: Job | None = None
        self._arrived = False
        self._attempt: asyncio.Future[bool] | None = None
        self._answered = False
        self._closed = False
        self._left = False
        self._deaths = 0
        self._task: asyncio.Task[None] | None = None

    @property
    def has_agent(self) -> bool:
        """Whether the call has an agent, or will have one in a moment."""
        return not self._left and not self._closed

    async def send_for(self, until: float, on_reserved: Callable[[], None]) -> None:
        """Send for the agent; returns when a worker has taken the job.

        Args:
            until: clock time up to which one is worth having.
            on_reserved: told, perhaps more than once, when a place is kept for the job, before it is taken.

        Raises:
            DispatchError: nobody takes it.
            LinkError: no socket can be made.
        """
        await self._launch(until, persistent=False, on_reserved=on_reserved)
        self._spawn(self._await_first(until))

    def answered(self) -> None:
        """The call was answered."""
        self._answered = True
        self._media.post(self.link.answered)

    def close(self, cause: str) -> None:
        """The call is over; harmless when repeated."""
        if self._closed:
            return
        self._closed = True
        if self._task is not None:
            self._task.cancel()
        self._media.post(self.link.close, cause)
        if self._job is not None and not self._arrived:
            self._dispatcher.abandon(self._job)

    async def closed(self) -> None:
        """Wait until nothing of it is left; at once after ``close``."""
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    # One job

    async def _launch(
        self, until: float, *, persistent: bool, on_reserved: Callable[[], None] = lambda: None
    ) -> None:
        attributes = {
            job_attributes.LINK: await self._media.run(self.link.listen),
            job_attributes.CALL_ID: self._call_id,
        }
        if self.link.job_id:
            attributes[job_attributes.RESUME] = self.link.job_id
        self._arrived = False
        attempt = self._attempt = asyncio.get_running_loop().create_future()
        try:
            self._job = await self._dispatcher.launch(
                agent_name=self._order.agent_name,
                room=self._order.room,
                metadata=self._order.metadata,
                attributes=attributes,
                room_config=self._order.room_config,
                patience_s=max(0.0, until - self._clock.now()),
                on_over=lambda state: self._job_over(attempt, state),
                on_reserved=on_reserved,
                persistent=persistent,
            )
        except DispatchError:
            self._media.post(self.link.stop_listening)
            raise

    def _here(self) -> None:
        self._arrived = True
        if self._answered:
            self._media.post(self.link.answered)
        if not self._answered and self.on_here is not None:
            self.on_here(True)

    def _ready(self) -> None:
        _settle(self._attempt, True)
        if not self._answered and self.on_ready is not None:
            self.on_ready()

    def _job_over(self, attempt: asyncio.Future[bool], state: JobState) -> None:
        # Of a job that has come, its own socket tells, and sooner.
        if not self._arrived or attempt is not self._attempt:
            log.info("job_never_came", call_id=self._call_id, state=state)
            _settle(attempt, False)

    def _gone(self, died: bool) -> None:
        if self._closed:
            return
        waiting = self._attempt is not None and not self._attempt.done()
        _settle(self._attempt, False)
        if not self._answered:
            if self.on_here is not None:
                self.on_here(False)
            return
        # Asked first: with the job's death a hold ends, and an operator who was being told is no help yet.
        goes_on = self.others_talk()
        if died and self.on_died is not None:
            self.on_died()
        if not died or goes_on:
            self._left = True
            if self.on_left is not None:
                self.on_left()
        elif not waiting:
            self._deaths += 1
            self._spawn(self._replace(self._say(Clip.MOMENT)))

    # Before the answer

    async def _await_first(self, until: float) -> None:
        if not await self._bring(until, launched=True, persistent=False) and self.on_failed is not None:
            self.on_failed()

    async def _bring(self, until: float, *, launched: bool, persistent: bool) -> bool:
        """Launch, again where a job dies before it is ready; whether one is ready."""
        for _ in range(_MAX_TRIES):
            try:
                if not launched:
                    await self._launch(until, persistent=persistent)
                launched = False
                if await self._is_ready(until):
                    return True
            except (DispatchError, LinkError) as error:
                log.warning("agent_not_sent", call_id=self._call_id, reason=str(error))
                return False
            if self._clock.now() >= until:
                return False
        return False

    async def _is_ready(self, until: float) -> bool:
        attempt = self._attempt
        assert attempt is not None, "made by _launch"
        try:
            async with asyncio.timeout(max(0.0, until - self._clock.now())):
                return await asyncio.shield(attempt)
        except TimeoutError:
            if self._arrived and not self._answered:
                # It is there and takes its time: how long that may take is the ringing's affair.
                return await attempt
            return False

    # After the answer

    def part(self, how: Ending) -> None:
        """End the call with the goodbye, played over whatever the job says."""
        if self._task is not None:
            self._task.cancel()
        self._spawn(self._part(how))

    async def _part(self, how: Ending) -> None:
        await asyncio.sleep(self._say(Clip.GOODBYE))
        if self.on_ending is not None:
            self.on_ending(how)

    async def _replace(self, clip_s: float) -> None:
        log.warning("agent_replaced", call_id=self._call_id, deaths=self._deaths)
        reminding = asyncio.create_task(self._remind(clip_s))
        try:
            until = self._clock.now() + REPLACE_S
            is_worth_it = self._deaths < MAX_DEATHS
            if is_worth_it and await self._bring(until, launched=False, persistent=True):
                return
        finally:
            reminding.cancel()
            await asyncio.gather(reminding, return_exceptions=True)
        self._media.post(self.link.stop_listening)
        self._media.post(self.link.cut)
        await self._part(ending.AGENT_LOST)

    async def _remind(self, clip_s: float) -> None:
        while True:
            await asyncio.sleep(clip_s + REMIND_S)
            clip_s = self._say(Clip.MOMENT)

    def _say(self, clip: Clip) -> float:
        """Play a clip from the next tick on; returns the seconds until the caller has heard it."""
        pcm = self.link.clip(clip)
        self._media.post(self.link.playout.play_clip, pcm)
        return len(pcm) / _BYTES_PER_S + _CLIP_TAIL_S

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._task = asyncio.create_task(work)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("direct_line_failed", call_id=self._call_id, reason=repr(error))
            if self.on_ending is not None:
                self.on_ending(ending.BRIDGE_FAILED)


def _settle(attempt: asyncio.Future[bool] | None, is_ready: bool) -> None:
    if attempt is not None and not attempt.done():
        attempt.set_result(is_ready)
