"""HTTP tools against a real server here: the weather, what goes wrong, and what must not happen twice."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from aiohttp import web

from telephony.assistants.http_tool import HttpTool
from telephony.assistants.loader import load_assistant
from telephony.assistants.tools.desk import Desk
from telephony.assistants.tools.http import LARGEST_ANSWER, HttpReach, http_tool
from telephony.errors import AssistantError
from telephony.speech.simulators.serving import serve
from telephony.webhooks.guard import AddressGuard, networks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from telephony.assistants.tools.tool import Result

pytestmark = [pytest.mark.component, pytest.mark.asyncio]

WEATHER = load_assistant("weather").http_tools["weather"]


@dataclass
class Service:
    """A weather service that answers as it is told, and remembers what it was asked."""

    status: list[int] = field(default_factory=list)
    """Of the next answers; 200 after them."""
    answer: Any = field(default_factory=lambda: {"current": {"temperature": 21.4, "sky": "light clouds"}})
    raw: bytes | None = None
    delay_s: float = 0.0
    asked: list[web.Request] = field(default_factory=list)
    root: str = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        await asyncio.sleep(self.delay_s)
        status = self.status.pop(0) if self.status else 200
        if status == 0:
            assert request.transport is not None
            request.transport.abort()
        if status == 302:
            return web.Response(status=302, headers={"Location": f"{self.root}/elsewhere"})
        if self.raw is not None:
            return web.Response(body=self.raw, content_type="application/json")
        return web.json_response(self.answer, status=status or 200)


@pytest_asyncio.fixture
async def service() -> AsyncIterator[Service]:
    """One, running."""
    told = Service()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", told.handle)
    async with serve(app) as root:
        told.root = root
        yield told


@contextlib.asynccontextmanager
async def desk_with(*allowed: str) -> AsyncIterator[Desk]:
    reach = HttpReach(AddressGuard(networks(allowed)), env={"WEATHER_KEY": "k3y"})
    try:
        yield Desk(load_assistant("weather"), call_id="call_1", http=reach)
    finally:
        await reach.aclose()


def at(service: Service, **changes: Any) -> HttpTool:
    tree = {**WEATHER.model_dump(by_alias=True, exclude_unset=True), **changes}
    return HttpTool.model_validate({**tree, "url": f"{service.root}/v1/current?city={{city}}"})


async def ask(service: Service, city: str = "Berlin", **changes: Any) -> Result:
    async with desk_with("127.0.0.0/8") as desk:
        return await http_tool("weather", at(service, **changes)).run(desk, {"city": city})


async def test_the_weather_is_told(service: Service) -> None:
    """The declared request is sent with its key, and the checked answer comes back as a sentence."""
    result = await ask(service, "Bad Saarow & Co")
    assert result == {
        "ok": True,
        "temperature": 21.4,
        "sky": "light clouds",
        "text": "In Bad Saarow & Co it is 21.4 degrees, light clouds.",
    }
    (request,) = service.asked
    assert request.query == {"city": "Bad Saarow & Co"}
    assert request.headers["Authorization"] == "Bearer k3y"


async def test_a_city_that_nobody_knows_is_an_answer(service: Service) -> None:
    """A status that the file names is no failure."""
    service.status = [404]
    assert (await ask(service, "Oz"))["text"] == "I do not know the city Oz."


@pytest.mark.parametrize("first", [503, 0])
async def test_a_failure_of_the_moment_is_tried_again(service: Service, first: int) -> None:
    """A GET does no harm twice."""
    service.status = [first]
    assert (await ask(service))["ok"] is True
    assert len(service.asked) == 2


@pytest.mark.parametrize(
    ("status", "says"),
    [(500, "it answered 500"), (401, "it answered 401"), (302, "redirects are not followed")],
)
async def test_what_trying_again_cannot_help_fails_at_once(service: Service, status: int, says: str) -> None:
    """One request, one sentence for the model."""
    service.status = [status]
    with pytest.raises(AssistantError, match=says):
        await ask(service)
    assert len(service.asked) == 1


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"<html>", "not JSON"),
        (b"[" * 30_000, "not JSON"),
        (b'"' + b"x" * LARGEST_ANSWER + b'"', "larger than 64 KiB"),
        (b"{}", "the answer has no current.temperature"),
    ],
)
async def test_an_answer_that_is_none_is_refused(service: Service, raw: bytes, says: str) -> None:
    """What reaches the conversation has the declared shape."""
    service.raw = raw
    with pytest.raises(AssistantError, match=says):
        await ask(service)


async def test_a_slow_service_is_not_waited_for_longer_than_said(service: Service) -> None:
    """The time-out holds for all attempts together."""
    service.delay_s = 5
    started = asyncio.get_running_loop().time()
    with pytest.raises(AssistantError, match="did not answer in time"):
        await ask(service, timeout_s=0.4)
    assert asyncio.get_running_loop().time() - started < 3


async def test_addresses_inside_are_refused(service: Service) -> None:
    """Only what the operator allows: not this machine, nor a name that leads to it."""
    async with desk_with("10.0.0.0/8") as desk:
        with pytest.raises(AssistantError, match="allowed_networks"):
            await http_tool("weather", at(service)).run(desk, {"city": "Berlin"})
        port = service.root.rpartition(":")[2]
        named = at(service).model_copy(update={"url": f"http://localhost:{port}/"})
        with pytest.raises(AssistantError, match="allowed_networks"):
            await http_tool("weather", named).run(desk, {"city": "Berlin"})
    async with desk_with() as desk:
        with pytest.raises(AssistantError, match="plain http"):
            await http_tool("weather", at(service)).run(desk, {"city": "Berlin"})
    assert service.asked == []


@pytest.mark.parametrize("arguments", [{}, {"city": ""}, {"city": "x" * 81}, {"city": "x", "more": 1}])
async def test_wrong_arguments_are_told_before_anything_is_sent(
    service: Service, arguments: dict[str, Any]
) -> None:
    """A model that calls it wrongly learns which argument it was."""
    async with desk_with("127.0.0.0/8") as desk:
        with pytest.raises(AssistantError):
            await http_tool("weather", at(service)).run(desk, arguments)
    assert service.asked == []


ORDER = {
    "description": "Order it.",
    "method": "POST",
    "parameters": {"item": {}, "count": {"type": "integer"}},
    "json": {"item": "{item}", "count": "{count}"},
    "timeout_s": 2.0,
}


def order(service: Service, **changes: Any) -> HttpTool:
    return HttpTool.model_validate({**ORDER, "url": f"{service.root}/orders", **changes})


async def test_an_order_is_sent_once_however_often_it_is_asked_for(service: Service) -> None:
    """A caller who talks over the tool cuts it off; it goes on, and the second call gets its answer."""
    service.delay_s = 0.3
    tool = http_tool("order", order(service))
    async with desk_with("127.0.0.0/8") as desk:
        first = asyncio.create_task(tool.run(desk, {"item": "tea", "count": "2"}))
        await asyncio.sleep(0.1)
        first.cancel()
        assert await tool.run(desk, {"item": "tea", "count": 2}) == {"ok": True}
        assert await tool.run(desk, {"item": "tea", "count": 2}) == {"ok": True}
        assert len(service.asked) == 1
        await tool.run(desk, {"item": "tea", "count": 3})
        assert len(service.asked) == 2


async def test_an_order_that_may_have_arrived_is_not_sent_again(service: Service) -> None:
    """Unknown is not repeated, and the model is told so."""
    service.status = [0, 200]
    tool = http_tool("order", order(service))
    async with desk_with("127.0.0.0/8") as desk:
        for _ in range(2):
            with pytest.raises(AssistantError, match="nobody knows whether it was done"):
                await tool.run(desk, {"item": "tea", "count": 1})
    assert len(service.asked) == 1


async def test_a_refused_order_may_be_tried_again(service: Service) -> None:
    """A 422 has done nothing, so another call is another request."""
    service.status = [422]
    tool = http_tool("order", order(service))
    async with desk_with("127.0.0.0/8") as desk:
        with pytest.raises(AssistantError, match="it answered 422"):
            await tool.run(desk, {"item": "tea", "count": 1})
        assert await tool.run(desk, {"item": "tea", "count": 1}) == {"ok": True}


async def test_a_receiver_that_knows_a_request_again_gets_the_same_key(service: Service) -> None:
    """With an idempotency key a lost answer is asked for again, by the same key."""
    service.status = [0]
    tool = http_tool("order", order(service, idempotency_key=True))
    async with desk_with("127.0.0.0/8") as desk:
        assert await tool.run(desk, {"item": "tea", "count": 1}) == {"ok": True}
    keys = [request.headers["Idempotency-Key"] for request in service.asked]
    assert len(keys) == 2
    assert len(set(keys)) == 1


async def test_what_is_on_its_way_at_the_calls_end_arrives(service: Service) -> None:
    """Closing waits for an order that was sent a moment ago."""
    service.delay_s = 0.3
    async with desk_with("127.0.0.0/8") as desk:
        asked = asyncio.create_task(http_tool("order", order(service)).run(desk, {"item": "tea", "count": 1}))
        await asyncio.sleep(0.1)
    assert await asked == {"ok": True}
