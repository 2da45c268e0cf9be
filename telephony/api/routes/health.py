"""Is it alive, can it serve, what does it count."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from telephony.api.models import Liveness, Readiness
from telephony.api.serving import Serving
from telephony.monitor.readiness import check
from telephony.version import version

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> Liveness:
    """The process answers."""
    return Liveness(version=version())


@router.get("/readyz", response_model=Readiness, responses={503: {"model": Readiness}})
async def readyz(service: Serving) -> Response:
    """Whether the api can take events and answer questions now."""
    checks = await check(service.database, service.livekit, stopping=service.stopping.is_set())
    ready = all(each.ok for name, each in checks.items() if name != "livekit")
    shown = {name: {"ok": each.ok, "detail": each.detail} for name, each in checks.items()}
    return JSONResponse({"ready": ready, "checks": shown}, 200 if ready else 503)


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Prometheus"}},
)
async def metrics(service: Serving) -> Response:
    """What the api counts, for Prometheus."""
    return Response(service.metrics.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")
