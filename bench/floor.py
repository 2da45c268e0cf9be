"""Who has the floor, at the caller's ear: how soon the agent is silent, and how soon it goes on.

A caller with a real voice talks over long answers on a whole line, with providers of known delay: "uh-huh",
after which the agent must go on where it was, and "stop", after which it must be silent and stay so. All
times are those of RTP packets at the phone. Each audio path is a line of its own. Part of
``bench/conversation.py``.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from telephony.audio.wav import read_wav
from telephony.caller.engine import speech_engine
from telephony.caller.run import run_script
from telephony.caller.script_file import parse_script
from telephony.line.line import Line, LineOptions
from telephony.line.record import events_of
from tests.e2e.sample import sample_file

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bench.figures import Report
    from telephony.caller.report import CallReport
    from telephony.calls.events import Event
    from telephony.speech.client import SpeechClient


ANSWER_S = 6.0
INTERIM_MS = 250
ASKED = (
    ("tell me all about it", "and what else is there"),
    ("tell me about the rooms", "and what about the garden"),
    ("I need to hear about the prices", "now tell me about breakfast"),
)
SPEECH: dict[str, Any] = {
    "stt": {
        "provider": "timed",
        "stt_final_ms": 200,
        "interim_ms": INTERIM_MS,
        # Whoever says the same again and again is taken for a machine, and the call ended.
        "texts": [text for asked, more in ASKED for text in (asked, "uh huh", more, "stop")],
    },
    "llm": {"provider": "timed", "llm_ms": 50, "text": "This is a long answer without any question in it."},
    "tts": {"provider": "timed", "tts_ms": 50, "duration_s": ANSWER_S},
    "vad": {"provider": "bundled"},
}
ROUND = """
  - say: {text: Hello., when: after_ms, after_ms: 1500}
  - say: {text: Uh-huh., when: over_agent, after_ms: 1500}
  - wait: 7
  - say: {text: Hello., when: after_ms, after_ms: 100}
  - interrupt: {text: Stop., after_ms: 1500, silent_within_ms: 3000}
  - wait: 2
"""
BARGE_IN_MS = 130
RESUMED_MS = 700

_FRAME = 40
_LOUD = 300


def sounds(samples: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Whether each 5 ms of a recording at 8 kHz is loud."""
    whole = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
    return np.asarray(np.abs(whole.astype(np.int32)).max(axis=1) > _LOUD)


def stopped_ms(agent: NDArray[np.bool_], onset_s: float, *, quiet_ms: float = 100) -> float | None:
    """From an onset to the agent's last sound before it is quiet; None where it never is."""
    at, quiet = round(onset_s * 200), 0
    for place in range(at, min(len(agent), at + 600)):
        quiet = 0 if agent[place] else quiet + 1
        if quiet * 5 >= quiet_ms:
            return max(0.0, (place - quiet + 1 - at) * 5.0)
    return None


def resumed_ms(agent: NDArray[np.bool_], caller: NDArray[np.bool_], onset_s: float) -> float | None:
    """From the end of the caller's sound to the agent's next one; None where it stays silent."""
    first = round(onset_s * 200)
    stop = stopped_ms(agent, onset_s)
    if stop is None:
        return None
    said = np.flatnonzero(caller[first : first + 300])
    ended = first + (int(said[-1]) if len(said) else 0)
    again = np.flatnonzero(agent[first + round(stop / 5) + 4 : first + 800])
    return None if not len(again) else (first + round(stop / 5) + 4 + int(again[0]) - ended) * 5.0


def _config(folder: Path, path: str) -> Path:
    agent = {"audio_path": {"direct": "auto"}.get(path, path)}
    return sample_file(folder / f"{path}.yaml", agent=agent, warm=None, speech=SPEECH)


async def _converse(
    line: Line, to: str, speech: SpeechClient, rounds: int, folder: Path
) -> tuple[CallReport, list[Event]]:
    longest_s = 30 + 25 * rounds
    text = f"name: floor\nsettings: {{max_duration_s: {longest_s}}}\nsteps:\n  - wait: 2\n"
    script = parse_script(text + ROUND * rounds + "  - hang_up\n")
    report = await run_script(script, to, speech=speech, report_dir=folder)
    await asyncio.sleep(1)
    return report, events_of(line.data.events, report.sip_call_id)


def _judge(
    path: str, made: CallReport, events: list[Event], folder: Path, report: Report, asked: int
) -> None:
    (caller, agent), _ = read_wav(next(folder.rglob("*.wav")))
    heard, said = sounds(agent), sounds(caller)
    paused, resumed, stopped = [], [], []
    for turn in made.turns:
        if turn.said_start_s is None:
            continue
        silent = stopped_ms(heard, turn.said_start_s)
        if turn.said == "Uh-huh.":
            paused += [] if silent is None else [silent]
            again = resumed_ms(heard, said, turn.said_start_s)
            resumed += [] if again is None else [again]
        elif turn.action == "interrupt" and silent is not None:
            stopped.append(silent)
    # Through a room the media stack alone takes longer than that.
    at_once_ms = BARGE_IN_MS if path == "direct" else None
    report.figure(f"{path}: stop → last agent packet", "ms", stopped, target=at_once_ms)
    report.figure(f"{path}: uh-huh → agent held", "ms", paused, target=at_once_ms)
    report.figure(f"{path}: uh-huh over → agent speaks on", "ms", resumed, target=RESUMED_MS)
    turns = [event.data for event in events if event.type == "turn.completed"]
    # The first words are talked over by the script.
    cut = sum(bool(turn["interrupted"]) for turn in turns[1:] if turn["who"] == "agent")
    rounds = sum(turn.action == "interrupt" for turn in made.turns)
    wrong = [turn["text"] for turn in turns if turn["who"] == "caller" and turn["text"] in ("uh huh", "stop")]
    report.figure(f"{path}: backchannels and stops that became turns", "", [float(len(wrong))], target=0)
    report.figure(f"{path}: answers cut beyond the stops", "", [float(abs(cut - rounds))], target=0)
    both = float(min(len(paused), len(stopped)))
    report.figure(f"{path}: rounds measured", "", [both], target=asked, at_least=True)
    if not made.ok:
        report.notes.append(f"{path}: {made.cause or [problem.text for problem in made.problems]}")


async def converse(options: Any, report: Report) -> None:
    """Add the figures of each audio path to a report."""
    report.notes.append(
        f"floor: interim words after {INTERIM_MS} ms; the agent's answers last {ANSWER_S:g} s"
    )
    for path in options.paths.split(","):
        with tempfile.TemporaryDirectory(prefix="trunkline-bench-") as name:
            folder = Path(name)
            line = Line(LineOptions(_config(folder, path), folder / "line", sip_port=0))
            info = await line.start()
            try:
                async with speech_engine(None) as speech:
                    await asyncio.sleep(3)
                    call = folder / "call"
                    made, events = await _converse(line, info.sip, speech, options.floor_rounds, call)
                    if options.verbose:
                        for event in events:
                            sys.stderr.write(f"{event.time:%S.%f} {event.type} {event.data}\n")
                    _judge(path, made, events, call, report, options.floor_rounds)
            finally:
                await line.stop()
