from __future__ import annotations

import asyncio
import stat
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from telephony.api.keys import Scope, make_key, split
from telephony.store.tables import api_key, idempotency
from tests.api.asking import asking, settings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.api.asking import Asking

pytestmark = pytest.mark.component


async def test_a_key_is_shown_once_and_stored_as_a_hash(api: Asking) -> None:
    """The answer has the key, the list does not, and the database has nothing that could be used."""
    made = await api.send("POST", "/v1/keys", 201, {"name": "ci", "scopes": ["calls:read"]})
    listed = await api.get("/v1/keys")
    [shown] = [key for key in listed["keys"] if key["id"] == made["id"]]
    assert "key" not in shown
    secret = split(made["key"])
    assert secret is not None
    async with api.service.database.read() as connection:
        rows = (await connection.execute(sa.select(api_key))).all()
    assert secret[1] not in str(rows)
    assert (await api.http.get("/v1/calls", headers=api.as_key(made["key"]))).status_code == 200


async def test_a_key_may_do_what_its_scopes_say_and_nothing_else(api: Asking) -> None:
    """Each route asks for its scope; without it the answer is 403 and names the scope."""
    made = await api.send("POST", "/v1/keys", 201, {"name": "reader", "scopes": ["calls:read"]})
    reader = api.as_key(made["key"])
    for method, path, scope in (
        ("DELETE", "/v1/calls/call_abcdef", "calls:write"),
        ("GET", "/v1/endpoints", "webhooks:read"),
        ("POST", "/v1/events", "events:write"),
        ("GET", "/v1/keys", "keys:read"),
        ("GET", "/v1/audit", "audit:read"),
        ("GET", "/v1/calls/call_abcdef/recording", "recordings:read"),
    ):
        answer = await api.http.request(method, path, headers=reader)
        assert answer.status_code == 403, (method, path, answer.text)
        assert scope in answer.json()["detail"]


@pytest.mark.parametrize("key", [None, "", "tlk_x_y", "Basic abc", "tlk_aaaaaaaaaaaaaaaa_" + "A" * 43])
async def test_without_a_valid_key_nothing_is_answered(api: Asking, key: str | None) -> None:
    """No key, half a key, another's key: 401, the same words for all."""
    for path in ("/v1/calls", "/v1/calls/call_abcdef", "/v1/keys", "/v1/endpoints"):
        answer = await api.http.get(path, headers=api.as_key(key))
        assert answer.status_code == 401
        assert answer.json()["code"] == "invalid_key"
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_nobody_can_give_more_than_they_have(api: Asking) -> None:
    """A key that may make keys cannot make one with scopes it lacks."""
    made = await api.send("POST", "/v1/keys", 201, {"name": "k", "scopes": ["keys:write", "calls:read"]})
    limited = api.as_key(made["key"])
    body = {"name": "more", "scopes": ["admin"]}
    assert (await api.http.post("/v1/keys", json=body, headers=limited)).status_code == 403
    body = {"name": "same", "scopes": ["calls:read"]}
    assert (await api.http.post("/v1/keys", json=body, headers=limited)).status_code == 201


async def test_a_revoked_or_expired_key_is_worthless_at_once(api: Asking) -> None:
    """Revocation holds from the next request on, and so does the end of a key's time."""
    made = await api.send("POST", "/v1/keys", 201, {"name": "short", "scopes": ["calls:read"]})
    assert (await api.http.get("/v1/calls", headers=api.as_key(made["key"]))).status_code == 200
    await api.send("DELETE", f"/v1/keys/{made['id']}", 204)
    assert (await api.http.get("/v1/calls", headers=api.as_key(made["key"]))).status_code == 401
    await api.send("DELETE", f"/v1/keys/{made['id']}", 404)
    past = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    old = await api.send("POST", "/v1/keys", 201, {"name": "o", "scopes": ["admin"], "expires_at": past})
    assert (await api.http.get("/v1/calls", headers=api.as_key(old["key"]))).status_code == 401


async def test_the_same_idempotency_key_makes_one_key(api: Asking) -> None:
    """Ten requests at once with one Idempotency-Key make one thing; another request with it is refused."""
    body = {"name": "once", "scopes": ["calls:read"]}
    answers = await asyncio.gather(
        *(api.http.post("/v1/keys", json=body, headers={"Idempotency-Key": "abc"}) for _ in range(10))
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum(answer.json()["key"] is not None for answer in answers) == 1
    assert sum(answer.headers.get("idempotent-replay") == "true" for answer in answers) == 9
    other = await api.http.post("/v1/keys", json={**body, "name": "x"}, headers={"Idempotency-Key": "abc"})
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")
    async with api.service.database.read() as connection:
        kept = (await connection.execute(sa.select(idempotency.c.response))).scalars().all()
    assert all(response["key"] is None for response in kept)


async def test_every_change_leaves_a_row_of_who_did_it(api: Asking) -> None:
    """The audit says which key did what to what, and has no secret."""
    made = await api.send("POST", "/v1/keys", 201, {"name": "a", "scopes": ["calls:read"]})
    await api.send("DELETE", f"/v1/keys/{made['id']}", 204)
    entries = (await api.get("/v1/audit"))["entries"]
    assert [(entry["action"], entry["target"]) for entry in entries] == [
        ("key.revoked", made["id"]),
        ("key.created", made["id"]),
    ]
    assert made["key"] not in str(entries)
    assert {entry["key_id"] for entry in entries} == {split(api.admin)[0]}  # type: ignore[index]


async def test_too_many_requests_are_told_to_wait(database_url: str, tmp_path: Path) -> None:
    """A key over its limit gets 429 and a Retry-After, and so does an address with wrong keys."""
    async with asking(settings(database_url, tmp_path, requests_per_minute=5)) as api:
        statuses = [(await api.http.get("/v1/calls")).status_code for _ in range(7)]
        assert statuses == [200] * 5 + [429] * 2
        answer = await api.http.get("/v1/calls")
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        wrong = [
            (await api.http.get("/v1/calls", headers=api.as_key(make_key().text))).status_code
            for _ in range(35)
        ]
        assert wrong[:30] == [401] * 30
        assert set(wrong[30:]) == {429}


async def test_the_first_keys_are_in_files_of_their_owner(api: Asking) -> None:
    """A new record has an admin's and a source's key, readable by nobody else, and makes them once."""
    folder = api.service.settings.data / "keys"
    for name in ("admin", "events"):
        assert stat.S_IMODE((folder / f"{name}.key").stat().st_mode) == 0o600
    rows = (await api.get("/v1/keys"))["keys"]
    assert {tuple(row["scopes"]) for row in rows} == {(Scope.ADMIN,), (Scope.EVENTS_WRITE,)}
