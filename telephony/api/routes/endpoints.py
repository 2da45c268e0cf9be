"""Webhook endpoints: where events go, which, and signed with what."""

from typing import Annotated, Any

from fastapi import APIRouter, Path
from fastapi.responses import Response
from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from telephony.api import views
from telephony.api.access import WebhooksReader, WebhooksWriter
from telephony.api.changes import Done
from telephony.api.models import (
    EndpointChange,
    EndpointIn,
    EndpointList,
    EndpointOut,
    EndpointSecret,
    RotateRequest,
    TestResult,
)
from telephony.api.problems import FieldError, ProblemError, not_found, responses
from telephony.api.serving import Changing, Serving
from telephony.calls.events import LINE
from telephony.store import deliveries, endpoints
from telephony.store.instants import utc_now
from telephony.store.stored import StoredEvent
from telephony.webhooks.signing import new_secret

router = APIRouter(prefix="/v1/endpoints", tags=["webhooks"])

_MOST = 100
EndpointId = Annotated[str, Path(pattern=r"^whe_[0-9A-Za-z_.-]{1,44}$")]


@router.get("", responses=responses(401, 403))
async def list_endpoints(service: Serving, _caller: WebhooksReader) -> EndpointList:
    """All endpoints, oldest first."""
    async with service.database.read() as connection:
        rows = await endpoints.every(connection)
        waiting = await deliveries.backlog(connection)
    shown = [views.endpoint(row, waiting.get(row["endpoint_id"], (0,))[0]) for row in rows]
    return EndpointList(endpoints=shown)


@router.post(
    "",
    status_code=201,
    response_model=EndpointSecret,
    responses=responses(401, 403, 409, 413, 422),
)
async def create_endpoint(
    service: Serving, caller: WebhooksWriter, change: Changing, wanted: EndpointIn
) -> Response:
    """Add an endpoint; the answer has its signing secret, this once."""
    _check_url(service, wanted.url)
    secret = new_secret()

    async def create(connection: AsyncConnection) -> Done:
        if len(await endpoints.every(connection)) >= _MOST:
            raise ProblemError(409, "too_many_endpoints", f"A line has at most {_MOST} endpoints.")
        row = await endpoints.create(
            connection,
            url=wanted.url,
            types=wanted.types,
            description=_clean(wanted.description),
            secret=secret,
            now=utc_now(),
        )
        answer = EndpointSecret.model_validate({**views.endpoint(row).model_dump(), "secret": secret})
        detail = {"url": wanted.url, "types": wanted.types}
        return Done(201, answer, row["endpoint_id"], detail, hidden=("secret",))

    return await change.make(caller, "endpoint.created", create)


@router.get("/{endpoint_id}", responses=responses(401, 403, 404, 422))
async def get_endpoint(service: Serving, _caller: WebhooksReader, endpoint_id: EndpointId) -> EndpointOut:
    """One endpoint."""
    row = await _find(service, endpoint_id)
    async with service.database.read() as connection:
        waiting = await deliveries.backlog(connection)
    return views.endpoint(row, waiting.get(endpoint_id, (0,))[0])


@router.patch("/{endpoint_id}", response_model=EndpointOut, responses=responses(401, 403, 404, 409, 413, 422))
async def change_endpoint(
    service: Serving,
    caller: WebhooksWriter,
    change: Changing,
    endpoint_id: EndpointId,
    wanted: EndpointChange,
) -> Response:
    """Change an endpoint, switch it off, or on again; what it missed is sent by a replay."""
    if wanted.url is not None:
        _check_url(service, wanted.url)

    async def alter(connection: AsyncConnection) -> Done:
        await _lock(connection, endpoint_id)
        now = utc_now()
        values: dict[str, Any] = wanted.model_dump(exclude_none=True, exclude={"enabled"})
        if "description" in values:
            values["description"] = _clean(values["description"])
        if wanted.enabled:
            values |= {"enabled": True, "disabled_reason": None, "failing_since": None}
        await endpoints.change(connection, endpoint_id, now, **values)
        if wanted.enabled is False:
            await endpoints.disable(connection, endpoint_id, "It was switched off.", now)
        row = await _lock(connection, endpoint_id)
        return Done(200, views.endpoint(row), endpoint_id, wanted.model_dump(exclude_none=True))

    response = await change.make(caller, "endpoint.changed", alter)
    service.hub.work.set()
    return response


@router.delete("/{endpoint_id}", status_code=204, responses=responses(401, 403, 404, 409, 422))
async def delete_endpoint(
    service: Serving, caller: WebhooksWriter, change: Changing, endpoint_id: EndpointId
) -> Response:
    """Remove an endpoint with its queue and its history."""

    async def delete(connection: AsyncConnection) -> Done:
        if not await endpoints.delete(connection, endpoint_id):
            raise not_found("endpoint")
        return Done(204, None, endpoint_id)

    return await change.make(caller, "endpoint.deleted", delete)


@router.post(
    "/{endpoint_id}/secret",
    response_model=EndpointSecret,
    responses=responses(401, 403, 404, 409, 413, 422),
)
async def rotate_secret(
    service: Serving, caller: WebhooksWriter, change: Changing, endpoint_id: EndpointId, wanted: RotateRequest
) -> Response:
    """Give an endpoint a new secret; for a while the old one signs beside it."""
    secret = new_secret()

    async def rotate(connection: AsyncConnection) -> Done:
        row = await _lock(connection, endpoint_id)
        if row["origin"] == "file":
            raise ProblemError(
                409,
                "secret_is_in_the_file",
                "This endpoint's secret is in the operator's file.",
                fix="Change it there and restart the api.",
            )
        await endpoints.rotate(connection, endpoint_id, secret, overlap_s=wanted.overlap_s, now=utc_now())
        answer = EndpointSecret.model_validate({**views.endpoint(row).model_dump(), "secret": secret})
        return Done(200, answer, endpoint_id, {"overlap_s": wanted.overlap_s}, hidden=("secret",))

    return await change.make(caller, "endpoint.secret_rotated", rotate)


@router.post("/{endpoint_id}/test", responses=responses(401, 403, 404, 422))
async def send_test(service: Serving, _caller: WebhooksWriter, endpoint_id: EndpointId) -> TestResult:
    """Send one signed ``webhook.test`` now, outside of the queue, and say what came of it."""
    row = await _find(service, endpoint_id)
    now = utc_now()
    event = StoredEvent(
        LINE, 0, "webhook.test", "record", 0, now, now, late=False, data={"endpoint_id": endpoint_id}
    )
    result = await service.poster.post(
        row["url"], event.payload(), endpoints.valid_secrets(row["secrets"], now)
    )
    return TestResult(
        delivered=result.delivered,
        http_status=result.http_status,
        error=result.error,
        duration_ms=result.duration_ms,
        response=result.response,
    )


async def _find(service: Serving, endpoint_id: str) -> RowMapping:
    async with service.database.read() as connection:
        row = await endpoints.get(connection, endpoint_id)
    if row is None:
        raise not_found("endpoint")
    return row


async def _lock(connection: AsyncConnection, endpoint_id: str) -> RowMapping:
    row = await endpoints.get(connection, endpoint_id, lock=True)
    if row is None:
        raise not_found("endpoint")
    return row


def _check_url(service: Serving, url: str) -> None:
    objection = service.settings.guard.objection(url)
    if objection is not None:
        wrong = [FieldError(field="body.url", message=objection)]
        raise ProblemError(422, "invalid_url", objection, errors=wrong)


def _clean(text: str) -> str:
    return text.replace("\x00", "\ufffd")
