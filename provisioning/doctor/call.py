"""One simulated call through the line, judged: is it answered, and does somebody speak.

Without a script nothing need be understood, so no speech engine is needed: the caller listens until the agent
has greeted and fallen silent, and hangs up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from provisioning.doctor.finding import Finding, ok, problem, skipped
from telephony.audio.frame import RATE
from telephony.caller.run import run_script
from telephony.caller.script import HangUp, HangUpStep, Script
from telephony.errors import TrunklineError

if TYPE_CHECKING:
    from pathlib import Path

    from provisioning.doctor.patient import Patient
    from telephony.audio.frame import Samples
    from telephony.caller.report import CallReport

_SLOW_ANSWER_MS = 2000.0
_SLOW_GREETING_MS = 2000.0


class _Silence:
    """A voice for scripts in which nothing is said."""

    async def speak(self, text: str) -> Samples:
        return np.zeros(RATE // 10, dtype=np.int16)


async def call(patient: Patient, *, to: str | None, report_dir: Path | None) -> list[Finding]:
    """Call the line's first number, or the SIP URI that was given."""
    uri = to or _first_number(patient)
    if uri is None:
        text = "there is no inbound number, or the SIP port is not known."
        return [skipped("call", text, "Say --line var/line, or --to sip:…")]
    script = Script(
        name="doctor",
        about="Listen to the greeting and hang up.",
        steps=[HangUpStep(hang_up=HangUp(when="after_agent"))],
    )
    try:
        report = await run_script(script, uri, voice=_Silence(), report_dir=report_dir)
    except TrunklineError as error:
        return [problem("call", f"{uri}: {error.message}", error.fix or "")]
    return _judged(uri, report)


def _first_number(patient: Patient) -> str | None:
    numbers = [trunk.numbers[0] for trunk in patient.config.sip_trunks if trunk.is_inbound and trunk.numbers]
    host = patient.config.bridge.listen_ip
    if not numbers or not patient.sip_port:
        return None
    return f"sip:{numbers[0]}@{'127.0.0.1' if host == '0.0.0.0' else host}:{patient.sip_port}"  # noqa: S104


def _judged(uri: str, report: CallReport) -> list[Finding]:
    if not report.ok:
        said = "; ".join(one.text for one in report.problems) or report.cause or report.outcome
        fix = "See calls.rejected above, and the logs of bridge and worker."
        return [problem("call", f"{uri}: {report.outcome}: {said.rstrip('.')}.", fix)]
    answer, greeting = report.invite_to_answer_ms or 0.0, report.answer_to_first_audio_ms or 0.0
    words = f"{uri} answered in {answer:.0f} ms, first audio {greeting:.0f} ms later, then hung up cleanly."
    slow = answer > _SLOW_ANSWER_MS or greeting > _SLOW_GREETING_MS
    if slow:
        fix = "Callers notice two seconds: keep workers warm (agent.idle_processes), see the machine's load."
        return [Finding("call", "warning", words, fix)]
    return [ok("call", words)]
