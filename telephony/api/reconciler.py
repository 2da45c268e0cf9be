"""Ask livekit-server what is really there, and close what nobody closed.

LiveKit's webhooks may be lost and every process of ours may die, so at times the record holds a call
that is over, or the server a room that nobody is left to end. Each round compares the two. A call is
taken for gone only when it was missing twice, some seconds apart, and never while the server does
not answer. What is concluded goes into the record as one more account, of the source ``reconciler``.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from telephony.calls.events import Event
from telephony.calls.ids import call_id_from_attributes
from telephony.errors import LiveKitError, StoreError
from telephony.logs import get_logger
from telephony.store import calls
from telephony.store.instants import utc_now
from telephony.store.stored import Incoming
from telephony.webhooks.livekit import arrival_type, describe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence, Set

    from livekit.protocol.models import ParticipantInfo

    from telephony.calls.events import EventType
    from telephony.livekit_client import LiveKit
    from telephony.monitor.metrics import Metrics
    from telephony.store.calls import OpenCall
    from telephony.store.database import Database
    from telephony.store.intake import Intake

log = get_logger(__name__)

GONE_AFTER_S = 6.0
"""How long a call's room or caller must be missing before the call is taken for over."""

ROOMLESS_AFTER_S = 60.0
"""How long a call of which no room was ever told is left open without news."""

AGENTLESS_AFTER_S = 10.0
"""How long an answered caller is left in a room whose agent is gone."""

ABANDONED_AFTER_S = 6.0
"""How long agents are left in the room of a call that has ended."""

GHOSTS_AFTER_S = 20.0
"""The same where callers of calls that have ended are still listed, as after a death of livekit-server."""

_AT_ONCE = 8
_SIP, _AGENT = "SIP", "AGENT"


@dataclass(frozen=True, slots=True)
class Room:
    """A room as it is now: who is there, as ``telephony.webhooks.livekit.describe`` says it."""

    name: str
    people: tuple[Mapping[str, Any], ...]
    call_ids: Mapping[str, Mapping[str, Any]]
    """The calls whose SIP participant is there."""

    @property
    def has_agent(self) -> bool:
        """Whether an agent is there."""
        return any(person["kind"] == _AGENT for person in self.people)

    @property
    def only_agents(self) -> bool:
        """Whether agents are there, and nobody for whom they could be."""
        return self.has_agent and all(person["kind"] == _AGENT for person in self.people)

    @property
    def only_of_calls(self) -> bool:
        """Whether nobody is there who has not come by telephone or for somebody who has."""
        kinds = [person["kind"] for person in self.people]
        callers, agents = kinds.count(_SIP), kinds.count(_AGENT)
        return callers == len(self.call_ids) and callers + agents == len(kinds)

    @property
    def lonely_caller(self) -> str | None:
        """The one call whose caller is connected and alone in the room."""
        alone = len(self.people) == 1 and len(self.call_ids) == 1
        [(call_id, person)] = self.call_ids.items() if alone else [(None, {})]
        return call_id if person.get("status") == "active" else None


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be.

    ``key``: what it is about; it must be found again and again for ``after_s`` before it is acted on.
    """

    kind: Literal["gone", "agentless", "abandoned"]
    key: str
    call_id: str | None
    room: str | None
    after_s: float


def compare(
    open_calls: Sequence[OpenCall],
    rooms: Mapping[str, Room],
    *,
    had_agent: Set[str],
    over: Set[str],
) -> list[Finding]:
    """What is wrong, by the record's open calls and the server's rooms. Pure.

    Args:
        had_agent: rooms in which an agent was seen before; a room that never had one may still get it.
        over: rooms whose calls have all ended.
    """
    present = {call_id for room in rooms.values() for call_id in room.call_ids}
    findings = []
    for row in open_calls:
        if row.call_id not in present and not row.held:
            after_s = GONE_AFTER_S if row.room else ROOMLESS_AFTER_S
            findings.append(Finding("gone", f"gone {row.call_id}", row.call_id, row.room, after_s))
    for name, room in rooms.items():
        if room.lonely_caller and name in had_agent:
            key = f"agentless {name}"
            findings.append(Finding("agentless", key, room.lonely_caller, name, AGENTLESS_AFTER_S))
        if room.only_of_calls and name in over:
            after_s = ABANDONED_AFTER_S if room.only_agents else GHOSTS_AFTER_S
            findings.append(Finding("abandoned", f"abandoned {name}", None, name, after_s))
    return findings


class Reconciler:
    """One for the process; several may run, since what they conclude is the same."""

    def __init__(self, database: Database, intake: Intake, livekit: LiveKit, metrics: Metrics) -> None:
        self._database = database
        self._intake = intake
        self._livekit = livekit
        self._metrics = metrics
        self._since: dict[str, float] = {}
        self._had_agent: set[str] = set()

    async def round(self) -> None:
        """Look once, and act on what has been wrong for long enough."""
        try:
            async with self._database.read() as connection:
                open_calls = await calls.open_calls(connection)
            self._metrics.open_calls.set(len(open_calls))
            rooms = await self._rooms()
            over = await self._over(rooms, {row.call_id for row in open_calls})
            await self._tell_what_is_new(open_calls, rooms)
        except (LiveKitError, StoreError) as error:
            log.warning("reconcile_postponed", reason=error.message)
            # Nothing was seen, so nothing was missing: the waits begin anew when the server answers.
            self._since.clear()
            return
        self._had_agent &= rooms.keys()
        self._had_agent |= {name for name, room in rooms.items() if room.has_agent}
        await self._act(compare(open_calls, rooms, had_agent=self._had_agent, over=over))

    async def _rooms(self) -> dict[str, Room]:
        places = asyncio.Semaphore(_AT_ONCE)

        async def look(name: str) -> Room:
            async with places:
                return _room(name, await self._livekit.list_participants(name))

        names = [room.name for room in await self._livekit.list_rooms()]
        found = await asyncio.gather(*(look(name) for name in names))
        return {room.name: room for room in found}

    async def _over(self, rooms: Mapping[str, Room], still_open: Set[str]) -> set[str]:
        """Rooms whose calls have all ended, those of the callers that are listed there included."""
        suspects = {name: room for name, room in rooms.items() if room.only_of_calls}
        if not suspects:
            return set()
        listed = [call_id for room in suspects.values() for call_id in room.call_ids]
        async with self._database.read() as connection:
            over = await calls.rooms_of_ended_calls(connection, list(suspects))
            ended = set(await calls.known(connection, listed)) - still_open
        return {name for name in over if ended.issuperset(suspects[name].call_ids)}

    async def _tell_what_is_new(self, open_calls: Sequence[OpenCall], rooms: Mapping[str, Room]) -> None:
        """Account for callers that the record does not know, or knows less far than they are."""
        states = {row.call_id: row.state for row in open_calls}
        there = {call_id: person for room in rooms.values() for call_id, person in room.call_ids.items()}
        strangers = [call_id for call_id in there if call_id not in states]
        if strangers:
            async with self._database.read() as connection:
                states |= dict.fromkeys(await calls.known(connection, strangers), "ended")
        told = []
        for call_id, person in there.items():
            event_type = arrival_type(dict(person))
            if person.get("status") != "hangup" and _is_news(states.get(call_id), event_type):
                told.append(_account(call_id, event_type, dict(person), f"{event_type} {person['sid']}"))
        if told:
            await self._append(told, "found")

    async def _act(self, findings: Sequence[Finding]) -> None:
        now = time.monotonic()
        self._since = {finding.key: self._since.get(finding.key, now) for finding in findings}
        for finding in findings:
            if now - self._since[finding.key] < finding.after_s:
                continue
            try:
                await self._mend(finding)
            except (LiveKitError, StoreError) as error:
                log.warning("reconcile_failed", kind=finding.kind, reason=error.message)

    async def _mend(self, finding: Finding) -> None:
        if finding.kind == "gone":
            assert finding.call_id is not None
            data = {"reason": "", "kind": _SIP, "room": finding.room or ""}
            await self._append([_account(finding.call_id, "participant.left", data, "gone")], "closed")
            return
        assert finding.room is not None
        if finding.kind == "agentless" and finding.call_id is not None:
            data = {"ended_by": "line", "code": "agent_lost"}
            await self._append([_account(finding.call_id, "call.ended", data, "agent_lost")], "agent_lost")
        await self._livekit.delete_room(finding.room)
        self._metrics.reconciled.labels("room_ended").inc()
        log.warning("room_ended", kind=finding.kind, room=finding.room, call_id=finding.call_id)

    async def _append(self, accounts: Sequence[Incoming], action: str) -> None:
        appended = await self._intake.append(accounts)
        new = appended.outcomes.count("stored")
        if new:
            self._metrics.reconciled.labels(action).inc(new)
            log.info("reconciled", action=action, accounts=new)


def _room(name: str, people: Sequence[ParticipantInfo]) -> Room:
    described = [(person, describe(person, name)) for person in people]
    callers = {}
    for person, description in described:
        if description["kind"] == _SIP:
            call_id = call_id_from_attributes(person.attributes)
            if call_id is not None:
                callers[call_id] = description
    return Room(name, tuple(description for _, description in described), callers)


def _is_news(state: str | None, event_type: EventType) -> bool:
    if state is None:
        return True
    return event_type == "call.answered" and state not in ("answered", "ended")


def _account(call_id: str, event_type: EventType, data: dict[str, Any], key: str) -> Incoming:
    return Incoming(Event(call_id, "reconciler", 0, event_type, utc_now(), data), key)
