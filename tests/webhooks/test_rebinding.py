from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest

from telephony.webhooks.attempt import Poster
from telephony.webhooks.guard import AddressGuard, networks
from telephony.webhooks.signing import new_secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.webhooks.receiver import Receiver

pytestmark = pytest.mark.component

NAME = "hooks.customer.example"
EVENT = {"id": "evt_abc_1", "type": "call.ended", "data": {}}


@pytest.fixture
def name_server(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes the name resolve to addresses of our choice: one list for each resolution, the last for good."""
    plain = socket.getaddrinfo

    def resolve_to(*answers: list[str]) -> None:
        left = list(answers)

        def getaddrinfo(host: str, port: int, *args: Any, **kwargs: Any) -> Any:
            if host != NAME:
                return plain(host, port, *args, **kwargs)
            addresses = left.pop(0) if len(left) > 1 else left[0]
            return [
                (
                    socket.AF_INET6 if ":" in address else socket.AF_INET,
                    socket.SOCK_STREAM,
                    6,
                    "",
                    (address, port, 0, 0) if ":" in address else (address, port),
                )
                for address in addresses
            ]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    return resolve_to


async def post(guard: AddressGuard, port: int) -> Any:
    """One attempt at the name, with nothing remembered of any attempt before it."""
    async with Poster(guard, timeout_s=3) as poster:
        return await poster.post(f"http://{NAME}:{port}/hook", EVENT, [new_secret()])


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["169.254.169.254"],
        ["fe80::1"],
        ["10.0.0.1", "192.168.0.1", "fd00::1"],
        ["64:ff9b::7f00:1"],
        ["2002:7f00:1::"],
    ],
)
async def test_a_public_name_that_leads_inside_is_refused(
    receiver: Receiver, name_server: Callable[..., None], addresses: list[str]
) -> None:
    """The name has nothing wrong with it; every address that it resolves to is refused, in words."""
    name_server(addresses)
    guard = AddressGuard()
    assert guard.objection(f"https://{NAME}/hook") is None
    result = await post(guard, receiver.port)
    assert (result.error or "").startswith("Refused: webhooks are not sent to the address")
    assert receiver.connections == 0


async def test_a_name_that_changes_its_address_gains_nothing(
    receiver: Receiver, name_server: Callable[..., None]
) -> None:
    """Allowed at one moment and inside at the next: the address counts that is connected to."""
    name_server(["127.0.0.1"], ["127.0.0.2"])
    only_the_first = AddressGuard(networks(["127.0.0.1/32"]))
    assert (await post(only_the_first, receiver.port)).delivered
    second = await post(only_the_first, receiver.port)
    assert (second.error or "").startswith("Refused")
    assert receiver.connections == 1


async def test_of_many_addresses_only_the_allowed_ones_are_tried(
    receiver: Receiver, name_server: Callable[..., None]
) -> None:
    """An address inside among good ones is passed over, and the good one gets the event."""
    name_server(["127.0.0.3", "127.0.0.1"])
    result = await post(AddressGuard(networks(["127.0.0.1/32"])), receiver.port)
    assert result.delivered
    assert receiver.connections == 1


async def test_a_redirect_inside_is_not_followed(
    receiver: Receiver, name_server: Callable[..., None]
) -> None:
    """A receiver that answers with a way to another address has answered, and failed."""
    name_server(["127.0.0.1"])
    receiver.behave = lambda _count: 307
    receiver.answer_headers["Location"] = f"http://127.0.0.1:{receiver.port}/secret"
    result = await post(AddressGuard(networks(["127.0.0.0/8"])), receiver.port)
    assert not result.delivered
    assert [got.path for got in receiver.got] == ["/hook"]
