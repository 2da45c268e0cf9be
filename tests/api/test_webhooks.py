from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema_rs import validator_for
from standardwebhooks import Webhook

from tests.api.asking import from_sources
from tests.waiting import PATIENCE, limit
from tests.webhooks.receiver import Receiver, signature_holds

if TYPE_CHECKING:
    from tests.api.asking import Asking

pytestmark = pytest.mark.component

SCHEMAS = Path("docs/events")


async def endpoint(api: Asking, receiver: Receiver, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = await api.send("POST", "/v1/endpoints", 201, {"url": receiver.url, **more})
    return made


async def test_a_customer_hears_of_a_call_as_the_schemas_say(api: Asking, receiver: Receiver) -> None:
    """Every event of a call arrives in order, signed with the endpoint's secret, matching docs/events."""
    made = await endpoint(api, receiver)
    await api.hand_in(from_sources("call_abcdef"))
    call = await api.get("/v1/calls/call_abcdef")
    got = await receiver.wait_for(call["last_seq"])
    assert [each.payload["seq"] for each in got] == list(range(1, call["last_seq"] + 1))
    for each in got:
        assert signature_holds(made["secret"], each.headers, each.body)
        schema = json.loads((SCHEMAS / f"{each.payload['type']}.schema.json").read_text())
        validator_for(schema, validate_formats=True).validate(each.payload)
    same = await api.get("/v1/calls/call_abcdef/events")
    assert [each["data"] for each in same["events"]] == [each.payload["data"] for each in got]


async def test_an_endpoint_is_made_shown_changed_and_removed(api: Asking, receiver: Receiver) -> None:
    """Its secret is shown once; its filter and state can be changed; what it missed can be replayed."""
    made = await endpoint(api, receiver, types=["call.ended"], description="crm")
    path = f"/v1/endpoints/{made['id']}"
    assert "secret" not in await api.get(path)
    await api.hand_in(from_sources("call_abcdef"))
    await receiver.wait_for(1)
    changed = await api.send("PATCH", path, 200, {"enabled": False})
    assert changed["disabled_reason"] == "It was switched off."
    await api.hand_in(from_sources("call_ghijkl"))
    replay = {"endpoint_id": made["id"], "call_id": "call_ghijkl"}
    assert (await api.send("POST", "/v1/deliveries/replay", 409, replay))["code"] == "endpoint_is_disabled"
    await api.send("PATCH", path, 200, {"enabled": True, "types": ["*"]})
    queued = await api.send("POST", "/v1/deliveries/replay", 202, replay)
    assert queued["queued"] == 10
    await receiver.wait_for(11)
    assert [each.payload["seq"] for each in receiver.got[1:]] == list(range(1, 11))
    await api.send("DELETE", path, 204)
    await api.get(path, 404)
    assert (await api.get("/v1/endpoints"))["endpoints"] == []


async def test_dead_letters_are_listed_with_their_attempts_and_sent_again(
    api: Asking, receiver: Receiver
) -> None:
    """What was given up can be seen with every attempt, and replayed once the receiver is well."""
    made = await endpoint(api, receiver, types=["call.ended"])
    receiver.behave = lambda count: 500 if count < 3 else 200
    await api.hand_in(from_sources("call_abcdef"))
    async with limit(10):
        while not (dead := (await api.get("/v1/deliveries", status="dead"))["deliveries"]):
            await asyncio.sleep(0.05)
    shown = await api.get(f"/v1/deliveries/{dead[0]['id']}")
    assert [each["http_status"] for each in shown["tries"]] == [500, 500, 500]
    assert (shown["type"], shown["status"], shown["attempts"]) == ("call.ended", "dead", 3)
    wanted = {"endpoint_id": made["id"], "only_dead": True}
    assert (await api.send("POST", "/v1/deliveries/replay", 202, wanted))["queued"] == 1
    await receiver.wait_for(4)
    assert len({each.headers["webhook-id"] for each in receiver.got}) == 1
    one = {"delivery_id": dead[0]["id"]}
    assert (await api.send("POST", "/v1/deliveries/replay", 202, one))["queued"] == 1
    await api.send("POST", "/v1/deliveries/replay", 422, {})
    await api.send("POST", "/v1/deliveries/replay", 404, {"delivery_id": 99999})


async def test_an_address_inside_is_refused_when_the_endpoint_is_made(api: Asking) -> None:
    """Metadata services, private networks and odd spellings are refused with the field and the reason."""
    for url in (
        "http://169.254.169.254/latest",
        "https://10.0.0.1/",
        "https://user:x@example.com/",
        "ftp://x/y",
    ):
        problem = await api.send("POST", "/v1/endpoints", 422, {"url": url})
        assert problem["errors"][0]["field"] == "body.url"


async def test_a_secret_is_rotated_with_an_overlap(api: Asking, receiver: Receiver) -> None:
    """After a rotation both secrets verify what is sent."""
    made = await endpoint(api, receiver, types=["call.ended"])
    new = await api.send("POST", f"/v1/endpoints/{made['id']}/secret", 200, {"overlap_s": 3600})
    assert new["secret"] != made["secret"]
    await api.hand_in(from_sources("call_abcdef"))
    [got] = await receiver.wait_for(1)
    assert signature_holds(made["secret"], got.headers, got.body)
    assert signature_holds(new["secret"], got.headers, got.body)


async def test_a_test_delivery_says_what_came_of_it(api: Asking, receiver: Receiver) -> None:
    """One signed webhook.test is sent now, and the answer is the receiver's."""
    made = await endpoint(api, receiver)
    good = await api.send("POST", f"/v1/endpoints/{made['id']}/test", 200)
    assert (good["delivered"], good["http_status"]) == (True, 200)
    assert signature_holds(made["secret"], receiver.got[0].headers, receiver.got[0].body)
    receiver.behave = lambda _count: 503
    bad = await api.send("POST", f"/v1/endpoints/{made['id']}/test", 200)
    assert (bad["delivered"], bad["error"]) == (False, "The receiver answered 503.")


async def test_a_developer_listens_to_verified_events(api: Asking) -> None:
    """The listening stream gives a secret, then each event as a webhook that verifies with it."""
    got: list[Any] = []

    async def listen() -> None:
        async with api.http.stream("GET", "/v1/webhooks/listen", params={"types": ["call.*"]}) as stream:
            name = ""
            async for line in stream.aiter_lines():
                if line.startswith("event: "):
                    name = line[7:]
                elif line.startswith("data: "):
                    got.append((name, json.loads(line[6:])))
                if len(got) == 6:
                    return

    task = asyncio.create_task(listen())
    async with limit(5):
        while not got:
            await asyncio.sleep(0.01)
    await api.hand_in(from_sources("call_abcdef"))
    await asyncio.wait_for(task, PATIENCE * 10)
    secret = got[0][1]["secret"]
    payloads = [Webhook(secret).verify(each["body"], each["headers"]) for _, each in got[1:]]
    assert [payload["type"] for payload in payloads] == [
        "call.ringing",
        "call.answered",
        "call.reported",
        "call.reported",
        "call.ended",
    ]
