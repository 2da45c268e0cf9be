"""When is a caller's turn over? Sooner than after fixed silence, at no more false ends, in virtual time.

Sentences with a pause of 100 to 1500 ms inside and a person's telephone prompts, Russian and English, said
to a real session that listens: once as an assistant ends turns by default, once after 300 ms of silence
whatever was said. Both have the same detector, recogniser and audio.

    .venv/bin/python -m bench.endpointing              # exit code 1 where a promise is broken
    .venv/bin/python -m bench.endpointing --quick      # every seventh utterance
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from bench.endpointing.corpus import LANGUAGES, PACKAGES, prompts, rendered
from bench.endpointing.trial import FIXED_MS, listen
from bench.figures import Report, arguments
from bench.virtual_time import run_virtually
from telephony import logs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.endpointing.corpus import Utterance
    from bench.endpointing.trial import Ended

SOONER_MS = 100.0


async def _both(utterances: Sequence[Utterance]) -> list[tuple[Ended, Ended]]:
    return [(await listen(each, fixed=False), await listen(each, fixed=True)) for each in utterances]


def tell(report: Report, name: str, pairs: Sequence[tuple[Ended, Ended]], *, judged: bool = True) -> None:
    """The figures of some utterances, each ended by both."""
    ours = [one.decided_ms for one, _ in pairs if one.decided_ms is not None]
    fixed = [other.decided_ms for _, other in pairs if other.decided_ms is not None]
    report.figure(f"{name}: end of turn decided after", "ms", ours)
    report.figure(f"{name}: the same, {FIXED_MS} ms of silence", "ms", fixed)
    if ours and fixed:
        sooner = statistics.median(fixed) - statistics.median(ours)
        report.figure(f"{name}: sooner, medians", "ms", [sooner], at_least=True)
        report.figures[-1].target = SOONER_MS if judged else None
    cut, cut_fixed = (sum(pair[which].cut_off for pair in pairs) for which in (0, 1))
    report.figure(f"{name}: cut off, of {len(pairs)}", "", [float(cut)])
    report.figures[-1].target = float(cut_fixed) if judged else None
    missing = sum(one.decided_ms is None and not one.cut_off for one, _ in pairs)
    report.figure(f"{name}: never decided", "", [float(missing)], target=0.0)


def measure(options: Any) -> Report:
    """Say everything to both."""
    report = Report("End of turn, in virtual time")
    step = options.each
    for language in options.languages.split(","):
        spoken = rendered(language, each=step)
        human = prompts(language, options.prompts)[::step]
        if not human:
            report.notes.append(f"no prompts in {language}: install {PACKAGES[language]}")
        whole = []
        for name, utterances in (("rendered", spoken), ("prompts", human)):
            if not utterances:
                continue
            pairs = run_virtually(_both(utterances))
            whole += pairs
            if options.verbose:
                for one, other in pairs:
                    told = f"{one.cut_off} {one.decided_ms} | {other.cut_off} {other.decided_ms}"
                    sys.stderr.write(f"{told} {one.utterance.name} {one.at_s}\n")
            tell(report, f"{language}, {name}", pairs, judged=not human)
        if human:
            tell(report, f"{language}, both", whole)
    return report


def main() -> int:
    """Run the measurement and print its table."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--languages", default=",".join(LANGUAGES))
    parser.add_argument("--prompts", type=int, default=60, help="of each language")
    parser.add_argument("--each", type=int, default=1, help="only every so many-th utterance")
    parser.add_argument("--verbose", action="store_true", help="print each utterance")
    options = parser.parse_args()
    if options.quick:
        options.each = 7
    logs.configure("ERROR")
    return measure(options).show(as_json=options.as_json)


if __name__ == "__main__":
    sys.exit(main())
