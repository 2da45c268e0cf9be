"""A gate that knows one thing: whether calls out are switched on, and by which trunk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from telephony.dialer.lines import choose

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from telephony.dialer.options import DialerOptions
    from telephony.dialer.request import DialRequest
    from telephony.store.database import Database


@dataclass(frozen=True, slots=True)
class PlainRefusal:
    """Why not."""

    name: str
    setting: str
    sentence: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class PlainDecision:
    """Whether one call may be dialled."""

    allowed: bool
    number: str
    trunk: str | None
    caller_ids: tuple[str, ...]
    ringing_timeout_s: float
    max_call_duration_s: float
    refusal: PlainRefusal | None = None
    notes: tuple[str, ...] = ()
    transient: bool = False
    retry_at: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        """The published shape."""
        return {"allowed": self.allowed, "number": self.number, "trunk": self.trunk}


@dataclass(frozen=True, slots=True)
class PlainGate:
    """Allows everything, or nothing."""

    enabled: bool
    options: DialerOptions

    async def guard_and_reserve(
        self,
        database: Database,
        connection: AsyncConnection,
        request: DialRequest,
        key_id: str,
        now: datetime,
        *,
        call_id: str,
        remote: str,
    ) -> PlainDecision:
        """Decide."""
        options = self.options
        off = PlainRefusal("enabled", "outbound.enabled", "Calls out are switched off.", "Set it to true.")
        line = choose(options.lines, request.trunk, options.trunk)
        return PlainDecision(
            self.enabled,
            request.to,
            line.name,
            line.numbers,
            request.ringing_timeout_s or options.ringing_timeout_s,
            request.max_call_duration_s or options.max_call_duration_s,
            None if self.enabled else off,
        )
