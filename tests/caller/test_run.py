"""Whole calls over loopback sockets, against an agent made of tones."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

from telephony.audio.detect import dominant_frequency
from telephony.audio.wav import read_wav
from telephony.caller.run import run_script
from telephony.caller.script_file import parse_script
from telephony.caller.voice import ToneVoice
from telephony.errors import ScriptError, SipParseError
from telephony.sip.digest import Credentials
from tests.caller.tone_agent import (
    DAY,
    GOODBYE,
    GREETING,
    HOURS,
    Sentence,
    ToneAgent,
    ToneRecogniser,
    running,
)
from tests.waiting import limit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from telephony.caller.events import CallerEvent
    from telephony.caller.report import CallReport

pytestmark = pytest.mark.component

BOOKING = """
  - expect: {begins: [hello], all: [riverside clinic]}
  - say: book it
  - expect: which day
"""


async def call(agent: ToneAgent, steps: str, settings: str = "{}", **arguments: Any) -> CallReport:
    script = parse_script(f"name: a call\nsettings: {settings}\nsteps:{steps}")
    given: dict[str, Any] = {"voice": ToneVoice(), "recogniser": ToneRecogniser(), **arguments}
    async with limit(30), running(agent):
        report = await run_script(script, agent.address, **given)
        await settled(agent)
    return report


async def settled(agent: ToneAgent) -> None:
    """Let the last packets of a call arrive."""
    async with limit(5):
        while agent.in_call:
            await asyncio.sleep(0.02)


async def test_a_conversation_goes_as_scripted(tmp_path: Path) -> None:
    """Greeted, understood, answered, keys taken, the agent interrupted, said goodbye to and hung up on."""
    agent = ToneAgent(
        [Sentence(GREETING), Sentence(DAY), Sentence(HOURS, 6.0), Sentence(GOODBYE, 0.5, last=True)]
    )
    seen: list[CallerEvent] = []
    report = await call(
        agent,
        f"""{BOOKING}
  - press: "2"
  - interrupt: {{text: thank you very much, after_ms: 600}}
  - expect_hang_up: {{any: [goodbye]}}
""",
        report_dir=tmp_path / "report",
        on_event=seen.append,
    )
    assert report.problems == []
    assert (report.ok, report.outcome, report.ended_by) == (True, "completed", "agent")
    assert [turn.action for turn in report.turns] == ["greeting", "say", "press", "interrupt"]
    assert [turn.heard for turn in report.turns] == [
        "Hello, Riverside Clinic.",
        "Which day would you like?",
        "We are open from nine to five.",
        "Goodbye.",
    ]
    assert report.greeting_complete is True
    assert report.invite_to_ringing_ms is not None
    assert report.invite_to_answer_ms is not None
    assert 0 <= report.invite_to_ringing_ms <= report.invite_to_answer_ms
    assert report.answer_to_first_audio_ms is not None
    assert report.barge_in_silence_ms is not None
    assert 0 < report.barge_in_silence_ms < 1500
    # The tone agent waits 300 ms; the last speech packet is part of that.
    latency = report.turns[1].reply_latency_ms
    assert latency is not None
    assert 200 < latency < 1500
    assert (agent.digits, agent.ended_by) == ("2", "local")
    assert agent.heard_frequency() == pytest.approx(600, abs=5)
    kinds = [event.kind for event in seen]
    assert kinds[:3] == ["inviting", "ringing", "answered"]
    assert kinds[-1] == "ended"
    assert {"saying", "said", "reply", "heard", "pressed", "interrupted", "barge_in"} <= set(kinds)
    assert [event.at_s for event in seen] == sorted(event.at_s for event in seen)


async def test_the_report_is_written(tmp_path: Path) -> None:
    """JSON, stereo sound with the caller on the left, and a page."""
    agent = ToneAgent([Sentence(GREETING), Sentence(DAY)])
    report = await call(agent, f"{BOOKING}  - hang_up\n", report_dir=tmp_path / "report")
    stored = json.loads((tmp_path / "report" / "report.json").read_text())
    assert stored == json.loads(json.dumps(report.to_json()))
    assert stored["report"] == str(tmp_path / "report")
    (left, right), rate = read_wav(tmp_path / "report" / "call.wav")
    assert rate == 8000
    assert left.size == right.size == round(report.duration_s * 8000)
    said, heard = report.turns[1].said_start_s, report.turns[0].heard_start_s
    assert said is not None
    assert heard is not None
    assert dominant_frequency(left[round(said * 8000) :][:1600]) == pytest.approx(600, abs=5)
    assert dominant_frequency(right[round(heard * 8000) :][:1600]) == pytest.approx(GREETING, abs=5)
    assert "Riverside Clinic" in (tmp_path / "report" / "report.html").read_text()


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
async def test_both_laws_are_spoken(codec: str) -> None:
    """Only the codec of the script is offered, and it carries sound both ways."""
    agent = ToneAgent([Sentence(GREETING), Sentence(DAY)], codec=codec)
    report = await call(agent, f"{BOOKING}  - hang_up\n", f"{{codec: {codec}}}")
    assert report.ok
    assert report.media.codec == codec
    assert report.ended_by == "caller"
    assert agent.ended_by == "remote"
    assert agent.heard_frequency() == pytest.approx(600, abs=5)


async def test_an_agent_that_says_something_else_fails_the_step() -> None:
    """The call is hung up, and the report says what was heard instead, and where in the script."""
    agent = ToneAgent([Sentence(GREETING), Sentence(HOURS)])
    report = await call(
        agent, "\n  - expect: hello\n  - say: book it\n  - expect: {all: [which day], within_s: 2}\n"
    )
    assert (report.ok, report.outcome, report.ended_by) == (False, "expectation_failed", "caller")
    [problem] = report.problems
    assert problem.text == "The agent did not say: which day; it said “We are open from nine to five.”."
    assert (problem.step, problem.line) == (3, 6)
    assert [step.ok for step in report.steps] == [True, True, False]
    assert agent.ended_by == "remote"


async def test_a_line_that_was_not_understood_is_said_again() -> None:
    """A person repeats what was answered with something else."""
    agent = ToneAgent([Sentence(GREETING), Sentence(HOURS), Sentence(DAY)])
    report = await call(
        agent,
        "\n  - expect: hello\n  - say: book it\n  - expect: {all: [which day], repeats: 1}\n  - hang_up\n",
    )
    assert report.ok
    assert [(turn.said, turn.repeated) for turn in report.turns] == [
        ("", False),
        ("book it", False),
        ("book it", True),
    ]


async def test_an_agent_that_does_not_yield_fails_the_interruption() -> None:
    """Going on speaking is a failure, and says for how long was waited."""
    agent = ToneAgent([Sentence(GREETING, 8.0)], yields=False)
    report = await call(agent, "\n  - interrupt: {text: stop, after_ms: 300, silent_within_ms: 500}\n")
    assert report.outcome == "expectation_failed"
    assert "more than 500 ms when interrupted" in report.problems[0].text
    assert report.barge_in_silence_ms is None


async def test_an_agent_that_says_nothing_fails_the_cue() -> None:
    """The deadline of the cue is the end of the wait."""
    report = await call(ToneAgent(), "\n  - say: {text: hello, within_s: 0.5}\n")
    assert report.outcome == "expectation_failed"
    assert report.problems[0].text == "The agent said nothing within 0.5 s."
    assert report.answer_to_first_audio_ms is None


async def test_an_agent_that_hangs_up_early_is_told_of() -> None:
    """Whatever the caller was waiting for, the end of the call ends it."""
    agent = ToneAgent([Sentence(GREETING, last=True)])
    report = await call(agent, f"{BOOKING}")
    assert (report.ok, report.outcome, report.ended_by) == (False, "agent_hung_up", "agent")
    assert report.turns[0].heard == "Hello, Riverside Clinic."


async def test_the_last_words_before_the_hang_up_count() -> None:
    """What was said is known only after the call, and still meets the expectation."""
    agent = ToneAgent([Sentence(GOODBYE, last=True)])
    report = await call(agent, "\n  - expect: goodbye\n")
    assert (report.ok, report.ended_by) == (True, "agent")


async def test_a_call_that_lasts_too_long_is_hung_up() -> None:
    """The longest duration holds for every wait."""
    agent = ToneAgent([Sentence(GREETING)])
    report = await call(agent, "\n  - wait: 20\n", "{max_duration_s: 0.5}")
    assert report.outcome == "failed"
    assert "longer than 0.5 s" in report.problems[0].text
    assert agent.ended_by == "remote"


async def test_a_refusal_is_reported() -> None:
    """With the status and the reason of the answer."""
    report = await call(ToneAgent(refuse=486), BOOKING)
    assert (report.ok, report.outcome, report.ended_by) == (False, "refused", "nobody")
    assert "486 Busy Here" in report.problems[0].text
    assert report.invite_to_answer_ms is None
    assert report.steps == []


async def test_a_call_nobody_answers_is_cancelled() -> None:
    """It rang, and the CANCEL reached the other side before the caller gave up."""
    agent = ToneAgent(answer_after_s=None)
    report = await call(agent, BOOKING, "{answer_within_s: 0.4}")
    assert report.outcome == "not_answered"
    assert report.invite_to_ringing_ms is not None
    assert agent.cancelled
    assert [step.text for step in report.sip] == ["INVITE", "180 Ringing", "CANCEL", "487 Request Terminated"]


async def test_silence_on_the_other_side_is_reported() -> None:
    """An INVITE without any answer ends at its deadline."""
    report = await call(ToneAgent(ring_after_s=None), BOOKING, "{answer_within_s: 0.4}")
    assert report.outcome == "unreachable"
    assert "Nothing answered the INVITE" in report.problems[0].text


async def test_a_port_where_nobody_listens_is_reported() -> None:
    """Whether the system says so or the time runs out, it is a report and no exception."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    script = parse_script("name: a\nsettings: {answer_within_s: 0.5}\nsteps:\n  - hang_up\n")
    report = await run_script(script, f"sip:a@127.0.0.1:{port}", voice=ToneVoice())
    assert report.outcome == "unreachable"


async def test_a_challenge_is_answered() -> None:
    """With the right password the call goes through, without one it is refused 401."""
    agent = ToneAgent([Sentence(GREETING)], password="geheim")
    steps = "\n  - expect: hello\n  - hang_up\n"
    assert (await call(agent, steps, credentials=Credentials("anna", "geheim"))).ok
    without = await call(ToneAgent(password="geheim"), steps)
    assert without.outcome == "refused"
    assert "401" in without.problems[0].text


async def test_a_bad_line_loses_what_it_says() -> None:
    """Losses hit the caller's own packets in their share, duplicates and all, and the call goes on."""
    agent = ToneAgent([Sentence(GREETING), Sentence(DAY)])
    impairment = "{loss: 0.2, jitter_ms: 30, reorder: 0.05, duplicate: 0.05, noise_dbfs: -60}"
    report = await call(agent, f"{BOOKING}  - hang_up\n", f"{{seed: 5, impairment: {impairment}}}")
    assert report.ok
    assert report.media.dropped_on_purpose == pytest.approx(0.2 * (report.media.sent / 0.8), rel=0.5)
    assert report.media.lost == 0


async def test_a_cancelled_run_hangs_up() -> None:
    """Ctrl-C in the middle of a call still sends BYE."""
    agent = ToneAgent([Sentence(GREETING)])
    script = parse_script("name: a\nsteps:\n  - wait: 20\n")
    async with limit(10), running(agent):
        run = asyncio.create_task(run_script(script, agent.address, voice=ToneVoice()))
        while not agent.in_call:
            await asyncio.sleep(0.02)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        await settled(agent)
    assert agent.ended_by == "remote"


async def test_words_cannot_be_expected_without_a_recogniser() -> None:
    """That is said before anybody is called."""
    agent = ToneAgent([Sentence(GREETING)])
    with pytest.raises(ScriptError, match="nothing here understands speech"):
        await call(agent, BOOKING, recogniser=None)
    assert agent.calls == 0


@pytest.mark.parametrize("to", ["clinic", "tel:+15550100100", "sips:a@127.0.0.1"])
async def test_an_address_that_cannot_be_called_is_refused(to: str) -> None:
    """Only sip: addresses can be reached over UDP."""
    script = parse_script("name: a\nsteps:\n  - hang_up\n")
    with pytest.raises(SipParseError):
        await run_script(script, to, voice=ToneVoice())


@pytest.fixture(autouse=True)
async def no_task_stays_behind() -> AsyncIterator[None]:
    """Every call ends with the tasks it began with."""
    before = asyncio.all_tasks()
    yield
    await asyncio.sleep(0)
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    assert left == set()
