"""LiveKit's webhooks come in here."""

from typing import Annotated

from fastapi import APIRouter, Header, Request
from fastapi.responses import Response

from telephony.api.problems import ProblemError, responses
from telephony.api.serving import Serving
from telephony.errors import LiveKitError
from telephony.logs import get_logger
from telephony.store import calls
from telephony.webhooks import livekit

log = get_logger(__name__)

router = APIRouter(tags=["livekit"])

Authorization = Annotated[str, Header(max_length=4096, description="livekit-server's token, without Bearer.")]
_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/webhook+json": {"schema": {"type": "object"}}},
        "description": "livekit.WebhookEvent as protobuf JSON.",
    }
}


@router.post("/livekit/webhook", status_code=204, responses=responses(401, 413, 422), openapi_extra=_BODY)
async def take_webhook(service: Serving, request: Request, authorization: Authorization = "") -> Response:
    """Take one webhook; 204 once it is on disk. LiveKit sends it again after any other answer of 5xx."""
    body = await request.body()
    try:
        event = livekit.verify(
            body,
            authorization,
            api_key=service.settings.livekit_api_key,
            api_secret=service.settings.livekit_api_secret,
        )
    except LiveKitError as error:
        service.metrics.hooks.labels("unknown", "refused").inc()
        await service.doorkeeper.note_wrong(request.client.host if request.client else "unknown")
        log.warning("livekit_webhook_refused", reason=error.message)
        raise ProblemError(401, "not_signed", error.message, fix=error.fix) from error
    if event.num_dropped:
        service.metrics.hooks_dropped.inc(event.num_dropped)
        log.warning("livekit_dropped_webhooks", count=event.num_dropped)
    result = await _take(service, livekit.read(event))
    service.metrics.hooks.labels(event.event[:40], result).inc()
    return Response(status_code=204)


@router.post("/webhooks/livekit", status_code=204, responses=responses(401, 413, 422), openapi_extra=_BODY)
async def take_webhook_alias(
    service: Serving, request: Request, authorization: Authorization = ""
) -> Response:
    """The same under the path that many LiveKit files have."""
    return await take_webhook(service, request, authorization)


async def _take(service: Serving, hint: livekit.Hint | None) -> str:
    if hint is None:
        return "ignored"
    call_id = hint.call_id
    if call_id is None:
        async with service.database.read() as connection:
            call_id = await calls.of_room(connection, hint.room)
    if call_id is None:
        return "no_call"
    appended = await service.intake.append([hint.account(call_id)])
    return appended.outcomes[0]
