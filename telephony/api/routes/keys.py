"""API keys, and the audit of what was done with them."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response
from sqlalchemy.ext.asyncio import AsyncConnection

from telephony.api import views
from telephony.api.access import AuditReader, Caller, KeysReader, KeysWriter
from telephony.api.changes import Done
from telephony.api.keys import make_key
from telephony.api.models import AuditEntry, AuditPage, KeyIn, KeyList, KeySecret
from telephony.api.problems import ProblemError, not_found, responses
from telephony.api.serving import Changing, Serving
from telephony.store import audit, keys
from telephony.store.instants import utc_now

router = APIRouter(prefix="/v1", tags=["keys"])


@router.get("/keys", responses=responses(401, 403))
async def list_keys(service: Serving, _caller: KeysReader) -> KeyList:
    """All keys, without the keys themselves."""
    async with service.database.read() as connection:
        rows = await keys.every(connection)
    return KeyList(keys=[views.key(row) for row in rows])


@router.post("/keys", status_code=201, response_model=KeySecret, responses=responses(401, 403, 409, 413, 422))
async def create_key(service: Serving, caller: KeysWriter, change: Changing, wanted: KeyIn) -> Response:
    """Make a key; the answer has it, this once. Nobody can give more than they have."""
    _check_scopes(caller, wanted)
    made = make_key()

    async def create(connection: AsyncConnection) -> Done:
        row = await keys.create(
            connection,
            key_id=made.key_id,
            key_hash=made.key_hash,
            name=wanted.name.replace("\x00", "\ufffd"),
            scopes=sorted(set(wanted.scopes)),
            expires_at=wanted.expires_at,
            dial_limits=wanted.dial_limits.model_dump(exclude_none=True) if wanted.dial_limits else None,
            now=utc_now(),
        )
        answer = KeySecret.model_validate({**views.key(row).model_dump(), "key": made.text})
        detail = {"name": wanted.name, "scopes": sorted(set(wanted.scopes))}
        if row["dial_limits"]:
            detail["dial_limits"] = row["dial_limits"]
        return Done(201, answer, made.key_id, detail, hidden=("key",))

    return await change.make(caller, "key.created", create)


def _check_scopes(caller: Caller, wanted: KeyIn) -> None:
    lacking = sorted(scope for scope in wanted.scopes if not caller.may(scope))
    if lacking:
        raise ProblemError(
            403, "missing_scope", f"The key that asks lacks {', '.join(lacking)} and cannot give it."
        )


@router.delete("/keys/{key_id}", status_code=204, responses=responses(401, 403, 404, 409, 422))
async def revoke_key(
    service: Serving,
    caller: KeysWriter,
    change: Changing,
    key_id: Annotated[str, Path(pattern=r"^[a-z2-7]{16}$")],
) -> Response:
    """Make a key worthless, at once and for good."""

    async def revoke(connection: AsyncConnection) -> Done:
        if not await keys.revoke(connection, key_id, utc_now()):
            raise not_found("key in force")
        return Done(204, None, key_id)

    response = await change.make(caller, "key.revoked", revoke)
    service.doorkeeper.forget()
    return response


@router.get("/audit", responses=responses(401, 403, 422))
async def list_audit(
    service: Serving,
    _caller: AuditReader,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[int | None, Query(ge=1, le=2**53)] = None,
) -> AuditPage:
    """Every change that was made over the api, newest first."""
    async with service.database.read() as connection:
        rows = await audit.page(connection, before=cursor, limit=limit + 1)
    shown = [AuditEntry.model_validate({**row, "id": row["audit_id"]}) for row in rows[:limit]]
    return AuditPage(entries=shown, next_cursor=shown[-1].id if len(rows) > limit else None)
