"""How a batch asks for one call: under a key that stands for the attempt."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from telephony.dialer.request import DialRequest, one_or_pool

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import RowMapping

    from telephony.dialer.batches.options import BatchOptions
    from telephony.dialer.batches.retries import Refusal

RINGS_WITHIN = timedelta(minutes=2)
"""An attempt whose telephone has not begun to ring by then is not dialled any more."""


@dataclass(frozen=True, slots=True)
class Placed:
    """What came of asking: a call, or the reason why there is none that will be dialled."""

    call_id: str | None
    refusal: Refusal | None = None


class Placer(Protocol):
    """Asks for calls."""

    async def __call__(self, request: DialRequest, key_id: str, idempotency_key: str) -> Placed:
        """Ask for one; the same key and the same request give the same call.

        Raises:
            StoreError: nobody knows whether it was asked for; ask again.
        """


def attempt_key(batch_id: str, row: int, attempt: int) -> str:
    """The idempotency key of one attempt: a crash between asking and noting it never dials twice."""
    return f"batch:{batch_id}:{row}:{attempt}"


def request_of(row: Mapping[str, Any] | RowMapping, options: BatchOptions) -> DialRequest:
    """The request of a claimed row: the same each time it is made of the same claim.

    Args:
        row: with ``batch_id``, ``number``, ``data``, ``metadata`` and ``claimed_at``.
    """
    claimed_at: datetime = row["claimed_at"]
    latest = claimed_at + RINGS_WITHIN
    shown, pool = one_or_pool(options.from_)
    return DialRequest(
        to=row["number"],
        from_=shown,
        from_pool=pool,
        trunk=options.trunk,
        assistant=options.assistant,
        data=row["data"],
        deadline=min(latest, options.deadline) if options.deadline else latest,
        ringing_timeout_s=options.ringing_timeout_s,
        max_call_duration_s=options.max_call_duration_s,
        answer_policy=options.answer_policy,
        metadata=row["metadata"],
        batch_id=row["batch_id"],
    )
