"""A batch's calls go by the same door as everybody's: guard, permit and record are the same."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from telephony.dialer.batches.placing import Placed
from telephony.dialer.batches.retries import Refusal
from telephony.dialer.requests import request_call
from telephony.errors import DialError
from telephony.store.instants import utc_now

if TYPE_CHECKING:
    from telephony.dialer.request import DialRequest
    from telephony.dialer.requests import DialService

ASK_AGAIN_S = 5.0
"""After a "not now" that names no instant."""


class ThroughTheDialer:
    """Asks the dialer, as a request over the api does."""

    def __init__(self, service: DialService) -> None:
        self._service = service

    async def __call__(self, request: DialRequest, key_id: str, idempotency_key: str) -> Placed:
        try:
            asked = await request_call(self._service, request, key_id, idempotency_key, remote="batch")
        except DialError as error:
            return Placed(None, Refusal(error.message))
        if asked.allowed:
            return Placed(asked.call_id)
        retry_at = asked.retry_at
        if retry_at is None and asked.transient:
            retry_at = utc_now() + timedelta(seconds=ASK_AGAIN_S)
        sentence = asked.refusal.get("sentence") or "The call is not allowed."
        return Placed(asked.call_id, Refusal(sentence, retry_at))
