"""The simulated person on the other end: it is called, and answers as its script says."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from telephony.audio.detect import dominant_frequency
from telephony.audio.wav import read_wav
from telephony.caller.run import answer_script, run_script
from telephony.caller.script_file import parse_script
from telephony.caller.voice import ToneVoice
from tests.waiting import limit

if TYPE_CHECKING:
    from pathlib import Path

    from telephony.caller.events import CallerEvent
    from telephony.caller.report import CallReport

pytestmark = pytest.mark.component

CALLER = """
name: calls
steps:
  - wait: 1.2
  - hang_up
"""


async def meet(callee: str, *, caller: str = CALLER, **options: Any) -> tuple[CallReport, CallReport]:
    """Let one simulated person call another; the reports of who was called and of who called."""
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def notice(event: CallerEvent) -> None:
        if event.kind == "listening":
            address.set_result(event.text)

    async with limit(30):
        answering = asyncio.create_task(
            answer_script(parse_script(callee), voice=ToneVoice(), on_event=notice, **options)
        )
        called = f"sip:+15550123@{await address}"
        made = await run_script(parse_script(caller), called, voice=ToneVoice())
        return await answering, made


async def test_it_rings_answers_and_beeps(tmp_path: Path) -> None:
    """The call is answered after its ring time, the beep is sent, and the other's hang-up ends it well."""
    callee = """
name: mailbox
settings: {ring_s: 0.3}
steps:
  - beep: {hz: 1400, ms: 300}
  - expect_hang_up
"""
    called, made = await meet(callee, report_dir=tmp_path)
    assert (called.ok, called.ended_by) == (True, "agent"), called.problems
    assert made.ok, made.problems
    assert called.sip_call_id == made.sip_call_id
    assert made.invite_to_answer_ms is not None
    assert made.invite_to_answer_ms >= 300
    (own, _), rate = read_wav(tmp_path / "call.wav")
    loud = own[abs(own) > 1000]
    assert loud.size > 1000
    first = int((abs(own) > 1000).argmax())
    assert dominant_frequency(own[first : first + 1600], rate) == pytest.approx(1400, abs=20)


async def test_it_refuses_as_the_script_says() -> None:
    """The caller learns of the status, and both reports say what happened."""
    callee = "name: busy\nsettings: {ring_s: 0, refuse_with: 486}\nsteps: [hang_up]"
    called, made = await meet(callee)
    assert (called.outcome, made.outcome) == ("refused", "refused")
    assert "486" in made.problems[0].text


async def test_a_caller_who_gives_up_is_noticed() -> None:
    """A CANCEL while it rings ends the wait."""
    callee = "name: slow\nsettings: {ring_s: 20}\nsteps: [hang_up]"
    caller = "name: hasty\nsettings: {answer_within_s: 0.3}\nsteps: [hang_up]"
    called, made = await meet(callee, caller=caller)
    assert (called.outcome, made.outcome) == ("not_answered", "not_answered")


async def test_nobody_calls() -> None:
    """The wait has an end."""
    script = parse_script("name: alone\nsteps: [hang_up]")
    report = await answer_script(script, wait_s=0.2, voice=ToneVoice())
    assert report.outcome == "not_answered"
    assert "Nobody called" in report.problems[0].text
