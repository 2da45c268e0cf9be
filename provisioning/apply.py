"""Make livekit-server match the file, chain by chain, so that a call that works keeps working.

A chain of dependent writes is done whole or put back; a process that is killed in the middle leaves marked
objects, from which the next run goes on. Every object is read again before it is written over.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from livekit.protocol.sip import SIPDispatchRuleInfo
from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_exponential_jitter

from provisioning.desired import with_trunk_ids
from provisioning.lock import ApplyLock
from provisioning.objects import Kind, Live, Message, copy_of, kind_of
from provisioning.ownership import read_metadata
from provisioning.plan import Plan, make_plan, marked
from provisioning.refusals import refuse_unsafe
from provisioning.sip_service import SipService
from provisioning.steps import NEW
from telephony.errors import LiveKitError
from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from provisioning.config import LineConfig
    from provisioning.steps import Chain, Step

log = get_logger(__name__)

_AT_ONCE = 8
_PUT_BACK_WITHIN_S = 10.0
_FINISH_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Written:
    """One write that was made.

    Attributes:
        action: what it did.
        kind: to what.
        key: the object's key in the file.
        id: LiveKit's id.
        stage: staged and parked objects get another write later.
    """

    action: Literal["created", "replaced", "deleted", "put back"]
    kind: Kind
    key: str
    id: str
    stage: Literal["whole", "staged", "parked"] = "whole"

    def to_json(self) -> dict[str, Any]:
        """The published shape."""
        return {
            "action": self.action,
            "kind": self.kind.value,
            "key": self.key,
            "id": self.id,
            "stage": self.stage,
        }


@dataclass(slots=True)
class ApplyResult:
    """What an apply did.

    Attributes:
        written: every write, in the order it was made.
        ids: key of the file to LiveKit's id.
        gaps_ms: how long each gap of the plan was, from sending the release to the answer of the claim.
        duration_s: from the first write to the last, in s.
    """

    written: list[Written] = field(default_factory=list)
    ids: dict[str, str] = field(default_factory=dict)
    gaps_ms: list[float] = field(default_factory=list)
    duration_s: float = 0.0

    @property
    def writes(self) -> int:
        """How many writes livekit-server was asked for."""
        return len(self.written)

    def to_json(self) -> dict[str, Any]:
        """The published shape."""
        return {
            "writes": self.writes,
            "written": [write.to_json() for write in self.written],
            "gaps_ms": [round(gap, 1) for gap in self.gaps_ms],
            "duration_s": round(self.duration_s, 3),
        }


async def apply_line(
    config: LineConfig,
    *,
    url: str,
    api_key: str,
    api_secret: str,
    on_change: Callable[[Written], None] | None = None,
) -> ApplyResult:
    """Bring a line's trunks and rules into being; run again it writes nothing.

    Args:
        config: the operator's file.
        url: livekit-server's URL.
        api_key: one of its keys.
        api_secret: the key's secret.
        on_change: called after each write.

    Raises:
        ConfigError: a trunk is open to the world, or claims what somebody else has; nothing was written.
        LiveKitError: the server cannot be reached or refuses; the next run goes on from there.
    """
    async with SipService(url, api_key, api_secret, timeout_s=config.livekit.connection_timeout) as service:
        plan = make_plan(config, await service.list_all())
        refuse_unsafe(config, plan)
        if not plan.changes:
            await ApplyLock(service).clear_away()
            return ApplyResult(ids=dict(plan.ids))  # not even the lock is written
        async with ApplyLock(service) as lock:
            plan = make_plan(config, await service.list_all())
            refuse_unsafe(config, plan)
            return await apply_plan(service, plan, lock=lock, on_change=on_change)


async def apply_plan(
    service: SipService,
    plan: Plan,
    *,
    lock: ApplyLock,
    on_change: Callable[[Written], None] | None = None,
) -> ApplyResult:
    """Do what a plan says. The plan must have been made under the lock."""
    runner = _Runner(service, plan, lock, on_change)
    started = time.monotonic()
    try:
        await runner.run()
    finally:
        runner.result.duration_s = time.monotonic() - started
    return runner.result


class _Runner:
    def __init__(
        self,
        service: SipService,
        plan: Plan,
        lock: ApplyLock,
        on_change: Callable[[Written], None] | None,
    ) -> None:
        self._service = service
        self._plan = plan
        self._lock = lock
        self._on_change = on_change
        self._ids = {NEW + key: object_id for key, object_id in plan.ids.items()}
        self._chains: Iterator[Chain] = iter(())
        self._failed: Exception | None = None
        self.result = ApplyResult(ids=dict(plan.ids))

    async def run(self) -> None:
        """Every chain: first side by side, then one by one those in which a call is not served for a moment.

        That moment lasts two writes, and they are quickest when nothing else is asked of the server.
        """
        chains = self._plan.chains
        await self._run_all([chain for chain in chains if not chain.gaps], at_once=_AT_ONCE)
        await self._run_all([chain for chain in chains if chain.gaps], at_once=1)

    async def _run_all(self, chains: list[Chain], *, at_once: int) -> None:
        self._chains = iter(chains)
        workers = [asyncio.create_task(self._work()) for _ in range(min(at_once, len(chains)))]
        if not workers:
            return
        try:
            await asyncio.shield(asyncio.gather(*workers))
        finally:
            # A chain is never left half done, neither for a Ctrl-C nor because another one failed:
            # what was begun is finished or put back, nothing new is begun.
            self._chains = iter(())
            await asyncio.wait(workers, timeout=_FINISH_WITHIN_S)
        if self._failed is not None:
            raise self._failed

    async def _work(self) -> None:
        for chain in self._chains:
            if self._failed is not None:
                return
            try:
                await self._run_chain(chain)
            except LiveKitError as error:
                self._failed = self._failed or error
                return

    async def _run_chain(self, chain: Chain) -> None:
        current = await self._read_again(chain)
        done: list[tuple[Step, str]] = []
        times: list[tuple[float, float]] = []
        for step in chain.steps:
            sent = time.monotonic()
            try:
                object_id = await self._write(step)
            except LiveKitError as error:
                if step.message is None:
                    raise  # what is wanted is there; only a leftover remains, for the next run
                await self._put_back([*done, (step, self._id_of(step))], current, error)
                raise
            done.append((step, object_id))
            times.append((sent, time.monotonic()))
        for opens, closes in {(gap.opens, gap.closes) for gap in chain.gaps}:
            self.result.gaps_ms.append((times[closes][1] - times[opens][0]) * 1000)

    async def _read_again(self, chain: Chain) -> dict[str, Live]:
        """Read what the chain will write over, and insist that nobody changed it since the plan was made."""
        wanted: dict[Kind, list[str]] = {}
        for step in chain.steps:
            if step.action.before is not None and step.action.id not in wanted.get(step.action.kind, []):
                wanted.setdefault(step.action.kind, []).append(step.action.id)
        current: dict[str, Live] = {}
        for kind, ids in wanted.items():
            current.update({live.id: live for live in await self._service.list_kind(kind, ids)})
        for step in chain.steps:
            live, seen = current.get(step.action.id), self._plan.seen.get(step.action.id)
            gone = live is None and step.message is not None
            changed = live is not None and seen is not None and live.message != seen.message
            if seen is not None and (gone or changed):
                raise LiveKitError(
                    f"{step.action.kind.word} {step.action.id} was {'deleted' if gone else 'changed'} by "
                    "somebody else since it was read.",
                    fix="Run apply again; it goes on from what is there now.",
                    retryable=True,
                )
        return current

    async def _write(self, step: Step) -> str:
        self._lock.ensure_held()
        action = step.action
        if step.message is None:
            await self._service.delete(action.kind, action.id)
            return self._note("deleted", step, action.id)
        message = self._resolved(step.message)
        object_id = self._id_of(step)
        if object_id.startswith(NEW):
            live = await self._service.create(action.kind, message)
            self._ids[action.id] = self.result.ids[action.key] = live.id
            return self._note("created", step, live.id)
        await self._service.replace(action.kind, object_id, message)
        return self._note("replaced", step, object_id)

    def _id_of(self, step: Step) -> str:
        return self._ids.get(step.action.id, step.action.id)

    def _resolved(self, message: Message) -> Message:
        """The message with real trunk ids, and a mark that fits what is written."""
        copy = copy_of(message)
        if isinstance(copy, SIPDispatchRuleInfo):
            copy = with_trunk_ids(copy, self._ids)
        user, mark = read_metadata(copy.metadata)
        if mark is None:
            return copy
        return marked(kind_of(copy), copy, user, mark.line, mark.key)

    async def _put_back(
        self, done: list[tuple[Step, str]], current: dict[str, Live], cause: LiveKitError
    ) -> None:
        """Undo a chain that broke, last write first; the write that failed may have happened too."""
        if not self._lock.is_held:
            raise LiveKitError(
                f"{cause.message} What was begun is left as it is: somebody else may be writing by now.",
                fix="Run apply again; it goes on from what is there.",
                retryable=True,
            ) from cause
        log.warning("provision_put_back", reason=cause.message, steps=len(done))
        retrying = AsyncRetrying(
            retry=retry_if_exception(lambda error: isinstance(error, LiveKitError) and error.retryable),
            stop=stop_after_delay(_PUT_BACK_WITHIN_S),
            wait=wait_exponential_jitter(multiplier=0.05, max=1.0, jitter=0.05),
            reraise=True,
        )
        try:
            async for attempt in retrying:
                with attempt:
                    for step, object_id in reversed(done):
                        await self._undo(step, object_id, current)
        except LiveKitError as error:
            raise LiveKitError(
                f"{cause.message} The old state could not be put back either: {error.message}",
                fix="Run apply again as soon as the server answers; it goes on from what is there.",
                retryable=True,
            ) from cause

    async def _undo(self, step: Step, object_id: str, current: dict[str, Live]) -> None:
        action = step.action
        if action.before is None:
            ids = [object_id] if not object_id.startswith(NEW) else await self._made_unseen(step)
            for made in ids:
                await self._service.delete(action.kind, made)
                self._note("put back", step, made)
            return
        live = current.get(object_id)
        if live is not None:
            await self._service.replace(action.kind, object_id, live.message)
            self._note("put back", step, object_id)

    async def _made_unseen(self, step: Step) -> list[str]:
        """Objects with this step's mark that the server made although its answer was lost."""
        _, ours = read_metadata(step.message.metadata if step.message is not None else "")
        found = []
        for live in await self._service.list_kind(step.action.kind):
            _, mark = read_metadata(live.message.metadata)
            if mark is not None and ours is not None and (mark.line, mark.key) == (ours.line, ours.key):
                found.append(live.id)
        return found

    def _note(
        self, verb: Literal["created", "replaced", "deleted", "put back"], step: Step, object_id: str
    ) -> str:
        written = Written(verb, step.action.kind, step.action.key, object_id, step.stage)
        self.result.written.append(written)
        if self._on_change is not None:
            self._on_change(written)
        return object_id
