"""Ask for a call out: one transaction that has the answer, the permit and the record, or nothing.

Guarantee: the same key and the same request give the same call, however often and at however many
replicas it is asked for at once; what the guard decides, reserves and permits is decided in the
transaction that writes the permit, so no two requests can both take the last of anything.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from uuid_utils import uuid7

from telephony.calls.events import Event
from telephony.calls.ids import mint_call_id
from telephony.calls.outcomes import EndedBy, Outcome
from telephony.dialer.dial import DialState
from telephony.dialer.result import CANCELLED
from telephony.errors import DialError
from telephony.store import dials, idempotency
from telephony.store.append import append
from telephony.store.dials import Dial
from telephony.store.instants import utc_now
from telephony.store.stored import Incoming

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from telephony.calls.events import EventType, Source
    from telephony.dialer.gate import Decision, Gate
    from telephony.dialer.lines import Line
    from telephony.dialer.request import DialRequest
    from telephony.store.database import Database
    from telephony.store.ledger import Policy
    from telephony.store.stored import StoredEvent

DEADLINE = timedelta(minutes=2)
"""How late a call may be dialled that named no deadline."""

LATEST = timedelta(days=1)
"""How late a call may be dialled at all; a later deadline is brought forward to this."""

_CREATED, _REFUSED = 201, 403
_SOURCE: Source = "dialer"


@dataclass(slots=True)
class DialService:
    """What asking for a call needs of the process.

    Attributes:
        gate: decides, and reserves.
        lines: the trunks that calls go out through, by name.
        publish: told of what was stored, after the commit.
        wake: set when there is something to dial.
    """

    database: Database
    policy: Policy
    gate: Gate
    lines: Mapping[str, Line]
    publish: Callable[[Sequence[StoredEvent]], None]
    wake: asyncio.Event


@dataclass(frozen=True, slots=True)
class Requested:
    """What came of asking for a call.

    Attributes:
        call_id: the call's; None where the guard said "not now", which leaves no call behind.
        allowed: whether it will be dialled.
        replayed: whether this is the answer of an earlier request with the same key.
        verdict: the guard's, as ``Decision.to_json`` has it.
        refusal: why not: sentence, fix and setting.
        transient: whether the same request, with the same key, may pass later.
        retry_at: when, where that is known.
    """

    call_id: str | None
    allowed: bool
    replayed: bool = False
    verdict: Mapping[str, Any] = field(default_factory=dict)
    refusal: Mapping[str, str] = field(default_factory=dict)
    transient: bool = False
    retry_at: datetime | None = None


class KeyReusedError(DialError):
    """The Idempotency-Key was used for another request."""


async def request_call(
    service: DialService,
    request: DialRequest,
    key_id: str,
    idempotency_key: str | None,
    *,
    remote: str = "",
    now: datetime | None = None,
) -> Requested:
    """Ask for a call; when this returns with a call id, the permit is on disk and the call will be dialled.

    Args:
        key_id: whose request it is: an API key's id.
        idempotency_key: None: every request is a call of its own.
        remote: where the request came from, for the audit.

    Raises:
        KeyReusedError: the key was used for another request.
        DialError: the request cannot stand: no such trunk.
        StoreError: nothing was asked for; or, on PostgreSQL, nobody knows: ask again with the same key.
    """
    at = now or utc_now()
    async with service.database.write() as connection:
        if idempotency_key is not None:
            earlier = await idempotency.claim(
                service.database,
                connection,
                key_id=key_id,
                idempotency_key=idempotency_key,
                request_hash=fingerprint(request),
                now=at,
            )
            if earlier is not None:
                return _again(earlier)
        asked, stored = await _ask(service, connection, request, key_id, remote, at)
        if idempotency_key is not None:
            if asked.transient:
                # The key is not used up: the same request may pass in a moment.
                await idempotency.forget(connection, key_id=key_id, idempotency_key=idempotency_key)
            else:
                await idempotency.remember(
                    connection,
                    key_id=key_id,
                    idempotency_key=idempotency_key,
                    status=_CREATED if asked.allowed else _REFUSED,
                    response=_kept(asked),
                )
    service.publish(stored)
    if asked.allowed:
        service.wake.set()
    return asked


def waits(request: DialRequest) -> bool:
    """Whether a call may wait for a free line: where its request says until when."""
    return request.deadline is not None


def fingerprint(request: DialRequest) -> bytes:
    """Equal for equal requests, however their JSON was written."""
    text = json.dumps(request.to_json(), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(b"dial\n" + text.encode("utf-8", "surrogatepass")).digest()


def _kept(asked: Requested) -> dict[str, Any]:
    return {
        "call_id": asked.call_id,
        "allowed": asked.allowed,
        "verdict": dict(asked.verdict),
        "refusal": dict(asked.refusal),
    }


def _again(earlier: idempotency.Remembered) -> Requested:
    if not earlier.same_request or not isinstance(earlier.response, dict):
        raise KeyReusedError(
            "This Idempotency-Key was used for another request.", fix="Use a new key for a new request."
        )
    return Requested(replayed=True, **earlier.response)


async def _ask(
    service: DialService,
    connection: AsyncConnection,
    request: DialRequest,
    key_id: str,
    remote: str,
    now: datetime,
) -> tuple[Requested, Sequence[StoredEvent]]:
    call_id = mint_call_id()
    request = request.showing(call_id)
    decision = await service.gate.guard_and_reserve(
        service.database,
        connection,
        request,
        key_id,
        now,
        call_id=call_id,
        may_wait=waits(request),
        remote=remote,
    )
    asked = _asked(call_id, decision)
    if asked.transient:
        return asked, ()
    told = [_requested(call_id, request, decision, now)]
    if asked.allowed:
        new = _permitted(service, call_id, request, decision, key_id, now)
        await dials.insert(connection, new)
        told.append(_event(call_id, "call.permitted", {"permit_id": new.permit_id}, now))
    else:
        told.append(_event(call_id, "call.ended", _blocked(asked), now))
    appended = await append(service.database, connection, told, service.policy, now)
    return asked, appended.stored


def _asked(call_id: str, decision: Decision) -> Requested:
    refusal = decision.refusal
    if decision.allowed:
        return Requested(call_id, allowed=True, verdict=decision.to_json())
    why = (
        {"name": refusal.name, "setting": refusal.setting, "sentence": refusal.sentence, "fix": refusal.fix}
        if refusal
        else {"name": "guard", "setting": "outbound", "sentence": "The call is not allowed.", "fix": ""}
    )
    return Requested(
        None if decision.transient else call_id,
        allowed=False,
        verdict=decision.to_json(),
        refusal=why,
        transient=decision.transient,
        retry_at=decision.retry_at,
    )


def _permitted(
    service: DialService,
    call_id: str,
    request: DialRequest,
    decision: Decision,
    key_id: str,
    now: datetime,
) -> Dial:
    line = service.lines.get(decision.trunk or "")
    if line is None:
        raise DialError(f"There is no outbound trunk {decision.trunk!r}.", field="trunk")
    pool = tuple(decision.caller_ids) or line.numbers
    settled = replace(
        request,
        from_=request.from_ or replace(line, numbers=pool).caller_id(call_id),
        trunk=line.name,
        ringing_timeout_s=decision.ringing_timeout_s,
        max_call_duration_s=decision.max_call_duration_s,
    )
    return Dial(
        call_id=call_id,
        permit_id=f"prm_{uuid7().hex}",
        key_id=key_id,
        state=DialState.PERMITTED,
        request=settled,
        number=decision.number,
        trunk=line.name,
        room=call_id,
        created_at=now,
        deadline=min(request.deadline or now + DEADLINE, now + LATEST),
        consumed_at=None,
        cancelled_at=None,
        outcome=None,
    )


def _requested(call_id: str, request: DialRequest, decision: Decision, now: datetime) -> Incoming:
    data: dict[str, Any] = {
        "direction": "outbound",
        "from": request.from_,
        "to": decision.number,
        "assistant": request.assistant,
        "metadata": dict(request.metadata) or None,
        "batch_id": request.batch_id,
        "notes": list(decision.notes) or None,
    }
    return _event(call_id, "call.requested", {k: v for k, v in data.items() if v is not None}, now)


def _blocked(asked: Requested) -> dict[str, Any]:
    return {
        "outcome": Outcome.BLOCKED.value,
        "ended_by": EndedBy.LINE.value,
        "code": "blocked",
        "cause": f"The call was not allowed, so it was not dialled: {asked.refusal['sentence']}",
        "setting": asked.refusal["setting"],
    }


def _event(call_id: str, event_type: EventType, data: Mapping[str, Any], now: datetime) -> Incoming:
    return Incoming(Event(call_id, _SOURCE, 0, event_type, now, dict(data)), event_type)


async def cancel_call(service: DialService, call_id: str, *, now: datetime | None = None) -> Dial | None:
    """Call a call off that is not answered yet; what was not dialled never will be.

    Returns:
        The dial as it was, or None where there is none or it is over.
    """
    at = now or utc_now()
    async with service.database.write() as connection:
        was = await dials.cancel(connection, call_id, now=at)
        stored: Sequence[StoredEvent] = ()
        if was is not None and was.state is DialState.PERMITTED:
            told = Incoming(Event(call_id, _SOURCE, 0, "call.ended", at, CANCELLED.report()), "ended")
            stored = (await append(service.database, connection, [told], service.policy, at)).stored
    service.publish(stored)
    service.wake.set()
    return was
