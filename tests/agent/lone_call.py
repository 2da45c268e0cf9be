"""A call without a session: its end and the watch on its room are real; what they drive takes notes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from livekit import rtc

from telephony.agent.end_of_call import EndOfCall
from telephony.agent.room_watch import RoomWatch
from telephony.agent.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Callable

    from livekit.agents import JobContext

    from telephony.agent.direct_path import DirectPath
    from telephony.agent.talk import Talk

CALLER = "sip_+15550100199"


class Room(rtc.EventEmitter[str]):
    """A room of which things are told."""

    def __init__(self) -> None:
        super().__init__()
        self.remote_participants: dict[str, Any] = {}

    def come(self, **attributes: str) -> None:
        """The telephone joins."""
        told = {key.replace("_", "."): value for key, value in attributes.items()}
        kind = rtc.ParticipantKind.PARTICIPANT_KIND_SIP
        one = SimpleNamespace(identity=CALLER, kind=kind, attributes=told)
        self.remote_participants[CALLER] = one
        self.emit("participant_connected", one)

    def leave(self, reason: int | None) -> None:
        """The telephone leaves."""
        del self.remote_participants[CALLER]
        self.emit("participant_disconnected", SimpleNamespace(identity=CALLER, disconnect_reason=reason))

    def press(self, digit: str, identity: str = CALLER) -> None:
        """Somebody presses a key."""
        self.emit(
            "sip_dtmf_received", SimpleNamespace(digit=digit, participant=SimpleNamespace(identity=identity))
        )


class Way:
    """The way of a call's audio."""

    drain_s = 0.01

    def __init__(self, done: list[str], *, brings_keys: bool) -> None:
        self.brings_keys = brings_keys
        self.on_hung_up: Callable[[str], None] | None = None
        self.on_lost: Callable[[], None] | None = None
        self._done = done

    def hang_up(self) -> None:
        self._done.append("way hung up")

    def step_aside(self) -> None:
        self._done.append("stepped aside")


class LoneCall:
    """One call without a session.

    Attributes:
        done: what was done to it, in order.
        keys: that the watch has told of.
        answered: how often it has told that the call was answered.
    """

    def __init__(self, *, direct: bool = False, room_fails: bool = False) -> None:
        self.done: list[str] = []
        self.keys: list[str] = []
        self.answered = 0
        self.room = Room()
        self._room_fails = room_fails
        self.tasks = Tasks()
        job = SimpleNamespace(metadata="", id="AJ_1", room=SimpleNamespace(name="room"))
        api = SimpleNamespace(room=SimpleNamespace(delete_room=self._delete_room))
        told = SimpleNamespace(room=self.room, job=job, api=api, shutdown=self._shut_down)
        ctx = cast("JobContext", told)
        self.end = EndOfCall(ctx, self.tasks)
        steps = ("closing", "stop_listening", "close")
        talk = SimpleNamespace(**{step: lambda step=step: self.done.append(step) for step in steps})
        self.end.talk = cast("Talk", talk)
        self.way = Way(self.done, brings_keys=direct)
        path = cast("DirectPath", self.way)
        self.end.follow(path)
        self.watch = RoomWatch(
            ctx, self.end, self.tasks, on_key=self.keys.append, on_answered=self._on_answered
        )
        self.watch.path = path
        self.watch.follow()

    async def joined(self, **attributes: str) -> None:
        """The telephone is there."""
        self.room.come(**attributes)
        await self.watch.await_caller()

    @property
    def how(self) -> tuple[str, str]:
        """How it has ended, or would."""
        return self.end.ending.by, self.end.ending.cause

    async def _delete_room(self, _: object) -> None:
        if self._room_fails:
            raise OSError("unreachable")
        self.done.append("room deleted")

    def _shut_down(self, cause: str) -> None:
        self.done.append(f"shut down: {cause}")

    def _on_answered(self) -> None:
        self.answered += 1
