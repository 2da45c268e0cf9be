"""Make one change: once for its Idempotency-Key, with its audit row, all in one transaction."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Header, Request
from fastapi.responses import JSONResponse, Response

from telephony.api.problems import ProblemError
from telephony.store import audit, idempotency
from telephony.store.instants import utc_now

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pydantic import BaseModel
    from sqlalchemy.ext.asyncio import AsyncConnection

    from telephony.api.access import Caller
    from telephony.store.database import Database

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        pattern=r"^[!-~]+$",
        description="A request repeated with the same key within two days is answered as the first was.",
    ),
]


@dataclass(frozen=True, slots=True)
class Done:
    """A change that was made.

    ``hidden``: names in the answer that are shown this once: a repetition shows null in their place.
    ``detail``: for the audit, without secrets.
    """

    status: int
    answer: BaseModel | None
    target: str
    detail: dict[str, Any] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """A request to change something; ``idempotency_key`` is None where it may be made again and again."""

    database: Database
    request: Request
    idempotency_key: str | None = None

    async def make(
        self, caller: Caller, action: str, perform: Callable[[AsyncConnection], Awaitable[Done]]
    ) -> Response:
        """Perform the change and answer for it.

        Raises:
            ProblemError: 409 when the key was used for another request, or what ``perform`` raises.
        """
        now = utc_now()
        # Read here, not in the transaction: a client that sends slowly must not hold the database.
        asked = await self._digest()
        async with self.database.write() as connection:
            if self.idempotency_key is not None:
                earlier = await idempotency.claim(
                    self.database,
                    connection,
                    key_id=caller.key_id,
                    idempotency_key=self.idempotency_key,
                    request_hash=asked,
                    now=now,
                )
                if earlier is not None:
                    return _again(earlier)
            done = await perform(connection)
            await audit.write(
                connection,
                key_id=caller.key_id,
                action=action,
                target=done.target,
                detail=done.detail,
                remote=caller.remote,
                now=now,
            )
            content = None if done.answer is None else done.answer.model_dump(mode="json", by_alias=True)
            if self.idempotency_key is not None:
                await idempotency.remember(
                    connection,
                    key_id=caller.key_id,
                    idempotency_key=self.idempotency_key,
                    status=done.status,
                    response=_without(content, done.hidden),
                )
        return _response(done.status, content)

    async def _digest(self) -> bytes:
        url = self.request.url
        parts = (self.request.method, f"{url.path}?{url.query}")
        return hashlib.sha256(b"\n".join([*map(str.encode, parts), await self.request.body()])).digest()


def _without(content: Any, hidden: tuple[str, ...]) -> Any:
    return {**content, **dict.fromkeys(hidden)} if hidden and isinstance(content, dict) else content


def _again(earlier: idempotency.Remembered) -> Response:
    if not earlier.same_request:
        raise ProblemError(
            409,
            "idempotency_key_reused",
            "This Idempotency-Key was used for another request.",
            fix="Use a new key for a new request.",
        )
    response = _response(earlier.status, earlier.response)
    response.headers["Idempotent-Replay"] = "true"
    return response


def _response(status: int, content: Any) -> Response:
    if content is None:
        return Response(status_code=status)
    return JSONResponse(json.loads(json.dumps(content)), status)
