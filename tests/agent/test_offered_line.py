"""A job for a call out finds the socket that the phone's bridge offers."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from livekit import rtc

from telephony.agent.dialled import dials_out
from telephony.agent.offered_line import offered_link

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.pure

SIP, AGENT = rtc.ParticipantKind.PARTICIPANT_KIND_SIP, rtc.ParticipantKind.PARTICIPANT_KIND_AGENT


class Room:
    """As much of a room as is looked at."""

    def __init__(self) -> None:
        self.remote_participants: dict[str, Any] = {}
        self.listeners: list[Callable[[Any], None]] = []

    def on(self, _: str, listener: Callable[[Any], None]) -> None:
        self.listeners.append(listener)

    def off(self, _: str, listener: Callable[[Any], None]) -> None:
        self.listeners.remove(listener)

    def come(self, kind: int, **attributes: str) -> None:
        """Somebody joins."""
        one = SimpleNamespace(kind=kind, attributes={f"trunkline.{k}": v for k, v in attributes.items()})
        self.remote_participants[str(len(self.remote_participants))] = one
        for listener in self.listeners:
            listener(one)


async def _offered(room: Room, folder: Path, limit_s: float = 0.2) -> str:
    return await offered_link(cast("rtc.Room", room), lambda name: folder / name, limit_s)


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ('{"assistant": "x", "direction": "outbound"}', True),
        ('{"direction": "inbound"}', False),
        ("{}", False),
        ("", False),
        ("[]", False),
        ("nonsense", False),
    ],
)
def test_the_jobs_metadata_says_that_a_call_is_dialled(metadata: str, said: bool) -> None:
    """Anything else is a call that came in."""
    assert dials_out(metadata) is said


async def test_the_phone_names_its_socket(tmp_path: Path) -> None:
    """Whether it is there already or comes later; other participants name none."""
    (tmp_path / "a").touch()
    room = Room()
    room.come(AGENT, link="b")
    waiting = asyncio.create_task(_offered(room, tmp_path, 5.0))
    await asyncio.sleep(0)
    room.come(SIP, link="a")
    assert await waiting == "a"
    assert await _offered(room, tmp_path) == "a"
    assert room.listeners == []


async def test_a_bridge_of_elsewhere_offers_nothing(tmp_path: Path) -> None:
    """No attribute, or a socket that is not on this machine: the room carries the audio."""
    room = Room()
    room.come(SIP)
    assert await _offered(room, tmp_path) == ""
    other = Room()
    other.come(SIP, link="of-another-machine")
    assert await _offered(other, tmp_path) == ""


async def test_a_phone_that_never_comes_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    """Then the session begins in the room."""
    assert await _offered(Room(), tmp_path, 0.05) == ""
