"""Calls out through all parts: asked for over the api, seen by the far end, told by the record."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import pytest_asyncio
from typer.testing import CliRunner

from telephony.audio.wav import read_wav
from telephony.cli import app, mount
from telephony.errors import TrunklineError
from telephony.speech.client import SpeechClient
from tests.bridge.called_phone import CalledPhone
from tests.caller.test_baresip import baresip
from tests.caller.test_sipp import sipp
from tests.caller.witness import free_sip_port, program, require
from tests.e2e.answerer import Answerer
from tests.e2e.fire import Fire
from tests.e2e.outbound import OutboundLine, outbound_line, trunk
from tests.waiting import limit, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from telephony.audio.frame import Samples
    from tests.bridge.called_phone import CalledLeg

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

AREA = "+1212555"
HOW: dict[str, int | str] = {
    "1302": 302,
    "1403": 403,
    "1404": 404,
    "1480": 480,
    "1484": 484,
    "1486": 486,
    "1487": 487,
    "1488": 488,
    "1503": 503,
    "1600": 600,
    "1603": 603,
    "1183": "early",
    "1200": "answer_and_go",
    "1000": "silent",
    "1180": "ring",
}
"""By the last digits of a number: what the carrier does with a call to it."""

BECOMES: dict[str, tuple[str, str, int | None]] = {
    "1302": ("failed", "redirected", 302),
    "1403": ("rejected", "forbids", 403),
    "1404": ("invalid_number", "does not exist", 404),
    "1480": ("unreachable", "out of reach", 480),
    "1484": ("invalid_number", "not complete", 484),
    "1486": ("busy", "busy", 486),
    "1487": ("cancelled", "called off", 487),
    "1488": ("failed", "codecs", 488),
    "1503": ("failed", "could not complete", 503),
    "1600": ("busy", "busy", 600),
    "1603": ("rejected", "declined", 603),
    "1183": ("answered", "hung up", 200),
    "1200": ("answered", "hung up", 200),
    "1000": ("failed", "did not respond", None),
    "1180": ("no_answer", "ring time", None),
}
"""Outcome, words of the sentence, and the carrier's own status where it gave one."""


@dataclass
class Places:
    """The line, and who is called over it."""

    line: OutboundLine
    carrier: Answerer
    person: CalledPhone
    locked: CalledPhone
    sipp_port: int
    baresip_folder: Path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def places(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Places]:
    """The sample line, allowed to call out, with trunks to everybody whom the tests call."""
    carrier = Answerer(lambda number: HOW.get(number[-4:], "answer"))
    person, locked = CalledPhone(), CalledPhone(username="trunk", password="secret")
    sipp_port, folder = free_sip_port(), tmp_path_factory.mktemp("baresip")
    async with contextlib.AsyncExitStack() as open_:
        for each in (carrier, person, locked):
            await open_.enter_async_context(each)
        # Where it is missing its own test says so.
        missing = shutil.which("baresip") is None
        quiet = baresip(folder, user=AREA + "6001", amplitude=0.0005)
        baresip_port = 9 if missing else await open_.enter_async_context(quiet)
        trunks = [
            trunk("out", carrier.port),
            trunk("narrow", carrier.port, max_calls=1),
            trunk("person", person.endpoint.port),
            trunk("locked", locked.endpoint.port),
            trunk("keyed", locked.endpoint.port, auth_username="trunk", auth_password="secret"),
            trunk("sipp", sipp_port),
            trunk("baresip", baresip_port),
        ]
        up = outbound_line(tmp_path_factory.mktemp("outbound"), trunks, speech=None, watched=True)
        line = await open_.enter_async_context(up)
        yield Places(line, carrier, person, locked, sipp_port, folder)


async def test_what_a_carrier_answers_is_told_in_the_terms_of_a_business(places: Places) -> None:
    """Every answer a carrier may give has its outcome, its sentence and its own code, and rings once."""
    line = places.line

    async def one(digits: str) -> dict[str, Any]:
        asked = await line.dial(AREA + digits, f"table-{digits}", ringing_timeout_s=6)
        assert asked["state"] == "permitted"
        return await line.ended(asked["id"])

    wanted, made = list(BECOMES), list[dict[str, Any]]()
    for start in range(0, len(wanted), 5):
        made += await asyncio.gather(*(one(digits) for digits in wanted[start : start + 5]))
    for digits, call in zip(wanted, made, strict=True):
        outcome, words, status = BECOMES[digits]
        told = f"{digits}: {call['outcome']}, {call['cause']}, {call['sip_status']}"
        assert call["outcome"] == outcome, told
        assert words in call["cause"], told
        assert status is None or call["sip_status"] == status, told
        assert len(places.carrier.of(AREA + digits).rings) == 1, told


async def test_a_carrier_that_wants_credentials_is_given_them(places: Places) -> None:
    """A challenge is answered where the trunk has a login; else the call fails, and the record says why."""
    without = await places.line.dial(AREA + "2401", trunk="locked")
    call = await places.line.ended(without["id"])
    assert (call["outcome"], call["sip_status"]) == ("failed", 407)
    assert "credentials" in call["cause"]
    assert not places.locked.legs
    given = await places.line.dial(AREA + "2407", trunk="keyed")
    leg = await places.locked.rung(timeout_s=30)
    await leg.answer()
    await asyncio.sleep(0.3)
    await leg.bye()
    assert (await places.line.ended(given["id"]))["outcome"] == "answered"


async def test_a_trunk_never_carries_more_than_its_calls(places: Places) -> None:
    """While its one line is taken another call is told to come back, or waits if it said until when."""
    line = places.line
    first = await line.dial(AREA + "1180", trunk="narrow", ringing_timeout_s=5)
    with pytest.raises(TrunklineError, match="narrow"):
        await line.dial(AREA + "3001", "later", trunk="narrow")
    waiting = await line.dial(AREA + "3002", trunk="narrow", deadline="2099-01-01T00:00:00Z")
    await line.ended(first["id"])
    assert (await line.ended(waiting["id"]))["outcome"] == "answered"
    assert len(places.carrier.of(AREA + "3001").rings) == 0
    assert len(places.carrier.of(AREA + "3002").rings) == 1
    ended, begun = [
        next(each["timestamp"] for each in await line.events(call["id"]) if each["type"] == event_type)
        for call, event_type in ((first, "call.ended"), (waiting, "call.dialling"))
    ]
    assert ended <= begun


async def test_a_ringing_phone_can_be_called_off(places: Places) -> None:
    """Hung up while it rings, the phone gets a CANCEL, and the call was cancelled by an operator."""
    line = places.line
    asked = await line.dial(AREA + "1180")
    seen = places.carrier.of(AREA + "1180")
    await until(lambda: places.carrier.of(AREA + "1180").ends[-1:] == ["ringing"], 30)
    async with line.client() as client:
        assert (await client.send("POST", f"/v1/calls/{asked['id']}/hangup"))["state"] == "ending"
    call = await line.ended(asked["id"])
    assert (call["outcome"], call["ended_by"]) == ("cancelled", "operator")
    await until(lambda: seen.ends[-1:] == ["cancelled"])


def _spoken(leg: CalledLeg, samples: Samples) -> None:
    """Have a telephone say something, once."""

    class Speech:
        def __init__(self) -> None:
            self._at = 0

        def frame(self) -> Samples:
            piece = samples[self._at : self._at + 160]
            self._at += 160
            return np.pad(piece, (0, 160 - len(piece)))

    leg.voice = Speech()  # type: ignore[assignment]


async def test_somebody_is_called_and_talks_with_the_agent(places: Places) -> None:
    """The phone rings, a person says hello, hears the assistant, says goodbye, and both are in the record."""
    line = places.line
    asked = await line.dial(AREA + "4001", trunk="person", data={"name": "Anna"}, metadata={"crm": 7})
    leg = await places.person.rung(timeout_s=30)
    leg.ring()
    async with await SpeechClient.connect(line.line.speech_socket) as speech:
        hello = np.concatenate([piece async for piece in speech.synthesize("Hello?", rate=8000)])
        await asyncio.sleep(0.5)
        await leg.answer()
        _spoken(leg, hello)
        text = ""
        async with limit(60):
            while "riverside" not in text.lower():
                await asyncio.sleep(3.0)
                text = (await speech.transcribe(leg.samples(12.0), 8000)).text
    await leg.bye()
    call = await line.ended(asked["id"])
    assert (call["outcome"], call["ended_by"], call["code"]) == ("answered", "callee", "callee_hung_up")
    assert (call["metadata"], call["assistant"]) == ({"crm": 7}, "reception")
    told = [each["type"] for each in await line.events(asked["id"])]
    milestones = ["call.requested", "call.permitted", "call.dialling", "call.ringing", "call.answered"]
    assert [each for each in told if each in milestones] == milestones
    assert told.count("call.ended") == 1


async def test_livekits_own_example_is_understood(places: Places) -> None:
    """The metadata of LiveKit's outbound example, sent as it is, is a call to its phone_number."""
    async with places.line.client() as client:
        example = {"phone_number": AREA + "5001", "transfer_to": AREA + "5002"}
        asked = await client.send("POST", "/v1/calls", example)
        within = await client.send("POST", "/v1/calls", {"metadata": example})
    for call in (asked, within):
        assert (await places.line.ended(call["id"]))["to_number"] == AREA + "5001"
    assert len(places.carrier.of(AREA + "5001").rings) == 2


async def test_baresip_answers_and_hears_the_greeting(places: Places) -> None:
    """Debian's baresip is called, answers by itself, and what it recorded says who speaks."""
    require("baresip", "baresip-core")
    asked = await places.line.dial(AREA + "6001", trunk="baresip", max_call_duration_s=10)
    call = await places.line.ended(asked["id"])
    assert call["outcome"] == "answered"
    [recorded] = places.baresip_folder.glob("dump-*-dec.wav")
    [samples], rate = read_wav(recorded)
    async with await SpeechClient.connect(places.line.line.speech_socket) as speech:
        heard = await speech.transcribe(np.asarray(samples[: 8 * rate]), rate)
    assert "riverside" in heard.text.lower(), heard.text


async def test_sipp_answers_and_finds_every_message_as_it_expects(
    tmp_path_factory: pytest.TempPathFactory, places: Places
) -> None:
    """sipp is called, rings, answers, and is hung up on; for it every message was right."""
    folder = tmp_path_factory.mktemp("sipp")
    command = sipp("answers.xml", places.sipp_port, "-rtp_echo", "-mp", str(free_sip_port()))
    async with limit(90), program(*command, folder=folder) as process:
        await asyncio.sleep(1.0)
        asked = await places.line.dial(AREA + "6002", trunk="sipp")
        await _answered(places.line, asked["id"])
        async with places.line.client() as client:
            await client.send("POST", f"/v1/calls/{asked['id']}/hangup")
        call = await places.line.ended(asked["id"])
        assert await process.wait() == 0, (folder / "output").read_text(errors="replace")[-2000:]
    assert (call["outcome"], call["ended_by"]) == ("answered", "operator")


async def _answered(line: OutboundLine, call_id: str) -> None:
    async with limit(40), line.client() as client:
        while (await client.get(f"/v1/calls/{call_id}"))["state"] != "answered":
            await asyncio.sleep(0.5)


async def test_the_command_follows_a_call_and_its_code_says_how_it_went(places: Places) -> None:
    """Answered is 0, busy is 4, not allowed is 1; as JSON every event is a line and the call the last one."""
    mount()

    def run(*arguments: str) -> tuple[int, str, str]:
        done = CliRunner().invoke(
            app, ["dial", *arguments, "--data", str(places.line.line.data.root)], env={"COLUMNS": "150"}
        )
        return done.exit_code, done.stdout, done.stderr

    code, told, _ = await asyncio.to_thread(run, AREA + "7001", "--with", "name=Anna")
    assert code == 0, told
    assert "200 OK" in told
    code, told, _ = await asyncio.to_thread(run, AREA + "1486", "--json")
    lines = [json.loads(text) for text in told.splitlines()]
    assert (code, lines[-1]["outcome"], lines[-2]["type"]) == (4, "busy", "call.ended")
    code, _, wrong = await asyncio.to_thread(run, "+79161234567")
    assert code == 1
    assert "outbound.allowed_regions" in wrong


async def test_twenty_requests_under_fire_ring_once_each(places: Places) -> None:
    """Twenty requests, each sent three times by clients that give up, while api and bridge are killed."""
    numbers = [f"{AREA}{8000 + place}" for place in range(20)]
    fire = Fire(places.line, places.carrier, ("api", "bridge"), 2.0, 0.2, random.Random(8))
    shots = await fire.run(numbers, ringing_timeout_s=8)
    assert not [str(shot) for shot in shots if shot.problems]
    assert sum(fire.killed.values()) == 2
    assert sum(shot.outcome == "unknown" for shot in shots) <= 4, [str(shot) for shot in shots]
    assert sum(shot.rings for shot in shots) > 0
