from __future__ import annotations

import asyncio
import csv
import io
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from telephony.calls.events import Event
from telephony.store.instants import utc_now
from tests.api.asking import asking, settings
from tests.dialer.batches.network import Network, lead, numbers
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from telephony.dialer.batches.conductor import Conductor
    from tests.api.asking import Asking

pytestmark = pytest.mark.component


class OwnNetwork(Network):
    """A network that knows whose calls these are."""

    def conductor(self) -> Conductor:
        self.now = max(self.now, utc_now())
        return super().conductor()

    async def place(self, request: Any, key_id: str, idempotency_key: str) -> Any:
        assert key_id
        return await super().place(request, "somebody", idempotency_key)


@pytest.fixture
def network(api: Asking) -> OwnNetwork:
    """The telephones behind the api's batches, on the real clock's day."""
    return OwnNetwork(api.service.database, now=utc_now())


def rows(*texts: str, **more: Any) -> dict[str, Any]:
    return {"rows": [{"to": text, "data": {"n": at}} for at, text in enumerate(texts)], **more}


async def test_a_batch_is_made_once_for_its_key_and_followed_to_its_end(
    api: Asking, network: OwnNetwork
) -> None:
    """The same key gives the same batch; counts, rows, results and events agree in the end."""
    body = rows(*numbers(3), name="survey", pace_per_s=50, retry={"busy": {"after_s": 60}})
    made = await api.send("POST", "/v1/batches", 201, body, Idempotency_Key="once")
    again = await api.send("POST", "/v1/batches", 201, body, Idempotency_Key="once")
    assert made["id"] == again["id"]
    assert (made["state"], made["size"], made["waiting"]) == ("running", 3, 3)
    assert made["options"]["retry"] == {"busy": {"after_s": 60.0, "times": 1}}
    other = rows(*numbers(2))
    await api.send("POST", "/v1/batches", 409, other, Idempotency_Key="once")
    network.answers = {numbers(3)[1]: ["rejected"]}
    await lead(network.conductor(), network, 3)
    done = await api.get(f"/v1/batches/{made['id']}")
    assert (done["state"], done["done"]) == ("finished", 3)
    assert done["outcomes"] == {"answered": 2, "rejected": 1}
    page = await api.get(f"/v1/batches/{made['id']}/rows", limit=2)
    assert [row["number"] for row in page["rows"]] == numbers(3)[:2]
    rest = await api.get(f"/v1/batches/{made['id']}/rows", after=page["next_after"])
    assert (rest["rows"][0]["row"], rest["next_after"]) == (3, None)
    only = await api.get(f"/v1/batches/{made['id']}/rows", outcome="rejected")
    assert [row["row"] for row in only["rows"]] == [2]
    listed = await api.get("/v1/batches")
    assert [each["id"] for each in listed["batches"]] == [made["id"]]
    for action in ("pause", "resume", "cancel"):
        problem = await api.send("POST", f"/v1/batches/{made['id']}/{action}", 409)
        assert problem["code"] == "batch_is_over"


async def test_all_rows_that_cannot_be_called_are_named(api: Asking) -> None:
    """Nothing is begun; each wrong row has its place and a fix."""
    body = rows("89161234567", "+15550100123", "x", "+1 555 0100 123")
    problem = await api.send("POST", "/v1/batches", 422, body)
    assert problem["code"] == "invalid_rows"
    assert [each["field"] for each in problem["errors"]] == [
        "body.rows.0.to",
        "body.rows.2.to",
        "body.rows.3.to",
    ]
    assert "+79161234567" in problem["errors"][0]["message"]
    assert (await api.get("/v1/batches"))["batches"] == []
    skipped = await api.send("POST", "/v1/batches", 201, rows(*["+15550100123"] * 2, skip_repeated=True))
    assert skipped["size"] == 1
    never = rows("+15550100123", retry={"answered": {}})
    assert "never called again" in json.dumps(await api.send("POST", "/v1/batches", 422, never))


async def test_a_batch_may_come_as_csv(api: Asking) -> None:
    """Its columns become data; its options are in the query; what is wrong has the line's number."""
    text = "Телефон;имя\r\n+15550100123;Ольга\r\n".encode("cp1251")
    query = {"pace": "30/min", "retry": ["busy:10m:2"], "paused": "true", "name": "ноябрь"}
    headers = {"Content-Type": "text/csv"}
    answer = await api.http.post("/v1/batches/csv", content=text, params=query, headers=headers)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["state"], made["options"]["pace_per_s"], made["name"]) == ("paused", 0.5, "ноябрь")
    row = (await api.get(f"/v1/batches/{made['id']}/rows"))["rows"][0]
    assert (row["number"], row["data"]) == ("+15550100123", {"имя": "Ольга"})
    wrong = await api.http.post("/v1/batches/csv", content=b"to\n123\n", headers=headers)
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "line 2")
    for body, more in ((b"nothing\n", {}), (b"to\n+15550100123\n", {"retry": "answered:1m:1"})):
        answer = await api.http.post("/v1/batches/csv", content=body, params=more, headers=headers)
        assert answer.status_code == 422, answer.text


async def test_pause_resume_and_cancel_hold(api: Asking, network: OwnNetwork) -> None:
    """A paused batch begins nothing, a resumed one goes on, a cancelled one calls nobody any more."""
    made = await api.send("POST", "/v1/batches", 201, rows(*numbers(6), concurrency=1))
    path = f"/v1/batches/{made['id']}"
    conductor = network.conductor()
    await lead(conductor, network, 2)
    paused = await api.send("POST", f"{path}/pause", 200)
    assert (paused["state"], paused["paused_by"]) == ("paused", "operator")
    begun = len(network.rung)
    await lead(network.conductor(), network, 3)
    assert len(network.rung) == begun
    assert (await api.send("POST", f"{path}/resume", 200))["state"] == "running"
    await lead(conductor, network, 2)
    assert len(network.rung) > begun
    cancelled = await api.send("POST", f"{path}/cancel", 200)
    assert (cancelled["state"], cancelled["waiting"]) == ("cancelled", 0)
    begun = len(network.rung)
    await lead(conductor, network, 3)
    assert len(network.rung) == begun
    done = await api.get(path)
    assert (done["state"], done["done"]) == ("cancelled", 6)
    assert done["finished_at"] is not None
    audit = [entry["action"] for entry in (await api.get("/v1/audit"))["entries"]]
    assert audit[:4] == ["batch.cancelled", "batch.resumed", "batch.paused", "batch.created"]


async def test_results_are_a_csv_that_computes_nothing(api: Asking, network: OwnNetwork) -> None:
    """Every number with what became of it, and its own data with formulas disarmed."""
    body = {"rows": [{"to": numbers(1)[0], "data": {"note": "=1+1"}}], "pace_per_s": 50}
    made = await api.send("POST", "/v1/batches", 201, body)
    await lead(network.conductor(), network, 2)
    answer = await api.http.get(f"/v1/batches/{made['id']}/results")
    assert answer.headers["content-type"].startswith("text/csv")
    (row,) = csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""))
    assert (row["number"], row["outcome"], row["data.note"]) == (numbers(1)[0], "answered", "'=1+1")
    assert (await api.http.get(f"/v1/batches/batch_{'0' * 32}/results")).status_code == 404


async def test_progress_is_streamed_until_the_end(api: Asking, network: OwnNetwork) -> None:
    """Each change is a `progress`; the stream ends with the batch."""
    made = await api.send("POST", "/v1/batches", 201, rows(*numbers(2), pace_per_s=50))
    seen: list[dict[str, Any]] = []

    async def follow() -> None:
        async with api.http.stream("GET", f"/v1/batches/{made['id']}/stream") as response:
            async for line in response.aiter_lines():
                seen.extend(json.loads(text) for text in [line.removeprefix("data: ")] if text != line)

    following = asyncio.create_task(follow())
    while not seen:
        await asyncio.sleep(0.05)
    await lead(network.conductor(), network, 2)
    await asyncio.wait_for(following, PATIENCE * 20)
    assert seen[0]["done"] == 0
    assert (seen[-1]["state"], seen[-1]["done"]) == ("finished", 2)


async def test_the_do_not_call_list_is_kept_over_the_api(api: Asking) -> None:
    """Put, seen, listed, imported and removed; who asked for it on the phone is on it as well."""
    path = "/v1/do-not-call/+15550100123"
    await api.get(path, 404)
    for _ in range(2):
        entry = await api.send("PUT", path, 200, {"reason": "letter"})
        assert (entry["number"], entry["source"], entry["reason"]) == ("+15550100123", "api", "letter")
    done = await api.send("POST", "/v1/do-not-call", 200, {"numbers": ["+1 555 0100 124", "+15550100123"]})
    assert done == {"added": 1, "known": 1}
    wrong = await api.send("POST", "/v1/do-not-call", 422, {"numbers": ["8916", "+15550100125"]})
    assert wrong["errors"][0]["field"] == "body.numbers.0"
    call, now = "call_abcdef", utc_now()
    ringing = {"direction": "inbound", "from": "+15550100126", "to": "+15550100100"}
    await api.hand_in(
        [
            Event(call, "bridge", 1, "call.ringing", now, ringing),
            Event(call, "job", 1, "do_not_call.requested", now + timedelta(seconds=1), {"phrase": "x"}),
        ]
    )
    listed = await api.get("/v1/do-not-call", limit=2)
    assert [entry["number"] for entry in listed["entries"]] == ["+15550100123", "+15550100124"]
    rest = await api.get("/v1/do-not-call", cursor=listed["next_cursor"])
    assert [(entry["number"], entry["source"]) for entry in rest["entries"]] == [("+15550100126", "call")]
    await api.send("DELETE", path, 204)
    await api.send("DELETE", path, 404)


@pytest.fixture
async def alone(tmp_path: Path) -> AsyncIterator[Asking]:
    """A service over SQLite, for what does not depend on the database."""
    from tests.store.databases import migrate

    migrate(f"sqlite:///{tmp_path}/record.db")
    async with asking(settings(f"sqlite:///{tmp_path}/record.db", tmp_path)) as ready:
        yield ready


async def test_who_may_not_dial_may_not_begin_a_batch(alone: Asking) -> None:
    """Reading takes calls:read, pausing calls:write, beginning and resuming calls:dial."""
    made = await alone.send("POST", "/v1/batches", 201, rows(*numbers(1), start="paused"))
    wanted = {"name": "writer", "scopes": ["calls:read", "calls:write"]}
    writer = alone.as_key((await alone.send("POST", "/v1/keys", 201, wanted))["key"])
    path = f"/v1/batches/{made['id']}"
    for method, where, status in (
        ("GET", path, 200),
        ("POST", "/v1/batches", 403),
        ("POST", f"{path}/resume", 403),
        ("POST", f"{path}/pause", 200),
        ("POST", f"{path}/cancel", 200),
    ):
        body = rows(*numbers(1)) if where == "/v1/batches" else None
        answer = await alone.http.request(method, where, json=body, headers=writer)
        assert answer.status_code == status, (method, where, answer.text)
    assert (await alone.http.get(path, headers=alone.as_key(None))).status_code == 401
