"""What stands between a request and its permit: asked once, inside the transaction that writes the permit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from telephony.dialer.request import DialRequest
    from telephony.store.database import Database


class Refusal(Protocol):
    """The check that decided against a call."""

    @property
    def name(self) -> str:
        """Such as ``country``."""

    @property
    def setting(self) -> str:
        """The path in the one file that decides it."""

    @property
    def sentence(self) -> str:
        """What was found."""

    @property
    def fix(self) -> str:
        """What to change; may be empty."""


class Decision(Protocol):
    """Whether one call may be dialled, and how; ``telephony.dialer.guard.verdict.Verdict`` is one."""

    @property
    def allowed(self) -> bool:
        """Whether it may."""

    @property
    def number(self) -> str:
        """What is to be dialled, E.164."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was read into the number."""

    @property
    def refusal(self) -> Refusal | None:
        """Why not."""

    @property
    def transient(self) -> bool:
        """Whether the same request may pass later without any change."""

    @property
    def retry_at(self) -> datetime | None:
        """When to ask again, where that is known."""

    @property
    def trunk(self) -> str | None:
        """By which trunk."""

    @property
    def caller_ids(self) -> Sequence[str]:
        """The numbers that may be shown."""

    @property
    def ringing_timeout_s(self) -> float:
        """How long it may ring."""

    @property
    def max_call_duration_s(self) -> float:
        """How long the call may last."""

    def to_json(self) -> dict[str, Any]:
        """The published shape."""


class Gate(Protocol):
    """Decides, and reserves what the call will use."""

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
        """Decide on one request inside the caller's writing transaction; the audit has the verdict then.

        Args:
            call_id: under which the reservation is kept, if it is allowed.
            may_wait: whether the call may wait for a line; ``begin`` gives it one.
            remote: where the request came from.
        """

    async def begin(
        self, database: Database, connection: AsyncConnection, call_id: str, now: datetime
    ) -> Decision | None:
        """Give a call that waits its line, decided about by the counts of this moment.

        Returns:
            Allowed: it has a line. Transient: not yet. Else, and for None: it must not be dialled any more.
        """
