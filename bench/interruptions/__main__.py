"""Who keeps the floor: hundreds of interruptions of a real session, in virtual time.

Backchannels, answers, stops, requests for a moment, sentences, coughs and noise, in Russian and English, in
several voices, on a clean line, with 2 % of packets lost and with jitter, each through the line's jitter
buffer, its detector, an AgentSession and the interrupt handler. (a) With a recogniser that tells the true
words 150 to 400 ms late and one in ten of them wrong; (b) with the offline recogniser (English), and with
none, where loudness and length decide alone: shown without a target.

    .venv/bin/python -m bench.interruptions              # exit code 1 where a promise is broken
    .venv/bin/python -m bench.interruptions --quick      # one voice a phrase, (a) alone: about a minute
    .venv/bin/python -m bench.interruptions --tuning     # without what is held out: the only runs to tune on
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from bench.figures import Report, arguments
from bench.interruptions.corpus import KINDS, LANGUAGES, corpus
from bench.interruptions.listeners import offline, wordless
from bench.interruptions.trial import interrupt
from bench.virtual_time import run_virtually
from telephony import logs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from livekit.agents import stt

    from bench.interruptions.corpus import Interruption
    from bench.interruptions.trial import Outcome

ENDED_PERCENT = 5.0
HONOURED_PERCENT = 98.0
RESUMED_MS = 700.0

_HARMLESS = ("backchannels", "coughs", "noise")


def tell(report: Report, name: str, outcomes: Sequence[Outcome], *, judged: bool) -> None:
    """The figures of some outcomes of one language."""
    for kind in KINDS:
        of_kind = [each for each in outcomes if each.interruption.kind == kind]
        if not of_kind:
            continue
        if kind in _HARMLESS:
            share = _percent([each.ended for each in of_kind])
            target = ENDED_PERCENT if judged else None
            report.figure(
                f"{name}: {kind} that end the utterance (of {len(of_kind)})", "%", [share], target=target
            )
            resumed = [each.resumed_ms for each in of_kind if each.resumed_ms is not None]
            report.figure(
                f"{name}: {kind}, their end → agent goes on",
                "ms",
                resumed,
                target=RESUMED_MS if judged else None,
                judged="p95",
            )
            continue
        report.figure(
            f"{name}: {kind} understood (of {len(of_kind)})",
            "%",
            [_percent([each.right for each in of_kind])],
            target=HONOURED_PERCENT if judged and kind == "stops" else None,
            at_least=True,
        )
        if kind in ("stops", "speech"):
            paused = [each.paused_ms for each in of_kind if each.paused_ms is not None]
            report.figure(f"{name}: {kind}, their beginning → last agent packet", "ms", paused)


def _tell_often(report: Report, name: str, outcomes: Sequence[Outcome]) -> None:
    """What is judged by its words, with other errors each time: how much of the figures above is luck."""
    for part, held_out in (("", False), (", held out", True)):
        for kind in ("backchannels", "stops"):
            right = [
                each.right
                for each in outcomes
                if each.interruption.kind == kind and (each.interruption.held_out or not held_out)
            ]
            what = f"{name}{part}: {kind} understood (of {len(right)})"
            report.figure(what, "%", [_percent(right)] if right else [])


def _line(outcome: Outcome) -> str:
    what = outcome.interruption
    return (
        f"{what.language} {what.kind} {what.text!r} as {outcome.heard!r} by {what.voice}, {what.network}: "
        f"ended={outcome.ended} resumed={outcome.resumed_ms} turn={outcome.turn!r} {outcome.decisions}\n"
    )


def _percent(found: list[bool]) -> float:
    return 100 * sum(found) / max(1, len(found))


async def _all(
    interruptions: Sequence[Interruption], recogniser: Callable[[str], stt.STT[Any]] | None, *, verbose: bool
) -> list[Outcome]:
    outcomes = []
    for interruption in interruptions:
        outcome = await interrupt(interruption, recogniser)
        outcomes.append(outcome)
        slow = outcome.resumed_ms is not None and outcome.resumed_ms > RESUMED_MS
        if verbose and (slow or not outcome.right):
            sys.stderr.write(_line(outcome))
        # What a session leaves behind is let go before the next.
        await asyncio.sleep(0)
    return outcomes


def measure(options: Any) -> Report:
    """Run the corpus, or what the options leave of it."""
    report = Report("Interruptions of a real session, in virtual time")
    whole = corpus(options.languages, voices_a_phrase=options.voices, draws=options.draws)
    chosen = [each for each in whole if not (options.tuning and each.held_out)]
    ways: dict[str, Callable[[str], stt.STT[Any]] | None] = {"words": None}
    if not options.words_only:
        ways |= {"offline": offline(), "no words": wordless}
    for way, recogniser in ways.items():
        for language in options.languages:
            if way == "offline" and language != "en":
                report.notes.append(f"no offline recogniser understands {language}")
                continue
            if recogniser is None and way == "offline":
                report.notes.append("the offline recogniser is not installed")
                continue
            mine = [
                each for each in chosen if each.language == language and (way == "words" or not each.again)
            ]
            outcomes = run_virtually(_all(mine, recogniser, verbose=options.verbose))
            once = [each for each in outcomes if not each.interruption.again]
            tell(report, f"{language}, {way}", once, judged=way == "words")
            if way != "words":
                continue
            if held_out := [each for each in once if each.interruption.held_out]:
                tell(report, f"{language}, {way}, held out", held_out, judged=True)
            if options.draws > 1:
                _tell_often(report, f"{language}, said {options.draws} times", outcomes)
    held = sum(each.held_out for each in chosen)
    report.notes.append(f"{len(chosen)} interruptions, {held} of a phrase or voice that nothing was tuned on")
    return report


def main() -> int:
    """Run the measurement and print its table."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--voices", type=int, default=3, help="voices that each phrase is spoken in")
    parser.add_argument("--draws", type=int, default=5, help="times that each backchannel and stop is said")
    parser.add_argument("--languages", default=",".join(LANGUAGES))
    parser.add_argument("--words-only", action="store_true", help="(a) alone")
    parser.add_argument("--tuning", action="store_true", help="leave out what is held out")
    parser.add_argument("--verbose", action="store_true", help="print what went wrong")
    options = parser.parse_args()
    options.languages = tuple(options.languages.split(","))
    if options.quick:
        options.voices, options.draws, options.words_only = 1, 1, True
    logs.configure("ERROR")
    return measure(options).show(as_json=options.as_json)


if __name__ == "__main__":
    sys.exit(main())
