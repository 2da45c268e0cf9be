"""A finished call, made up: every kind of turn, and sound to draw."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from telephony.audio.tones import sine
from telephony.caller.report import (
    CallReport,
    HeardUtterance,
    Media,
    Pacing,
    Problem,
    SipStep,
    StepResult,
    Turn,
)

if TYPE_CHECKING:
    from telephony.audio.frame import Samples


def example_report() -> CallReport:
    """A call of 24 s that went as scripted."""
    return CallReport(
        script="Booking <an> appointment",
        to="sip:clinic@127.0.0.1:5060",
        started_at="2026-11-21T10:40:01.123Z",
        ok=True,
        outcome="completed",
        ended_by="agent",
        about="A person calls & books.",
        sip_call_id="abc",
        duration_s=24.0,
        invite_to_ringing_ms=8.2,
        invite_to_answer_ms=451.0,
        answer_to_first_audio_ms=132.0,
        greeting_complete=True,
        barge_in_silence_ms=210.0,
        reply_latency_p50_ms=740.0,
        reply_latency_max_ms=1240.0,
        turns=[
            Turn("greeting", heard="Hello.", heard_start_s=0.6, heard_end_s=2.0),
            Turn("say", "Book, please.", 3.0, 4.0, False, "Which day?", 4.74, 8.0, 740.0),
            Turn("press", "2", 9.0, 9.0, False, "We are open", 9.3, 12.21, 300.0),
            Turn("interrupt", "That's all.", 12.0, 13.0, False, "Goodbye.", 14.24, 23.0, 1240.0, 210.0),
            Turn("say", "Bye.", 23.2, 23.5, True),
        ],
        utterances=[
            HeardUtterance(0.6, 2.0, "Hello."),
            HeardUtterance(4.74, 8.0, "Which day?"),
            HeardUtterance(9.3, 12.21, "We are open"),
            HeardUtterance(14.24, 23.0, "Goodbye."),
        ],
        digits=[{"at_s": 9.0, "digits": "2"}],
        media=Media("PCMU", 1200, 1199, 1, 0.08, 0, 0, 4.4, 3),
        pacing=Pacing(0.5, 1.9, 3.1),
        steps=[
            StepResult(1, "expect", "hello", 4, True, 2.5),
            StepResult(2, "say", "Book, please.", 5, True, 4.0),
        ],
        sip=[
            SipStep(0.0, True, "INVITE"),
            SipStep(0.008, False, "180 Ringing"),
            SipStep(0.451, False, "200 OK"),
            SipStep(0.452, True, "ACK"),
            SipStep(23.9, False, "BYE"),
        ],
    )


def failed_report() -> CallReport:
    """The same call, gone wrong in its last step."""
    report = example_report()
    report.ok, report.outcome, report.noisy = False, "expectation_failed", True
    report.problems = [Problem("The agent did not say: <goodbye>.", 23.9, 7, 31)]
    report.steps.append(
        StepResult(3, "expect", "goodbye", 31, False, 23.9, "The agent did not say: <goodbye>.")
    )
    report.gaps_ms_over_60 = [{"at_s": 5.0, "ms": 120.0, "own_ms": 0.0}]
    return report


def example_recordings() -> tuple[Samples, Samples]:
    """What was sent and what was heard in it."""
    caller, agent = np.zeros(24 * 8000, np.int16), np.zeros(24 * 8000, np.int16)
    caller[3 * 8000 : 4 * 8000] = sine(400, 1.0)
    agent[5000:15_000] = sine(300, 1.25)
    return caller, agent
