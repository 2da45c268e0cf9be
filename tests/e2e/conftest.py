"""A whole line for real calls: started once for the module that asks, stopped without a trace."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest_asyncio

from telephony.caller.run import run_script
from telephony.caller.script_file import load_script
from telephony.line.record import events_of, recorded_outcome
from telephony.speech.client import SpeechClient
from tests.e2e.sample import line_of, sample_file

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import pytest

    from telephony.caller.report import CallReport
    from telephony.caller.script import Script
    from telephony.calls.events import Event
    from telephony.line.line import Line, LineInfo

_OURS = ("worker", "bridge", "speech", "supervisor")


@dataclass
class RunningLine:
    """A line that is up, and what tests do with it."""

    line: Line
    info: LineInfo
    load_warnings: Counter[str] = field(default_factory=Counter)
    """How often each load warning came, as the last look at the logs has found."""

    async def call(
        self, script: Script | str, *, to: str | None = None, folder: Path | None = None
    ) -> CallReport:
        """Let the simulated person make one call."""
        loaded = load_script(script) if isinstance(script, str) else script
        async with await SpeechClient.connect(self.line.speech_socket) as speech:
            return await run_script(loaded, to or self.info.sip, speech=speech, report_dir=folder)

    async def outcome(self, report: CallReport) -> str | None:
        """What the record says of a call."""
        return await recorded_outcome(self.line.data.events, report.sip_call_id, wait_s=10)

    def events(self, report: CallReport) -> list[Event]:
        """Everything that was spooled about a call."""
        return events_of(self.line.data.events, report.sip_call_id)

    def troubles(self) -> list[dict[str, Any]]:
        """Every warning and error that our own processes logged so far, but for those of load."""
        found = []
        self.load_warnings.clear()
        for name in _OURS:
            path = self.line.data.logs / f"{name}.log"
            for text in path.read_text().splitlines() if path.exists() else ():
                try:
                    entry = json.loads(text)
                except ValueError:
                    found.append({"log": name, "event": text})
                    continue
                # A busy machine, and nothing of a call; the supervisor's is the caller's own clock.
                if load := entry.get("load_warning"):
                    self.load_warnings[f"{name}: {load}"] += 1
                    continue
                if entry.get("level") not in {"info", "debug"}:
                    found.append({"log": name, **entry})
        return found


def what_went_wrong(report: CallReport) -> str:
    """A failed call in a few lines, for the assertion's message."""
    problems = "; ".join(problem.text for problem in report.problems)
    heard = " | ".join(utterance.text or "?" for utterance in report.utterances)
    return f"{report.outcome}: {report.cause or problems or 'no problem named'}; heard: {heard}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def line(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningLine]:
    """The sample line on free ports."""
    folder = tmp_path_factory.mktemp("line")
    async with line_of(sample_file(folder / "livekit-sip.yaml"), folder / "data") as started:
        yield RunningLine(started, started.info())
