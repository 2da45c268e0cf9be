"""Every error of the api in one shape: problem details (RFC 9457), with a code, and a fix for people."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException as StarletteHTTPException

from telephony.errors import StoreError, TrunklineError
from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Mapping

log = get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
_MOST_ERRORS = 20


class FieldError(BaseModel):
    """One thing that is wrong with a request."""

    field: str = Field(description="Where: body, query or path, and the name.")
    message: str


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = Field(description="urn:trunkline:problem: and the code.")
    title: str
    status: int
    code: str = Field(description="For programs; it does not change.")
    detail: str
    fix: str | None = Field(None, description="What to do about it.")
    errors: list[FieldError] | None = None
    call_id: str | None = Field(None, description="The call it is about, where there is one.")


class ProblemError(Exception):
    """Raised by a route: becomes the problem it describes."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        fix: str | None = None,
        errors: list[FieldError] | None = None,
        headers: Mapping[str, str] | None = None,
        call_id: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.fix = status, code, detail, fix
        self.errors, self.headers, self.call_id = errors, dict(headers or {}), call_id

    def response(self) -> JSONResponse:
        """The problem as a response."""
        problem = Problem(
            type=f"urn:trunkline:problem:{self.code}",
            title=HTTPStatus(self.status).phrase,
            status=self.status,
            code=self.code,
            detail=self.detail,
            fix=self.fix,
            errors=self.errors,
            call_id=self.call_id,
        )
        content = problem.model_dump(exclude_none=True)
        return JSONResponse(content, self.status, headers=self.headers, media_type=MEDIA_TYPE)


def not_found(what: str) -> ProblemError:
    """404 for a thing that is not there."""
    return ProblemError(404, "not_found", f"There is no such {what}.")


def install(app: FastAPI) -> None:
    """Make the app answer every error as a problem."""

    async def of_problem(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, ProblemError)
        return error.response()

    async def of_validation(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        wrong = [
            FieldError(field=".".join(str(part) for part in each["loc"]), message=str(each["msg"]))
            for each in error.errors()[:_MOST_ERRORS]
        ]
        detail = "The request does not have the form that the document asks for."
        return ProblemError(422, "invalid_request", detail, errors=wrong).response()

    async def of_http(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, StarletteHTTPException)
        code = HTTPStatus(error.status_code).name.lower()
        headers = error.headers or {}
        return ProblemError(error.status_code, code, _sentence(error.detail), headers=headers).response()

    async def of_store(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, StoreError)
        log.warning("store_unavailable", reason=error.message)
        detail = "The record cannot be reached at the moment."
        return ProblemError(503, "store_unavailable", detail, headers={"Retry-After": "1"}).response()

    async def of_product(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, TrunklineError)
        status = 503 if error.retryable else 400
        return ProblemError(status, "failed", error.message, fix=error.fix).response()

    async def of_fault(request: Request, error: Exception) -> JSONResponse:
        log.error("request_failed", route=request.url.path, exc_info=error)
        detail = "The request failed for a reason of our own."
        return ProblemError(500, "internal", detail, fix="Look into the api's log.").response()

    app.add_exception_handler(Exception, of_fault)
    app.add_exception_handler(ProblemError, of_problem)
    app.add_exception_handler(RequestValidationError, of_validation)
    app.add_exception_handler(StarletteHTTPException, of_http)
    app.add_exception_handler(HTTPException, of_http)
    app.add_exception_handler(StoreError, of_store)
    app.add_exception_handler(TrunklineError, of_product)


def _sentence(detail: Any) -> str:
    text = str(detail)
    return text if text.endswith(".") else f"{text}."


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems that a route may answer with, for its document."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": content}
        for status in sorted({*statuses, 429, 503} | ({400} if 413 in statuses else set()))
    }
