"""What was sent to whom, with every attempt; and sending it again."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncConnection

from telephony.api import views
from telephony.api.access import WebhooksReader, WebhooksWriter
from telephony.api.changes import Done
from telephony.api.models import (
    CallId,
    DeliveryDetail,
    DeliveryPage,
    ReplayOut,
    ReplayRequest,
)
from telephony.api.problems import FieldError, ProblemError, not_found, responses
from telephony.api.serving import Changing, Serving
from telephony.store import deliveries, endpoints
from telephony.store.instants import utc_now

router = APIRouter(prefix="/v1/deliveries", tags=["webhooks"])


@router.get("", responses=responses(401, 403, 422))
async def list_deliveries(
    service: Serving,
    _caller: WebhooksReader,
    endpoint_id: Annotated[str | None, Query(pattern=r"^whe_[0-9A-Za-z_.-]{1,44}$")] = None,
    call_id: CallId | None = None,
    status: Literal["pending", "delivered", "dead"] | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[int | None, Query(ge=1, le=2**53)] = None,
) -> DeliveryPage:
    """List deliveries, newest first; ``status=dead`` are the dead letters."""
    async with service.database.read() as connection:
        rows = await deliveries.page(
            connection,
            endpoint_id=endpoint_id,
            call_id=call_id,
            status=status,
            before=cursor,
            limit=limit + 1,
        )
    shown = rows[:limit]
    following = shown[-1]["delivery_id"] if len(rows) > limit else None
    return DeliveryPage(deliveries=[views.delivery(row) for row in shown], next_cursor=following)


@router.get("/{delivery_id}", responses=responses(401, 403, 404, 422))
async def get_delivery(
    service: Serving, _caller: WebhooksReader, delivery_id: Annotated[int, Path(ge=1, le=2**53)]
) -> DeliveryDetail:
    """One delivery with every attempt at it."""
    async with service.database.read() as connection:
        row = await deliveries.get(connection, delivery_id)
        tries = await deliveries.attempts_of(connection, delivery_id)
    if row is None:
        raise not_found("delivery")
    shown = [dict(each) for each in tries]
    if row["status"] == "delivered":
        shown.append({**row, "at": row["finished_at"], "response": None})
    return DeliveryDetail.model_validate({**views.delivery_fields(row), "tries": shown})


@router.post(
    "/replay",
    status_code=202,
    response_model=ReplayOut,
    responses=responses(401, 403, 404, 409, 413, 422),
)
async def replay(
    service: Serving, caller: WebhooksWriter, change: Changing, wanted: ReplayRequest
) -> Response:
    """Send events again: one delivery, a range of a call, or all of an endpoint since an instant.

    They keep their ids, and go behind whatever waits for the same call.
    """
    if (wanted.delivery_id is None) == (wanted.endpoint_id is None):
        detail = "Give either delivery_id or endpoint_id."
        wrong = [FieldError(field="body", message=detail)]
        raise ProblemError(422, "invalid_request", detail, errors=wrong)

    async def queue(connection: AsyncConnection) -> Done:
        chosen = await _choice(connection, wanted)
        row = await endpoints.get(connection, chosen.endpoint_id)
        if row is None:
            raise not_found("endpoint")
        if not row["enabled"]:
            raise ProblemError(
                409,
                "endpoint_is_disabled",
                "The endpoint is switched off.",
                fix="Switch it on first: trunkline webhooks enable",
            )
        done = await deliveries.replay(service.database, connection, chosen, utc_now())
        answer = ReplayOut(queued=done.queued, more=done.more, next_since=done.next_since)
        asked = wanted.model_dump(mode="json", exclude_none=True)
        return Done(202, answer, chosen.endpoint_id, {**asked, "queued": done.queued})

    response = await change.make(caller, "deliveries.replayed", queue)
    service.hub.work.set()
    return response


async def _choice(connection: AsyncConnection, wanted: ReplayRequest) -> deliveries.Replay:
    if wanted.delivery_id is None:
        assert wanted.endpoint_id is not None
        row = await endpoints.get(connection, wanted.endpoint_id)
        return deliveries.Replay(
            endpoint_id=wanted.endpoint_id,
            types=tuple(row["types"]) if row is not None else ("*",),
            call_id=wanted.call_id,
            from_seq=wanted.from_seq,
            to_seq=wanted.to_seq,
            since=wanted.since,
            until=wanted.until,
            only_dead=wanted.only_dead,
        )
    one = await deliveries.get(connection, wanted.delivery_id)
    if one is None:
        raise not_found("delivery")
    return deliveries.Replay(
        endpoint_id=one["endpoint_id"], call_id=one["call_id"], from_seq=one["seq"], to_seq=one["seq"]
    )
