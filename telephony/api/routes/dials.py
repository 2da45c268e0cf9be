"""Place calls, and end them."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from sqlalchemy import RowMapping

from telephony.api.access import CallsDialler, CallsWriter
from telephony.api.changes import Done, IdempotencyKey
from telephony.api.dial_models import DialIn, DialOut, HangUpOut
from telephony.api.models import CallId
from telephony.api.problems import FieldError, ProblemError, responses
from telephony.api.service import Service
from telephony.api.serving import Changing, Serving, find_call
from telephony.calls.events import Event
from telephony.dialer.dial import DialState
from telephony.dialer.requests import KeyReusedError, Requested, cancel_call, request_call
from telephony.errors import DialError, LiveKitError
from telephony.store.instants import utc_now
from telephony.store.stored import Incoming

router = APIRouter(prefix="/v1/calls", tags=["calls"])


@router.post("", status_code=201, response_model=DialOut, responses=responses(401, 403, 409, 413, 422))
async def place_call(
    service: Serving,
    caller: CallsDialler,
    wanted: DialIn,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Make a phone ring, once.

    The answer comes at once; the call is then dialled, and its events tell the rest. The same
    `Idempotency-Key` with the same request gives the same call, whatever happened to the first answer. A call
    that the guard refuses is 403 and stands in the record as `blocked`; one that it refuses only for now is
    429, and may be asked for again with the same key.
    """
    if service.livekit is None:
        raise ProblemError(409, "no_livekit", "The api has no LiveKit server to dial with.")
    try:
        asked = await request_call(
            service.dialing, wanted.request(), caller.key_id, idempotency_key, remote=caller.remote
        )
    except KeyReusedError as error:
        raise ProblemError(409, "idempotency_key_reused", error.message, fix=error.fix) from error
    except DialError as error:
        wrong = [FieldError(field=error.field or "body", message=error.message)]
        raise ProblemError(422, "invalid_request", error.message, fix=error.fix, errors=wrong) from error
    if not asked.allowed:
        raise _refused(asked)
    assert asked.call_id is not None, "an allowed call has an id"
    row = await find_call(service, asked.call_id)
    headers = {"Location": f"/v1/calls/{asked.call_id}"}
    if asked.replayed:
        headers["Idempotent-Replay"] = "true"
    notes = list(asked.verdict.get("notes") or ())
    answer = DialOut.model_validate({**row, "id": row["call_id"], "notes": notes})
    return JSONResponse(answer.model_dump(mode="json"), 201, headers=headers)


def _refused(asked: Requested) -> ProblemError:
    sentence, setting = asked.refusal["sentence"], asked.refusal["setting"]
    wrong = [FieldError(field=setting, message=sentence)]
    headers: dict[str, str] = {"Idempotent-Replay": "true"} if asked.replayed else {}
    if not asked.transient:
        return ProblemError(
            403,
            "call_not_allowed",
            sentence,
            fix=asked.refusal["fix"] or None,
            errors=wrong,
            headers=headers,
            call_id=asked.call_id,
        )
    wait_s = 1.0 if asked.retry_at is None else (asked.retry_at - utc_now()).total_seconds()
    headers["Retry-After"] = str(max(1, round(wait_s)))
    return ProblemError(
        429, "call_not_now", sentence, fix=asked.refusal["fix"] or None, errors=wrong, headers=headers
    )


@router.post(
    "/{call_id}/hangup",
    status_code=202,
    response_model=HangUpOut,
    responses=responses(401, 403, 404, 409, 422),
)
async def hang_up(service: Serving, caller: CallsWriter, change: Changing, call_id: CallId) -> Response:
    """End a call, in or out, whatever it is doing; a call that was not dialled yet never will be."""
    row = await find_call(service, call_id)
    state = await _end(service, row)

    async def note(_connection: Any) -> Done:
        return Done(202, HangUpOut(id=call_id, state=state), call_id, {"state": state})

    return await change.make(caller, "call.hung_up", note)


async def _end(service: Service, row: RowMapping) -> Any:
    if row["ended_at"] is not None:
        return "ended"
    call_id = row["call_id"]
    was = await cancel_call(service.dialing, call_id)
    if was is not None:
        return "cancelled" if was.state is DialState.PERMITTED else "ending"
    if service.livekit is None or not row["room"]:
        raise ProblemError(409, "no_room", "It is not known in which room the call is.")
    try:
        await service.livekit.delete_room(row["room"])
    except LiveKitError as error:
        retry = {"Retry-After": "1"}
        raise ProblemError(503, "livekit_unavailable", error.message, headers=retry) from error
    report = {"ended_by": "operator", "code": "operator_ended"}
    event = Event(call_id, "dialer", 0, "call.ended", utc_now(), report)
    await service.intake.append([Incoming(event, "call.ended")])
    return "ending"
