"""A gate that tests tell what to say, and a service to ask for calls."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from telephony.dialer.lines import Line
from telephony.dialer.requests import DialService
from telephony.store.ledger import Policy

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from telephony.dialer.gate import Decision
    from telephony.dialer.request import DialRequest
    from telephony.store.database import Database

LINE = Line("out", ("+15550100200", "+15550100201"))


@dataclass(frozen=True, slots=True)
class Said:
    """A refusal."""

    name: str = "country"
    setting: str = "outbound.allowed_regions"
    sentence: str = "The country is not allowed."
    fix: str = "Allow it."


@dataclass(frozen=True, slots=True)
class Decided:
    """What the gate says."""

    allowed: bool = True
    number: str = "+15550100123"
    notes: tuple[str, ...] = ()
    refusal: Said | None = None
    transient: bool = False
    retry_at: datetime | None = None
    trunk: str | None = LINE.name
    caller_ids: tuple[str, ...] = LINE.numbers
    ringing_timeout_s: float = 20.0
    max_call_duration_s: float = 60.0

    def to_json(self) -> dict[str, Any]:
        """The shape that is published."""
        return {"allowed": self.allowed, "number": self.number, "notes": list(self.notes)}


NO = Decided(allowed=False, refusal=Said())
NOT_NOW = Decided(allowed=False, refusal=Said("pace", "outbound.pace", "Too many at once."), transient=True)


@dataclass
class ToldGate:
    """Says what it was told to, and counts who asked."""

    says: Decided = field(default_factory=Decided)
    asked: int = 0
    shown: list[str | None] = field(default_factory=list)
    """The caller ids that were asked for."""

    async def guard_and_reserve(
        self,
        database: Database,
        connection: AsyncConnection,
        request: DialRequest,
        key_id: str,
        now: datetime,
        *,
        call_id: str,
        may_wait: bool = False,
        remote: str = "",
    ) -> Decision:
        """Decide."""
        self.asked += 1
        self.shown.append(request.from_)
        return self.says

    async def begin(
        self, database: Database, connection: AsyncConnection, call_id: str, now: datetime
    ) -> Decision | None:
        """Decide again."""
        self.asked += 1
        return self.says


def service(database: Database, gate: ToldGate) -> DialService:
    """Where calls are asked for."""
    return DialService(database, Policy(), gate, {LINE.name: LINE}, lambda _: None, asyncio.Event())
