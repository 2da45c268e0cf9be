"""The demo: a line is started, a simulated person telephones it, the call is shown and judged.

Guarantee: ends with nothing running unless asked to keep the line up, and with exit code 0 only
when every call went as its script says and its record says "answered".
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from telephony.caller.run import run_script
from telephony.caller.script_file import load_script
from telephony.caller.show import show_summary, watcher
from telephony.line.line import Line, LineInfo, LineOptions
from telephony.line.record import recorded_outcome
from telephony.line.up import finished_before, stop_requested
from telephony.speech.client import SpeechClient

if TYPE_CHECKING:
    from telephony.caller.report import CallReport
    from telephony.line.screen import Screen

SAMPLE_SCRIPT = Path(__file__).parent.parent / "caller" / "scripts" / "demo.yaml"
"""The sample conversation, about 45 s long."""

_STOPPED = 130
_RECORD_WAIT_S = 5.0


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What to do: how the line is started, what the person says, how often, and whether the line stays."""

    line: LineOptions
    script: Path | None = None
    calls: int = 1
    keep: bool = False
    as_json: bool = False


async def run_demo(options: DemoOptions, screen: Screen) -> int:
    """Run the demo.

    Returns:
        The exit code: 0 all went well, 1 a call did not, 130 interrupted by a signal.

    Raises:
        ConfigError, StartError, ScriptError: it could not begin; nothing is left running.
    """
    script = load_script(options.script or SAMPLE_SCRIPT)
    stop = stop_requested()
    screen.say("[bold]Starting the line[/bold]")
    line = Line(options.line, on_step=screen.step)
    try:
        starting = asyncio.create_task(line.start())
        if not await finished_before(starting, stop):
            return _STOPPED
        calling = asyncio.create_task(_call(line, starting.result(), script, options, screen))
        if not await finished_before(calling, stop):
            return _STOPPED
        ok = calling.result()
        if options.keep:
            await _stay(line, stop, screen, as_json=options.as_json)
    finally:
        await line.stop()
    return 0 if ok else 1


async def _call(line: Line, info: LineInfo, script: Any, options: DemoOptions, screen: Screen) -> bool:
    ok = True
    for number in range(1, options.calls + 1):
        if options.calls > 1:
            screen.say(f"\n[bold]Call {number} of {options.calls}[/bold]")
        folder = line.data.calls / datetime.now().astimezone().strftime("%Y-%m-%d_%H-%M-%S")
        client = await SpeechClient.connect(line.speech_socket)
        try:
            watch = watcher(screen.console, quiet=screen.quiet)
            report = await run_script(script, info.sip, report_dir=folder, on_event=watch, speech=client)
        finally:
            await client.close()
        outcome = await recorded_outcome(line.data.events, report.sip_call_id, wait_s=_RECORD_WAIT_S)
        if not screen.quiet:
            show_summary(screen.console, report)
        if report.ok and outcome != "answered":
            screen.say(f"[red]The call's record says {outcome or 'nothing'} instead of answered.[/red]")
        good = report.ok and outcome == "answered"
        ok = ok and good
        if options.as_json:
            sys.stdout.write(json.dumps(_verdict(report, outcome, ok=good)) + "\n")
            sys.stdout.flush()
    return ok


def _verdict(report: CallReport, outcome: str | None, *, ok: bool) -> dict[str, Any]:
    """The demo's JSON line; times in ms, measured by the caller on the wire."""
    full = report.to_json()
    names = (
        "invite_to_ringing_ms",
        "invite_to_answer_ms",
        "answer_to_first_audio_ms",
        "turns",
        "barge_in_silence_ms",
        "problems",
    )
    return {
        "ok": ok,
        **{name: full[name] for name in names},
        "outcome": outcome or full["outcome"],
        "report": full["report"],
    }


async def _stay(line: Line, stop: asyncio.Event, screen: Screen, *, as_json: bool) -> None:
    await line.settled()
    info = line.info()
    if as_json:
        sys.stdout.write(json.dumps(info.to_json()) + "\n")
        sys.stdout.flush()
    screen.line_is_up(info)
    watching = asyncio.create_task(line.watch(screen.restarted))
    if await finished_before(watching, stop):
        watching.result()
