"""One call out, from the row that was claimed to what became of it.

The order is the guarantee: room and agent first; then the permit is consumed, in a transaction of its own;
then the one request that can make a phone ring, made once. Whoever dies before the second leaves a call
that may still be dialled; whoever dies after it leaves one that is only looked for, by ``evidence``. The
request is never made again, whatever it answers.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from telephony.calls.events import Event
from telephony.calls.outcomes import EndedBy, Outcome
from telephony.calls.record import CallRecord
from telephony.dialer import messages, result
from telephony.dialer.dial import DialState, next_step
from telephony.dialer.evidence import DIAL_BY_S, Evidence, judge
from telephony.dialer.requests import waits
from telephony.dialer.stage import AGENT_WAIT_S
from telephony.errors import DialError, LiveKitError, StoreError
from telephony.logs import get_logger
from telephony.store import calls, dials
from telephony.store.append import append
from telephony.store.instants import utc_now
from telephony.store.stored import Incoming

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from sqlalchemy.ext.asyncio import AsyncConnection

    from telephony.calls.events import EventType
    from telephony.dialer.gate import Gate
    from telephony.dialer.options import DialerOptions
    from telephony.dialer.result import DialResult
    from telephony.dialer.stage import Stage
    from telephony.livekit_client import LiveKit
    from telephony.store.database import Database
    from telephony.store.dials import Dial
    from telephony.store.ledger import Policy
    from telephony.store.stored import StoredEvent

log = get_logger(__name__)

LEASE_S = 20.0
"""How long a call is a dialler's without a word of it."""

_RENEW_S = 5.0
_LOOK_S = 0.5
_AGAIN_S = 1.0
_AGENT_GONE_S = 3.0
_OWN_WORD_S = 1.0
_REQUEST_MARGIN_S = 10.0
_TRIES = 5


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all attempts of a process share."""

    database: Database
    policy: Policy
    publish: Callable[[Sequence[StoredEvent]], None]
    livekit: LiveKit
    stage: Stage
    gate: Gate
    options: DialerOptions
    owner: str


class Attempt:
    """One claimed call."""

    def __init__(self, around: Surroundings, dial: Dial) -> None:
        self._around = around
        self._dial = dial
        self._ringing_s = min(
            dial.request.ringing_timeout_s or around.options.ringing_timeout_s, messages.LONGEST_RINGING_S
        )
        self._longest_s = dial.request.max_call_duration_s or around.options.max_call_duration_s
        self._ended_by_us: DialResult | None = None
        self._agentless_since: float | None = None

    async def run(self) -> None:
        """Bring the call to its end, or give it back where it can be tried again.

        Raises:
            StoreError: the database is away; the row stays as it is, for whoever comes after the lease.
        """
        dial, now = self._dial, utc_now()
        step = next_step(dial.state, deadline=dial.deadline, cancelled=dial.cancelled_at is not None, now=now)
        match step:
            case "dial":
                await self._prepare()
            case "look":
                log.warning("dial_found", call_id=dial.call_id, permit_id=dial.permit_id)
                await self._finish(await self._look(None), DialState.DIALLING)
            case "expire":
                await self._finish(result.TOO_LATE, DialState.PERMITTED)
            case "stop":
                await self._finish(result.CANCELLED, DialState.PERMITTED)
            case "nothing":
                pass

    # Before the permit is consumed: all of it may be done again.

    async def _prepare(self) -> None:
        dial, around = self._dial, self._around
        if waits(dial.request) and not await self._has_line():
            return
        line = around.options.lines.get(dial.trunk)
        try:
            if line is None:
                raise DialError(f"There is no outbound trunk {dial.trunk}.", field="sip_trunks")
            trunk_id = await around.stage.trunk_id(dial.trunk)
            told = messages.agent_metadata(
                dial,
                assistant=dial.request.assistant or around.options.assistant,
                ringing_timeout_s=self._ringing_s,
                max_duration_s=self._longest_s,
            )
            room = messages.room_with_agent(dial, around.options.agent_name, told)
            async with self._kept():
                left_s = (dial.deadline - utc_now()).total_seconds()
                has_agent = await around.stage.set_up(room, max(0.1, min(AGENT_WAIT_S, left_s)))
        except LiveKitError as error:
            await self._later(error)
            return
        except DialError as error:
            cause = f"Nobody was rung: {error.message}"
            await self._finish(result.not_dialled(cause), DialState.PERMITTED)
            return
        if not has_agent:
            await self._finish(result.NO_AGENT, DialState.PERMITTED)
            await self._close_room()
            return
        consumed_at = await self._consume()
        if consumed_at is None:
            await self._close_room()
            return
        dial_by = consumed_at + timedelta(seconds=DIAL_BY_S)
        request = messages.dial_request(
            dial,
            line,
            trunk_id,
            ringing_timeout_s=self._ringing_s,
            max_duration_s=self._longest_s,
            dial_by_ms=round(dial_by.timestamp() * 1000),
        )
        # The one place that makes a phone ring, reached once in the permit's life.
        asking = asyncio.create_task(
            around.livekit.dial(request, timeout_s=self._ringing_s + _REQUEST_MARGIN_S)
        )
        try:
            became = await self._look(asking, consumed_at)
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
        await self._finish(became, DialState.DIALLING)

    async def _has_line(self) -> bool:
        """Have the guard give a call its line that was allowed to wait for one."""
        dial, around, now = self._dial, self._around, utc_now()
        async with around.database.write() as connection:
            decision = await around.gate.begin(around.database, connection, dial.call_id, now)
            if decision is not None and decision.transient:
                soon = now + timedelta(seconds=_AGAIN_S)
                # Not before it can pass, and not after the deadline, which ends the wait.
                due_at = min(max(soon, decision.retry_at or soon), max(soon, dial.deadline))
                await dials.postpone(connection, dial.call_id, owner=around.owner, due_at=due_at)
                return False
        if decision is not None and decision.allowed:
            return True
        refusal = decision.refusal if decision else None
        await self._finish(
            result.of_code("blocked", Outcome.BLOCKED, refusal.sentence if refusal else None),
            DialState.PERMITTED,
        )
        return False

    async def _later(self, error: LiveKitError) -> None:
        """Nothing has left: look again in a moment, until the deadline says otherwise."""
        dial, around = self._dial, self._around
        log.warning("dial_postponed", call_id=dial.call_id, reason=error.message)
        async with around.database.write() as connection:
            due_at = utc_now() + timedelta(seconds=_AGAIN_S)
            await dials.postpone(connection, dial.call_id, owner=around.owner, due_at=due_at)

    async def _consume(self) -> datetime | None:
        """Use the permit up; None when it is not ours any more, was called off, or its time is over."""
        dial, around, now = self._dial, self._around, utc_now()
        async with around.database.write() as connection:
            if not await dials.consume(connection, dial.call_id, owner=around.owner, now=now):
                log.info("permit_not_consumed", call_id=dial.call_id, permit_id=dial.permit_id)
                return None
            data = {
                "direction": "outbound",
                "from": dial.request.from_,
                "to": dial.number,
                "room": dial.room,
                "permit_id": dial.permit_id,
                "assistant": dial.request.assistant or around.options.assistant,
            }
            stored = await self._append(connection, [self._event("call.dialling", data, now)])
        around.publish(stored)
        log.info("dialling", call_id=dial.call_id, permit_id=dial.permit_id, trunk=dial.trunk)
        return now

    # After it: nothing is done again, and what became of it is looked for.

    async def _look(
        self, asking: asyncio.Task[Any] | None, consumed_at: datetime | None = None
    ) -> DialResult:
        """What became of the dial, by livekit-server's answer or by what others know of it."""
        since = consumed_at or self._dial.consumed_at or utc_now()
        async with self._kept():
            while True:
                if asking is not None and asking.done():
                    answer, asking = self._answer(asking), None
                    if answer is not None:
                        return self._ended_by_us if self._ended_by_us and not answer.answered else answer
                if verdict := await self._verdict(since):
                    if asking is not None:
                        # Who was asked knows best, and is about to say so.
                        await asyncio.wait({asking}, timeout=_OWN_WORD_S)
                        if asking.done() and (answer := self._answer(asking)) is not None:
                            return self._ended_by_us if self._ended_by_us and not answer.answered else answer
                    return verdict
                if asking is None:
                    await asyncio.sleep(_LOOK_S)
                else:
                    await asyncio.wait({asking}, timeout=_LOOK_S)

    def _answer(self, asking: asyncio.Task[Any]) -> DialResult | None:
        error = asking.exception()
        if error is None:
            return result.ANSWERED
        if not isinstance(error, Exception):
            raise error
        if not isinstance(error, LiveKitError):
            log.error("dial_failed", call_id=self._dial.call_id, reason=type(error).__name__)
            return None
        told = result.of_error(error)
        if error.code in ("not_found", "invalid_argument") and "sip_status_code" not in error.details:
            self._around.stage.forget_trunks()
        log.info("dial_answered", call_id=self._dial.call_id, code=error.code, settled=told is not None)
        return told

    async def _verdict(self, since: datetime) -> DialResult | None:
        dial, around = self._dial, self._around
        try:
            async with around.database.read() as connection:
                row = await calls.get(connection, dial.call_id)
                current = await dials.get(connection, dial.call_id)
        except StoreError as error:
            log.warning("dial_not_looked_for", call_id=dial.call_id, reason=error.message)
            return None
        present = None
        with contextlib.suppress(LiveKitError):
            present = await around.stage.present(dial.room, dial.call_id)
        cancelled = current is not None and current.cancelled_at is not None
        now = utc_now()
        if present is not None:
            await self._end_if_wanted(present.agents, present.phone_status, cancelled=cancelled)
        record = CallRecord.from_json(dial.call_id, row["record"]) if row is not None else None
        evidence = known(record, present.phone_status if present else None, now)
        verdict = judge(
            evidence,
            age_s=(now - since).total_seconds(),
            ringing_timeout_s=self._ringing_s,
            cancelled=cancelled,
        )
        if verdict is not None and not verdict.answered and self._ended_by_us is not None:
            return self._ended_by_us
        return verdict

    async def _end_if_wanted(self, agents: int, phone_status: str | None, *, cancelled: bool) -> None:
        """Stop the ringing where somebody called the call off, or the agent is gone for good."""
        loop = asyncio.get_running_loop()
        if agents or phone_status not in ("dialing", "ringing"):
            self._agentless_since = None
        elif self._agentless_since is None:
            self._agentless_since = loop.time()
        lost = self._agentless_since is not None and loop.time() - self._agentless_since > _AGENT_GONE_S
        if self._ended_by_us is None and (cancelled or lost):
            self._ended_by_us = result.CANCELLED if cancelled else result.AGENT_LOST
            log.info("ringing_stopped", call_id=self._dial.call_id, reason=self._ended_by_us.code)
        if self._ended_by_us is not None:
            await self._close_room()

    # The end

    async def _finish(self, became: DialResult, before: DialState) -> None:
        """Write down what became of the call; of several who want to, one does."""
        dial, around = self._dial, self._around
        for tries in range(_TRIES):
            try:
                finished = await self._write_end(became, before)
                break
            except StoreError as error:
                if tries == _TRIES - 1:
                    raise
                log.warning("dial_not_finished", call_id=dial.call_id, reason=error.message)
                await asyncio.sleep(_AGAIN_S)
        if not finished:
            return
        log.info("dial_over", call_id=dial.call_id, outcome=became.outcome, code=became.code)
        if not became.answered:
            await self._close_room()
        elif self._ended_by_us is not None and await self._close_room():
            # It was taken in the very moment in which it was called off.
            report = {"ended_by": EndedBy.OPERATOR.value, "code": "operator_ended"}
            async with around.database.write() as connection:
                told = self._event("call.ended", report, utc_now())
                stored = await self._append(connection, [told])
            around.publish(stored)

    async def _write_end(self, became: DialResult, before: DialState) -> bool:
        dial, around, now = self._dial, self._around, utc_now()
        async with around.database.write() as connection:
            if not await dials.finish(
                connection, dial.call_id, outcome=became.outcome, now=now, before=before
            ):
                return False
            told = (
                self._event("call.answered", {"room": dial.room}, now)
                if became.answered
                else self._event("call.ended", became.report(), now)
            )
            stored = await self._append(connection, [told])
        around.publish(stored)
        return True

    async def _close_room(self) -> bool:
        """Send the agent home, and with it a phone that still rings."""
        try:
            await self._around.livekit.delete_room(self._dial.room)
        except LiveKitError as error:
            # The reconciler ends a room whose call is over.
            log.warning("room_not_ended", call_id=self._dial.call_id, reason=error.message)
            return False
        return True

    @contextlib.asynccontextmanager
    async def _kept(self) -> Any:
        """Keep the row for as long as this takes."""
        enough = asyncio.Event()
        keeping = asyncio.create_task(self._keep(enough))
        try:
            yield
        finally:
            # Not cancelled: a transaction is not to be torn in the middle.
            enough.set()
            await asyncio.gather(keeping, return_exceptions=True)

    async def _keep(self, enough: asyncio.Event) -> None:
        around = self._around
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_RENEW_S):
                    await enough.wait()
            if enough.is_set():
                return
            try:
                async with around.database.write() as connection:
                    await dials.renew(
                        connection, self._dial.call_id, owner=around.owner, now=utc_now(), lease_s=LEASE_S
                    )
            except StoreError as error:
                log.warning("lease_not_renewed", call_id=self._dial.call_id, reason=error.message)

    def _event(self, event_type: EventType, data: Mapping[str, Any], now: datetime) -> Incoming:
        told = {name: value for name, value in data.items() if value is not None}
        return Incoming(Event(self._dial.call_id, "dialer", 0, event_type, now, told), event_type)

    async def _append(self, connection: AsyncConnection, told: Sequence[Incoming]) -> Sequence[StoredEvent]:
        around = self._around
        return (await append(around.database, connection, told, around.policy, utc_now())).stored


def known(record: CallRecord | None, phone_status: str | None, now: datetime) -> Evidence:
    """What others than the dialler have told of a call. Pure."""
    if record is None:
        return Evidence(phone_status=phone_status)
    answered, ringing = record.facts.get("answered_at"), record.facts.get("ringing_at")
    left = record.value("gone.livekit")
    return Evidence(
        answered=answered is not None and answered.source != "job",
        rang=ringing is not None,
        bridge_had_it="bridge" in record.seen,
        bridge_report=record.value("report.bridge") or {},
        left_reason=None if left is None else str(left["reason"]),
        left_s=0.0 if left is None else (now - datetime.fromisoformat(left["at"])).total_seconds(),
        phone_status=phone_status,
    )
