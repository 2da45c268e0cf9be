from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from provisioning.config import LineConfig
from tests.api.asking import Asking, asking, settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.component

TO = "+12125551000"
TRUNK = {
    "name": "out",
    "outbound_only": True,
    "numbers": ["+12125550100"],
    "host": "127.0.0.1",
    "max_calls_per_second": 100,
}


def _config(**outbound: Any) -> LineConfig:
    allowed = {
        "enabled": True,
        "allowed_regions": ["US"],
        "max_concurrent_calls": 50,
        "reserved_for_inbound": 0,
    }
    section = {**allowed, "max_calls_per_number_per_day": 50, "max_calls_per_day": 500, **outbound}
    agent = {"max_calls": 100}
    return LineConfig.model_validate({"sip_trunks": [TRUNK], "outbound": section, "agent": agent})


@pytest.fixture
async def dialling(database_url: str, tmp_path: Path) -> AsyncIterator[Asking]:
    """An api that may dial, with a livekit-server that is away: nothing rings, and everything waits."""
    given = settings(database_url, tmp_path, config=_config(), livekit_url="ws://127.0.0.1:9")
    async with asking(given) as ready:
        yield ready


async def test_a_call_is_asked_for_and_can_be_read_at_once(dialling: Asking) -> None:
    """201 with the call, where it is to be read, and its record from the first event on."""
    answer = await dialling.http.post("/v1/calls", json={"to": TO, "metadata": {"crm": 7}})
    assert answer.status_code == 201, answer.text
    call = answer.json()
    assert answer.headers["Location"] == f"/v1/calls/{call['id']}"
    assert (call["direction"], call["state"], call["to_number"]) == ("outbound", "permitted", TO)
    detail = await dialling.get(f"/v1/calls/{call['id']}")
    assert detail["metadata"] == {"crm": 7}


async def test_one_of_several_caller_ids_is_shown(dialling: Asking) -> None:
    """A list is a pool; a number in it that the trunk does not have is refused as if it came alone."""
    body = {"to": TO, "from": ["+12125550100", "+1 212 555 0100"]}
    call = (await dialling.http.post("/v1/calls", json=body)).json()
    assert call["state"] == "permitted"
    refused = await dialling.http.post("/v1/calls", json={"to": TO, "from": ["+12125550999"]})
    assert refused.status_code == 403
    assert refused.json()["errors"][0]["field"] == "sip_trunks[0].numbers"
    assert (await dialling.http.post("/v1/calls", json={"to": TO, "from": []})).status_code == 422


async def test_the_same_key_is_the_same_call_and_another_request_is_refused(dialling: Asking) -> None:
    """Asked ten times at once with one key there is one call; with another body the key is refused."""
    asks = [
        dialling.http.post("/v1/calls", json={"to": TO}, headers={"Idempotency-Key": "one"})
        for _ in range(10)
    ]
    answers = await asyncio.gather(*asks)
    assert {each.status_code for each in answers} == {201}
    assert len({each.json()["id"] for each in answers}) == 1
    assert sum("Idempotent-Replay" not in each.headers for each in answers) == 1
    wrong = await dialling.send("POST", "/v1/calls", 409, {"to": "+12125551001"}, Idempotency_Key="one")
    assert wrong["code"] == "idempotency_key_reused"


async def test_livekits_own_keys_are_understood_and_mean_the_same(dialling: Asking) -> None:
    """phone_number is to, alone or in metadata; with a key, both spellings at the top are one request."""
    one = await dialling.send("POST", "/v1/calls", 201, {"phone_number": TO}, Idempotency_Key="one")
    two = await dialling.send("POST", "/v1/calls", 201, {"to": TO}, Idempotency_Key="one")
    assert one["id"] == two["id"]
    example = {"phone_number": TO, "transfer_to": "+12125551002"}
    call = await dialling.send("POST", "/v1/calls", 201, {"metadata": example})
    assert (await dialling.get(f"/v1/calls/{call['id']}"))["metadata"] == example


async def test_what_the_guard_refuses_is_said_with_its_setting_and_recorded(dialling: Asking) -> None:
    """403 names the setting; the call stands in the record as blocked; the same key gives the same answer."""
    for _ in range(2):
        problem = await dialling.send("POST", "/v1/calls", 403, {"to": "+79161234567"}, Idempotency_Key="no")
    assert problem["code"] == "call_not_allowed"
    assert problem["errors"][0]["field"] == "outbound.allowed_regions"
    call = await dialling.get(f"/v1/calls/{problem['call_id']}")
    assert (call["state"], call["outcome"], call["code"]) == ("ended", "blocked", "blocked")
    assert len((await dialling.get("/v1/calls", outcome="blocked"))["calls"]) == 1


async def test_what_is_too_much_now_may_be_asked_again_with_its_key(
    database_url: str, tmp_path: Path
) -> None:
    """Above the calls at once it is 429 and no call; once one is over, the same key makes the call."""
    config = _config(max_concurrent_calls=1)
    given = settings(database_url, tmp_path, config=config, livekit_url="ws://127.0.0.1:9")
    async with asking(given) as api:
        first = await api.send("POST", "/v1/calls", 201, {"to": TO})
        again = {"to": "+12125551001"}
        problem = await api.send("POST", "/v1/calls", 429, again, Idempotency_Key="later")
        assert problem["code"] == "call_not_now"
        assert len((await api.get("/v1/calls"))["calls"]) == 1
        await api.send("POST", f"/v1/calls/{first['id']}/hangup", 202)
        await api.send("POST", "/v1/calls", 201, again, Idempotency_Key="later")


async def test_a_call_that_was_not_dialled_is_called_off_for_good(dialling: Asking) -> None:
    """Hung up before it is dialled it is over at once; hung up again it has ended."""
    call = await dialling.send("POST", "/v1/calls", 201, {"to": TO})
    place = f"/v1/calls/{call['id']}"
    assert (await dialling.send("POST", f"{place}/hangup", 202))["state"] == "cancelled"
    ended = await dialling.get(place)
    assert (ended["outcome"], ended["ended_by"]) == ("cancelled", "operator")
    assert (await dialling.send("POST", f"{place}/hangup", 202))["state"] == "ended"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"to": TO, "phone_number": "+12125551009"},
        {"to": TO, "ringing_timeout_s": 600},
        {"to": TO, "data": {"name": "x" * 20_000}},
        {"to": TO, "answer_policy": {"voicemail": "shout"}},
        {"to": TO, "what": 1},
    ],
)
async def test_what_cannot_be_a_call_is_refused_by_its_form(dialling: Asking, body: dict[str, Any]) -> None:
    """A field that is missing, unknown, too long or out of its range is 422, and nothing is recorded."""
    problem = await dialling.send("POST", "/v1/calls", 422, body)
    assert problem["code"] == "invalid_request"
    assert (await dialling.get("/v1/calls"))["calls"] == []


async def test_an_api_without_livekit_says_so(api: Asking) -> None:
    """Where there is nothing to dial with, nothing is permitted either."""
    problem = await api.send("POST", "/v1/calls", 409, {"to": TO})
    assert problem["code"] == "no_livekit"
