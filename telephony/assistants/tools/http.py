"""Tools that are HTTP requests: sent behind the address guard, bounded, and never twice by accident.

A request that could act twice is sent at most once a call for the same arguments: it goes on when the caller
talks over it, who asks again is given the same answer, and where nobody knows whether it arrived it is not
sent again (RFC 9110 section 9.2.2). No redirect is followed and no proxy or cookie is used.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import time
from typing import TYPE_CHECKING, Any, Final, Literal

import aiohttp
from pydantic import ConfigDict, Field, create_model
from yarl import URL

from telephony.assistants.tools.request import refusal_from, request_for, result_from
from telephony.assistants.tools.tool import Tool
from telephony.errors import AssistantError
from telephony.logs import get_logger
from telephony.webhooks.guard import AddressGuard, RefusedAddressError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telephony.assistants.http_tool import HttpTool, Parameter
    from telephony.assistants.tools.desk import Desk
    from telephony.assistants.tools.request import Request
    from telephony.assistants.tools.tool import Result

log = get_logger(__name__)

LARGEST_ANSWER: Final = 64 * 1024
"""Bytes of an answer; a larger one is a failure."""

_PAUSE_S: Final = 0.2
_CLOSE_S: Final = 2.0
_TRY_AGAIN: Final = frozenset({429, 502, 503, 504})
_SENT_NOTHING: Final = frozenset({400, 401, 403, 404, 405, 409, 410, 413, 415, 422, 429})
_TYPES: Final[dict[str, Any]] = {"number": float, "integer": int, "boolean": bool}


class _FailedError(AssistantError):
    """One attempt failed; ``again`` says whether another may help, ``acted`` whether it may have acted."""

    def __init__(self, message: str, *, again: bool = False, acted: bool = False) -> None:
        super().__init__(message, retryable=again)
        self.acted = acted


class HttpReach:
    """What the HTTP tools of one call go through; close it with the call.

    Args:
        guard: which addresses may be reached.
        env: where ``${VAR}`` of headers are looked up.
    """

    def __init__(self, guard: AddressGuard | None = None, *, env: Mapping[str, str] = os.environ) -> None:
        self._guard = guard or AddressGuard()
        self._env = env
        self._session: aiohttp.ClientSession | None = None
        self._errands: dict[str, asyncio.Task[Result]] = {}

    async def send(self, name: str, tool: HttpTool, arguments: Mapping[str, Any], *, call_id: str) -> Result:
        """Carry out one call of a tool.

        Raises:
            AssistantError: it failed; the message is fit for a language model.
        """
        if tool.method == "GET":
            return await self._attempts(name, tool, arguments, "")
        told = json.dumps([call_id, name, dict(arguments)], sort_keys=True, default=str)
        key = hashlib.sha256(told.encode()).hexdigest()[:32]
        errand = self._errands.get(key)
        if errand is None or _may_be_sent_again(errand):
            errand = asyncio.create_task(self._attempts(name, tool, arguments, key), name=f"http_tool_{name}")
            self._errands[key] = errand
        # A caller who talks over it neither cuts it off nor has it sent a second time.
        return await asyncio.shield(errand)

    async def aclose(self) -> None:
        """Let what is on its way arrive, within 2 s, and close the connections."""
        running = [errand for errand in self._errands.values() if not errand.done()]
        if running:
            await asyncio.wait(running, timeout=_CLOSE_S)
        for errand in running:
            errand.cancel()
        await asyncio.gather(*self._errands.values(), return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def _attempts(self, name: str, tool: HttpTool, arguments: Mapping[str, Any], key: str) -> Result:
        request = request_for(tool, arguments, self._env)
        if tool.idempotency_key and key:
            request.headers["Idempotency-Key"] = key
        loop = asyncio.get_running_loop()
        until = loop.time() + tool.timeout_s
        left = 1 + tool.repeats
        while True:
            started = time.monotonic()
            try:
                result = await self._attempt(tool, request, arguments, (until - loop.time()) / left)
            except _FailedError as failed:
                left -= 1
                log.warning("http_tool_failed", tool=name, reason=failed.message, left=left)
                if not failed.retryable or left <= 0 or until - loop.time() <= _PAUSE_S:
                    raise _FailedError(_for_model(name, tool, failed), acted=failed.acted) from None
                await asyncio.sleep(_PAUSE_S)
            else:
                log.info("http_tool_answered", tool=name, ms=round((time.monotonic() - started) * 1000))
                return result

    async def _attempt(
        self, tool: HttpTool, request: Request, arguments: Mapping[str, Any], within_s: float
    ) -> Result:
        url = URL(request.url, encoded=True)
        if url.scheme == "http" and not self._guard.allowed:
            raise _FailedError("plain http is for networks of assistants.allowed_networks only")
        try:
            async with (
                asyncio.timeout(within_s),
                self._connections().request(
                    request.method, url, headers=request.headers, data=request.body, allow_redirects=False
                ) as response,
            ):
                if not 200 <= response.status < 300:
                    refused = refusal_from(tool, response.status, arguments)
                    if refused is not None:
                        return refused
                    raise _status_error(response.status)
                answer = await _read(response) if tool.result else None
        except TimeoutError:
            raise _FailedError("it did not answer in time", again=True, acted=True) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _network_error(error) from error
        return result_from(tool, answer, arguments)

    def _connections(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                resolver=aiohttp.ThreadedResolver(), use_dns_cache=False, socket_factory=self._guard
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                headers={"User-Agent": "Trunkline-Tools/1"},
            )
        return self._session


def http_tool(name: str, spec: HttpTool) -> Tool:
    """A declared tool as every other."""

    async def send(desk: Desk, **arguments: Any) -> Result:
        if desk.http is None:
            raise AssistantError("HTTP tools cannot be used here.", field=name)
        return await desk.http.send(name, spec, arguments, call_id=desk.call_id)

    fields: dict[str, Any] = {key: _field(parameter) for key, parameter in spec.parameters.items()}
    # A flow writes every argument as a text, so "5" is the number.
    config = ConfigDict(extra="forbid", strict=False, coerce_numbers_to_str=True)
    arguments = create_model(f"{name}_arguments", __config__=config, **fields)
    return Tool(name, " ".join(spec.description.split()), arguments, send, waiting=spec.waiting)


def _field(parameter: Parameter) -> Any:
    annotation: Any = _TYPES.get(parameter.type, str)
    if parameter.type == "choice":
        annotation = Literal[tuple(parameter.choices)]
    told: dict[str, Any] = {"description": parameter.description} if parameter.description else {}
    if parameter.type == "text":
        told |= {"max_length": parameter.max_length} | ({"min_length": 1} if parameter.required else {})
    if parameter.required:
        return annotation, Field(**told)
    return annotation | None, Field(default=None, **told)


def _may_be_sent_again(errand: asyncio.Task[Result]) -> bool:
    if not errand.done() or errand.cancelled():
        return errand.cancelled()
    failed = errand.exception()
    return failed is not None and not (isinstance(failed, _FailedError) and failed.acted)


def _for_model(name: str, tool: HttpTool, failed: _FailedError) -> str:
    doubt = failed.acted and not tool.repeatable
    return f"{name} failed: {failed.message}" + ("; nobody knows whether it was done." if doubt else ".")


def _status_error(status: int) -> _FailedError:
    if 300 <= status < 400:
        return _FailedError(f"it redirected with {status}, and redirects are not followed")
    return _FailedError(
        f"it answered {status}", again=status in _TRY_AGAIN, acted=status not in _SENT_NOTHING
    )


def _network_error(error: Exception) -> _FailedError:
    cause = error.__cause__ or error
    refused = next((each for each in (error, cause) if isinstance(each, RefusedAddressError)), None)
    if refused is not None:
        return _FailedError(
            "its address is inside a network; list it under assistants.allowed_networks to allow that"
        )
    if isinstance(error, aiohttp.ClientConnectorError):
        return _FailedError("it cannot be reached", again=True)
    if isinstance(error, ValueError) and not isinstance(error, aiohttp.ClientError):
        return _FailedError(str(error) or "its answer is not what was expected", acted=True)
    return _FailedError("it closed the connection without an answer", again=True, acted=True)


async def _read(response: aiohttp.ClientResponse) -> Any:
    raw = b""
    async for chunk in response.content.iter_chunked(8192):
        raw += chunk
        if len(raw) > LARGEST_ANSWER:
            response.close()
            raise ValueError(f"its answer is larger than {LARGEST_ANSWER // 1024} KiB")
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        raise ValueError("its answer is not JSON") from None
