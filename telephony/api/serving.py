"""How a route finds the service that the app was made for, and what a route that changes something needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

from fastapi import Depends, Request

from telephony.api.changes import ChangeRequest, IdempotencyKey
from telephony.api.problems import not_found
from telephony.api.service import Service
from telephony.store import calls

if TYPE_CHECKING:
    from sqlalchemy import RowMapping


def _service(request: Request) -> Service:
    return cast("Service", request.app.state.service)


Serving = Annotated[Service, Depends(_service)]


def _change(service: Serving, request: Request, idempotency_key: IdempotencyKey = None) -> ChangeRequest:
    return ChangeRequest(service.database, request, idempotency_key)


Changing = Annotated[ChangeRequest, Depends(_change)]


async def find_call(service: Service, call_id: str) -> RowMapping:
    """A call's row.

    Raises:
        ProblemError: 404.
    """
    async with service.database.read() as connection:
        row = await calls.get(connection, call_id)
    if row is None:
        raise not_found("call")
    return row
