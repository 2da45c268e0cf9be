"""The FastAPI app: routes, problems, limits, security headers, and the published document."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from telephony.api import problems
from telephony.api.problems import Problem
from telephony.api.routes import (
    batches,
    calls,
    deliveries,
    dials,
    do_not_call,
    endpoints,
    events,
    health,
    keys,
    livekit,
    recordings,
    stream,
)
from telephony.api.routes import guard as guard_routes
from telephony.version import version

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from telephony.api.service import Service
    from telephony.monitor.metrics import Metrics

LARGEST_BODY = 10 * 1024 * 1024
"""Bytes: a full batch of events; everything else is far smaller."""

_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
_DESCRIPTION = """\
Read the record of every call, hear of it as it happens, and be told by signed webhooks.

Errors are problem details (RFC 9457): `code` is for programs and does not change. A request that changes
something may carry an `Idempotency-Key`. Events are described in `docs/events`.
"""


def create_app(service: Service | None) -> FastAPI:
    """The app of one service; without one it is good for its document alone."""

    app = FastAPI(
        title="Trunkline",
        version=version(),
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        max_body_size=LARGEST_BODY,
        telemetry=None,
    )
    app.state.service = service
    problems.install(app)
    routed = (dials, calls, stream, recordings, batches, do_not_call, events, endpoints, deliveries, keys)
    for module in (*routed, livekit, health):
        app.include_router(module.router)
    app.include_router(guard_routes.router)
    if service is not None:
        app.add_middleware(Observed, metrics=service.metrics)
    app.openapi = lambda: _document(app)  # type: ignore[method-assign]
    return app


def _document(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        schemas = document["components"]["schemas"]
        model = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= model.pop("$defs", {})
        schemas["Problem"] = model
        # FastAPI documents its own shape of a validation error, which ours takes the place of.
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        app.openapi_schema = document
    return app.openapi_schema


class Observed:
    """Counts requests by route, and puts the security headers on every answer."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.monotonic(), 500

        async def observe(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *_HEADERS]
            await send(message)

        try:
            await self._app(scope, receive, observe)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            self._metrics.requests.labels(route, str(status)).inc()
            self._metrics.request_time.labels(route).observe(time.monotonic() - started)
