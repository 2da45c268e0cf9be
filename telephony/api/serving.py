"""How a route finds the service that the app was made for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

from fastapi import Depends, Request

from telephony.api.service import Service

if TYPE_CHECKING:
    from sqlalchemy import RowMapping

from telephony.api.problems import not_found
from telephony.store import calls


def _service(request: Request) -> Service:
    return cast("Service", request.app.state.service)


Serving = Annotated[Service, Depends(_service)]


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
