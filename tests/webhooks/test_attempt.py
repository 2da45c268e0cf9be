from __future__ import annotations

import time
from typing import Any

import pytest

from telephony.webhooks.attempt import LARGEST_RESPONSE, Poster
from telephony.webhooks.guard import AddressGuard, networks
from telephony.webhooks.signing import new_secret
from tests.webhooks.receiver import Behaviour, Receiver, signature_holds

pytestmark = pytest.mark.component

LOOPBACK = AddressGuard(networks(["127.0.0.0/8"]))
SECRET = new_secret()


def payload(**data: Any) -> dict[str, Any]:
    return {"id": "evt_abc_1", "type": "call.ended", "data": data}


async def test_an_event_arrives_as_it_was_signed(receiver: Receiver) -> None:
    """The receiver sees the standard's headers, and the signature over the very bytes it got."""
    async with Poster(LOOPBACK) as poster:
        result = await poster.post(receiver.url, payload(text="Ünïcödé ✓"), [SECRET])
    [got] = receiver.got
    assert result.delivered
    assert (result.http_status, result.response) == (200, "ok")
    assert got.headers["webhook-id"] == "evt_abc_1"
    assert got.headers["content-type"] == "application/json"
    assert got.payload == payload(text="Ünïcödé ✓")
    assert signature_holds(SECRET, got.headers, got.body)
    assert "cookie" not in got.headers


FAILURES: list[tuple[Behaviour, str]] = [
    (500, "answered 500"),
    (404, "answered 404"),
    (302, "redirects are not followed"),
    (410, "gone"),
    ("close", "closed the connection"),
    ("reset", "closed the connection"),
    ("slow", "did not answer within 1 s"),
]


@pytest.mark.parametrize(("behaviour", "sentence"), FAILURES)
async def test_a_failure_has_a_sentence(receiver: Receiver, behaviour: Behaviour, sentence: str) -> None:
    """Each way to fail is told apart in words, and none of them raises or redirects."""
    receiver.behave = lambda _count: behaviour
    receiver.answer_headers["Location"] = "http://127.0.0.1:1/"
    async with Poster(LOOPBACK, timeout_s=1) as poster:
        result = await poster.post(receiver.url, payload(), [SECRET])
    assert not result.delivered
    assert sentence in (result.error or "")
    assert len(receiver.got) == 1


@pytest.mark.parametrize("behaviour", ["half", "endless", "drip"])
async def test_a_body_that_does_not_end_changes_nothing(receiver: Receiver, behaviour: Behaviour) -> None:
    """The status is the answer: a body that breaks off, never ends or drips is left unread beyond its cap."""
    receiver.behave = lambda _count: behaviour
    async with Poster(LOOPBACK, timeout_s=1) as poster:
        started = time.monotonic()
        result = await poster.post(receiver.url, payload(), [SECRET])
    assert result.delivered
    assert len(result.response or "") < LARGEST_RESPONSE
    assert time.monotonic() - started < 5


async def test_retry_after_is_heard_only_where_it_means_something(receiver: Receiver) -> None:
    """429 and 503 may ask for a pause; others may not."""
    receiver.answer_headers["Retry-After"] = "7"
    answers = iter([429, 503, 500])
    receiver.behave = lambda _count: next(answers)
    async with Poster(LOOPBACK) as poster:
        waits = [(await poster.post(receiver.url, payload(), [SECRET])).retry_after_s for _ in range(3)]
    assert waits == [7.0, 7.0, None]


async def test_what_a_receiver_answers_is_kept_as_plain_text(receiver: Receiver) -> None:
    """Control characters of an answer never reach a log or a terminal."""
    async with Poster(LOOPBACK) as poster:
        result = await poster.post(receiver.url, payload(), [SECRET])
    assert (result.response or "").isprintable()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "127.1"])
async def test_a_name_that_leads_inside_is_refused_at_the_moment_of_connecting(
    receiver: Receiver, host: str
) -> None:
    """Whatever the name or spelling, no byte reaches an address inside."""
    async with Poster(AddressGuard()) as poster:
        result = await poster.post(f"http://{host}:{receiver.port}/hook", payload(), [SECRET])
    assert not result.delivered
    assert receiver.connections == 0


async def test_a_name_that_does_not_exist_or_a_port_nobody_has(receiver: Receiver) -> None:
    """Both are failures with a sentence."""
    async with Poster(LOOPBACK) as poster:
        nobody = await poster.post("http://127.0.0.1:1/", payload(), [SECRET])
        nowhere = await poster.post("http://nowhere.invalid/", payload(), [SECRET])
    assert nobody.error == "The receiver cannot be reached."
    assert nowhere.error == "The receiver's name cannot be resolved."
