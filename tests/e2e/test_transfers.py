"""Handing callers over on a whole line, to an operator's telephone that answers, refuses and presses keys."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import pytest_asyncio

from telephony.audio.detect import dominant_frequency
from telephony.audio.frame import RATE
from telephony.audio.level import dbfs, rms
from telephony.line.record import events_of
from tests.bridge.called_phone import CalledLeg, CalledPhone
from tests.bridge.phone import Phone, PhoneCall, Tone
from tests.e2e.sample import a_trunk_each, line_of, sample_file
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from telephony.audio.frame import Samples
    from telephony.line.line import Line

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

AGENT_HZ, CALLER_HZ, OPERATOR_HZ = 800, 1000, 1600
HIGHEST_NOTE_HZ = 600
"""No note of the music is higher, and no voice lower."""
NUMBERS = {"cold": "+15550100101", "warm": "+15550100102"}
SPEECH = {
    "stt": {"provider": "timed", "stt_final_ms": 200, "text": "Yes, please."},
    "llm": {"provider": "offline"},
    "tts": {"provider": "timed", "tts_ms": 20, "duration_s": 0.8, "tone_hz": AGENT_HZ},
    "vad": {"provider": "bundled"},
}
ASSISTANT = """\
name: NAME
greeting: Hello.
operator: {transfer_to: "TARGET", mode: MODE}
silence: {after_s: 20, prompts: ["Are you there?"], goodbye: "Goodbye."}
not_understood: ["Sorry?"]
time_is_up: Time is up.
tools: [transfer_to_operator, end_call]
flow:
  start: menu
  give_up: bye
  intents: [{phrases: [operator], keys: ["0"], goto: operator}]
  states:
    menu: {kind: choice, ask: What now?, choices: [{phrases: [nothing], goto: bye}]}
    operator:
      kind: tool
      say: One moment, please.
      call: transfer_to_operator
      results:
        - {when: {transferred: true}, say: "{result.text}", goto: bye}
        - {say: "{result.text}", goto: menu}
    bye: {kind: end, say: Goodbye.}
"""


@dataclass
class Desk:
    """A line with an operator behind it, and a caller's telephone."""

    line: Line
    operator: CalledPhone
    phone: Phone

    async def asks_for_operator(self, mode: str) -> PhoneCall:
        """A call whose caller has pressed the key for the operator and heard that he is sent for."""
        port = int(self.line.info().sip.rpartition(":")[2])
        call = await self.phone.call(NUMBERS[mode], port)
        while (await call.final()).status == 503:
            # On a machine that is busy an agent may come too late; a person would call again.
            await asyncio.sleep(0.5)
            call = await self.phone.call(NUMBERS[mode], port)
        await until(lambda: _hears(call.samples(0.2), AGENT_HZ))
        await until(lambda: _quiet(call))
        await call.rtp.send_digits("0")
        return call

    async def rung(self) -> CalledLeg:
        """The operator's telephone rings, once more."""
        known = len(self.operator.legs)
        return await self.operator.rung(known + 1, timeout_s=15)

    def told(self, call: PhoneCall, kind: str) -> list[dict[str, Any]]:
        """Events of one type."""
        events = events_of(self.line.data.events, call.invite.call_id)
        return [event.data for event in events if event.type == kind]

    async def ended(self, call: PhoneCall) -> dict[str, Any]:
        """What the agent says of the call's end."""
        await until(lambda: len(self.told(call, "call.ended")) >= 2, timeout_s=15)
        return next(data for data in self.told(call, "call.ended") if "outcome" in data)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    """One line, two assistants: one refers its callers, one announces them."""
    folder = tmp_path_factory.mktemp("transfers")
    async with AsyncExitStack() as stack:
        operator = await stack.enter_async_context(CalledPhone())
        phone = await stack.enter_async_context(Phone())
        config = _config(folder, operator.address)
        line = await stack.enter_async_context(line_of(config, folder / "data"))
        yield Desk(line, operator, phone)


def _config(folder: Path, operator: str) -> Path:
    (folder / "assistants").mkdir()
    for mode in NUMBERS:
        text = ASSISTANT.replace("NAME", mode).replace("MODE", mode)
        (folder / "assistants" / f"{mode}.yaml").write_text(text.replace("TARGET", f"sip:desk@{operator}"))
    assistants = {"directory": str(folder / "assistants"), "default": "cold"}
    path = folder / "livekit-sip.yaml"
    return sample_file(path, speech=SPEECH, assistants=assistants, **a_trunk_each(NUMBERS))


def _hears(samples: Samples, hertz: int) -> bool:
    return rms(samples) > 300 and abs(dominant_frequency(samples, RATE) - hertz) < 25


def _quiet(call: PhoneCall) -> bool:
    return len(call.heard) > 30 and dbfs(call.samples(0.4)) < -50


def _hears_music(call: PhoneCall) -> bool:
    samples = call.samples(0.4)
    return dbfs(samples) > -35 and dominant_frequency(samples, RATE) < HIGHEST_NOTE_HZ


async def _talk(call: PhoneCall, leg: CalledLeg) -> None:
    """Caller and operator hear each other."""
    call.voice, leg.voice = Tone(CALLER_HZ), Tone(OPERATOR_HZ)
    await until(lambda: _hears(call.samples(0.3), OPERATOR_HZ) and _hears(leg.samples(0.3), CALLER_HZ))


async def test_where_refer_is_refused_a_second_leg_is_dialled(desk: Desk) -> None:
    """REFER gets 405; the caller hears music till the operator answers; the operator's hanging up ends it."""
    ringing = asyncio.create_task(desk.rung())
    call = await desk.asks_for_operator("cold")
    leg = await ringing
    assert call.requests.count("REFER") == 1
    await until(lambda: _hears_music(call))
    await leg.answer()
    await _talk(call, leg)
    await until(lambda: len(desk.told(call, "call.transferred")) == 2)
    refused, joined = desk.told(call, "call.transferred")
    assert (refused["kind"], refused["ok"], refused["sip_status"]) == ("cold", False, 405)
    assert (joined["kind"], joined["ok"], joined["outcome"]) == ("second_leg", True, "completed")
    await leg.bye()
    await call.hung_up()
    assert (await desk.ended(call))["ended_by"] == "operator"


async def test_an_operator_is_told_of_the_caller_first(desk: Desk) -> None:
    """The briefing reaches the operator alone; after "yes" the two hear each other; the caller ends it."""
    ringing = asyncio.create_task(desk.rung())
    call = await desk.asks_for_operator("warm")
    leg = await ringing
    await leg.answer()
    heard_before = len(call.heard)
    await until(lambda: _hears(leg.samples(0.3), AGENT_HZ))
    await until(lambda: dbfs(leg.samples(0.3)) < -50)
    assert _hears_music(call)
    during = call.heard[heard_before:]
    pieces = [np.concatenate(during[at : at + 10]) for at in range(0, len(during), 10)]
    assert len(pieces) > 3
    assert not any(_hears(piece, AGENT_HZ) for piece in pieces)
    leg.voice = Tone(OPERATOR_HZ)
    await asyncio.sleep(0.6)
    leg.voice = None
    await until(lambda: desk.told(call, "call.transferred"))
    assert desk.told(call, "call.transferred")[0] | {"to": ""} == {
        "to": "",
        "kind": "warm",
        "ok": True,
        "outcome": "completed",
    }
    await _talk(call, leg)
    await call.bye()
    await leg.hung_up()
    assert (await desk.ended(call))["ended_by"] == "caller"


async def test_a_busy_operator_brings_the_caller_back(desk: Desk) -> None:
    """486: the music ends, the agent says a sentence, and goes on with the call."""
    ringing = asyncio.create_task(desk.rung())
    call = await desk.asks_for_operator("warm")
    leg = await ringing
    await until(lambda: _hears_music(call))
    leg.refuse(486, "Busy Here")
    await until(lambda: _hears(call.samples(0.3), AGENT_HZ))
    assert desk.told(call, "call.transferred")[0] | {"to": ""} == {
        "to": "",
        "kind": "warm",
        "ok": False,
        "outcome": "busy",
        "cause": "The called party is busy.",
        "sip_status": 486,
    }
    await until(lambda: any("busy" in str(turn["text"]) for turn in desk.told(call, "turn.completed")))
    await call.bye()
    assert (await desk.ended(call))["ended_by"] == "caller"
