"""What is done about an agent that is late, or silent."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import pytest
from livekit import rtc
from livekit.agents.voice.events import AgentStateChangedEvent, UserStateChangedEvent

from telephony.agent.dead_air import MOST_UNHEARD, SECOND_FILLER_S, SILENT_AGENT_S, DeadAir
from telephony.assistants.rescue import Rescue
from telephony.clock import ManualClock
from telephony.speech.guard.trouble import Trouble

pytestmark = [pytest.mark.component, pytest.mark.asyncio]

AgentState = Literal["initializing", "idle", "listening", "thinking", "speaking"]


class Session(rtc.EventEmitter[str]):
    """The states of a session, and nothing behind them."""

    def __init__(self) -> None:
        super().__init__()
        self.agent_state: AgentState = "listening"
        self.user_state: Literal["speaking", "listening", "away"] = "listening"
        self.current_speech = None

    def agent(self, state: AgentState) -> None:
        old, self.agent_state = self.agent_state, state
        self.emit("agent_state_changed", AgentStateChangedEvent(old_state=old, new_state=state))

    def caller(self, state: Literal["speaking", "listening"]) -> None:
        old, self.user_state = self.user_state, state
        self.emit("user_state_changed", UserStateChangedEvent(old_state=old, new_state=state))


class Phone:
    """Takes clips."""

    busy = False

    def __init__(self) -> None:
        self.said: list[bytes] = []
        self.hushed = 0

    async def say(self, pcm: bytes) -> bool:
        self.said.append(pcm)
        return True

    def hush(self) -> None:
        self.hushed += 1


@dataclass
class Call:
    session: Session = field(default_factory=Session)
    phone: Phone = field(default_factory=Phone)
    clock: ManualClock = field(default_factory=ManualClock)
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    gave_up: list[str] = field(default_factory=list)
    held: bool = False

    def __post_init__(self) -> None:
        self.dead_air = DeadAir(
            cast("Any", self.session),
            cast("Any", self.phone),
            Rescue(fillers=["One moment.", "Nearly there."]),
            str.encode,
            self.clock,
            give_up=self.gave_up.append,
            tell=lambda name, data: self.told.append((name, data)),
            held=lambda: self.held,
        )

    def late(self, stage: Literal["stt", "llm", "tts"]) -> None:
        self.dead_air.trouble(Trouble(stage, "late", "cloud/model"))

    async def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await asyncio.sleep(0)
        await asyncio.sleep(0)


async def test_a_deadline_that_is_missed_is_filled_and_filled_again() -> None:
    """Another text the second time; with the first sound of the agent it is over."""
    call = Call()
    call.session.agent("thinking")
    call.late("llm")
    await call.pass_time(0.0)
    await call.pass_time(SECOND_FILLER_S + 0.1)
    assert call.phone.said == [b"One moment.", b"Nearly there."]
    call.session.agent("speaking")
    await call.pass_time(60.0)
    assert len(call.phone.said) == 2
    assert not call.gave_up


async def test_a_caller_who_speaks_hears_no_filler() -> None:
    """An answer that is late before the turn is complete is filled when the caller begins to wait for it."""
    call = Call()
    call.session.caller("speaking")
    call.late("llm")
    await call.pass_time(1.0)
    assert call.phone.said == []
    call.session.caller("listening")
    call.session.agent("thinking")
    await call.pass_time(1.0)
    assert call.phone.said == [b"One moment."]
    call.session.caller("speaking")
    assert call.phone.hushed == 2


async def test_an_agent_that_falls_silent_is_given_up() -> None:
    """Whatever the reason, nobody waits longer; unless the caller has asked for the silence."""
    call = Call(held=True)
    call.session.agent("thinking")
    await call.pass_time(3 * SILENT_AGENT_S)
    assert call.gave_up == []
    call.held = False
    await call.pass_time(SILENT_AGENT_S)
    assert call.gave_up == ["the agent fell silent"]


async def test_speech_that_nobody_understands_ends_the_call() -> None:
    """Each time a filler, and in the end an apology."""
    call = Call()
    for _ in range(MOST_UNHEARD):
        assert not call.gave_up
        call.late("stt")
        await call.pass_time(0.0)
    assert call.gave_up == ["no recogniser understands the caller"]
    assert [name for name, _ in call.told].count("provider.trouble") == MOST_UNHEARD
