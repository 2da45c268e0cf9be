"""Events as they happen: of one call, or of all with their webhook form for ``trunkline webhooks listen``."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent

from telephony.api.access import CallsReader, WebhooksReader
from telephony.api.hub import changed
from telephony.api.models import CallId, EventPattern
from telephony.api.problems import responses
from telephony.api.serving import Serving, find_call
from telephony.calls.events import selects
from telephony.store import calls
from telephony.store.instants import utc_now
from telephony.store.stored import StoredEvent
from telephony.webhooks.signing import new_secret, signed_headers

router = APIRouter(prefix="/v1", tags=["streams"])

_LOOK_AGAIN_S = 1.0
_LINGER_S = 5.0
_PAGE = 500
_LOOK_BACK = timedelta(seconds=3)

LastEventId = Annotated[
    str | None, Header(alias="Last-Event-ID", max_length=20, description="Where a broken stream ended.")
]


async def _existing(service: Serving, call_id: CallId) -> str:
    await find_call(service, call_id)
    return call_id


@router.get(
    "/calls/{call_id}/stream", response_class=EventSourceResponse, responses=responses(401, 403, 404, 422)
)
async def stream_call(
    service: Serving,
    _caller: CallsReader,
    call_id: Annotated[str, Depends(_existing)],
    after: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    last_event_id: LastEventId = None,
) -> AsyncIterator[ServerSentEvent]:
    """A call's events as they happen, from the first or after a number; ends a few seconds after the call.

    Each has its number as ``id``, so that a client that reconnects with ``Last-Event-ID`` misses nothing.
    """
    seq = max(after, _number(last_event_id))
    over_since: float | None = None
    loop = asyncio.get_running_loop()
    with service.hub.listening(call_id) as listener:
        while not service.stopping.is_set():
            async with service.database.read() as connection:
                stored = await calls.events_after(connection, call_id, seq, _PAGE)
                row = None if stored else await calls.get(connection, call_id)
            for each in stored:
                seq = each.seq
                yield ServerSentEvent(event=each.type, id=str(each.seq), raw_data=_line(each))
            if stored:
                over_since = None
                continue
            if row is None:
                return
            if row["ended_at"] is not None:
                over_since = over_since or loop.time()
                if loop.time() - over_since >= _LINGER_S:
                    return
            await changed(listener, _LOOK_AGAIN_S)


@router.get("/webhooks/listen", response_class=EventSourceResponse, responses=responses(401, 403, 422))
async def listen(
    service: Serving,
    _caller: WebhooksReader,
    types: Annotated[list[EventPattern] | None, Query(max_length=50)] = None,
) -> AsyncIterator[ServerSentEvent]:
    """Every event from now on as a webhook would carry it, signed with a secret of this stream alone.

    The first message, ``secret``, has that secret; each ``webhook`` has ``headers`` and ``body``, the exact
    text that is signed.
    """
    secret, since = new_secret(), utc_now()
    seen: deque[str] = deque(maxlen=20_000)
    yield ServerSentEvent(event="secret", data={"secret": secret})
    with service.hub.listening(None) as listener:
        while not service.stopping.is_set():
            async with service.database.read() as connection:
                stored = await calls.events_since(connection, since - _LOOK_BACK, _PAGE)
            known = set(seen)
            for each in stored:
                if each.id in known or each.received_at < since - _LOOK_BACK:
                    continue
                seen.append(each.id)
                if selects(types or ["*"], each.type):
                    yield _webhook(each, secret)
            if len(stored) == _PAGE:
                since = max(since, stored[-1].received_at)
                continue
            # Another replica's commit may become visible a little later than a younger one of ours.
            since = max(since, utc_now())
            await changed(listener, _LOOK_AGAIN_S)


def _webhook(stored: StoredEvent, secret: str) -> ServerSentEvent:
    body = _line(stored)
    headers = signed_headers(stored.id, body.encode(), at=utc_now(), signing_secrets=[secret])
    return ServerSentEvent(event="webhook", id=stored.id, data={"headers": headers, "body": body})


def _line(stored: StoredEvent) -> str:
    return json.dumps(stored.payload(), ensure_ascii=False, separators=(",", ":"))


def _number(text: str | None) -> int:
    return int(text[:9]) if text and text.isascii() and text.isdecimal() else 0
