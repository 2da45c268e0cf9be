"""What the record says of calls whose line was killed under them.

    .venv/bin/python bench/records.py            # 30 kills and an api that is away for a minute, ~12 minutes
    .venv/bin/python bench/records.py --quick    # 6 kills and ten seconds, under two minutes

A whole line is started, watched as ``trunkline up`` watches it, and telephoned. In each call one part, in
turn worker, job, api, livekit-server, bridge and dispatcher, is killed by SIGKILL at a random moment after
the INVITE. Then the api is stopped for a minute during calls, and killed. Every call must have exactly one
end in the record, within 30 s of its end, for the reason that the telephone saw; no room, process or
dialog may be left, and no event that a part wrote down may be missing. Providers answer after known
delays, so no model is loaded.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.figures import Report, arguments
from telephony import logs
from tests.e2e.kills import PARTS, RECORDED_S, KillDrill, Trial

if TYPE_CHECKING:
    from collections.abc import Sequence

_LATEST_S = 3.5
"""A part is killed between the INVITE and so long after it: ringing, greeting, or talk."""


def main(given: Sequence[str] | None = None) -> int:
    """Measure; returns the exit code."""
    parser = arguments("What the record says of calls whose line was killed under them.")
    parser.add_argument("--kills", type=int, help="default: 30, quick 6")
    parser.add_argument("--away", type=float, help="seconds that the api is away; default: 60, quick 10")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--path", choices=["auto", "direct", "room"], default="auto", help="of the audio")
    parser.add_argument("--only", choices=PARTS, help="kill nothing else")
    options = parser.parse_args(given)
    options.kills = options.kills or (6 if options.quick else 30)
    options.away = options.away if options.away is not None else (10.0 if options.quick else 60.0)
    logs.configure("ERROR")
    return asyncio.run(_measure(options)).show(as_json=options.as_json)


async def _measure(options: Any) -> Report:
    report = Report(f"{options.kills} parts killed during calls, seed {options.seed}, audio {options.path}")
    chance = random.Random(options.seed)
    trials: list[Trial] = []
    with tempfile.TemporaryDirectory(prefix="trunkline-bench-") as folder:
        async with KillDrill(Path(folder), audio_path=options.path) as drill:
            for number in range(options.kills):
                part = options.only or PARTS[number % len(PARTS)]
                trial = await drill.trial(part, chance.uniform(0.0, _LATEST_S))
                trials.append(trial)
                sys.stderr.write(f"{number + 1}/{options.kills}  {trial}\n")
            away = await drill.away(options.away, calls=3) if options.away else []
            for trial in away:
                sys.stderr.write(f"api away {options.away:g} s  {trial}\n")
    _figures(report, trials, away)
    return report


def _figures(report: Report, trials: list[Trial], away: list[Trial]) -> None:
    everybody = [*trials, *away]
    report.notes += [str(trial) for trial in everybody if trial.problems]
    known = [trial for trial in trials if trial.saw != "nothing"]
    report.figure("calls with a part killed", "calls", [float(len(trials))])
    report.figure("of them never seen by a part that lived", "calls", [float(len(trials) - len(known))])
    ends = [float(trial.endings) for trial in known]
    report.figure(
        "ends of a call in the record, at least", "ends", ends, target=1, judged="min", at_least=True
    )
    report.figure("ends of a call in the record, at most", "ends", ends, target=1, judged="max")
    late = [trial.recorded_s for trial in known]
    report.figure("end of the call → its end in the record", "s", late, target=RECORDED_S, judged="max")
    wrong = float(sum(bool(trial.problems) for trial in trials))
    report.figure("calls with anything untrue, left or lost", "calls", [wrong], target=0)
    lost = float(sum(bool(trial.problems) for trial in away))
    if away:
        report.figure("calls during the api's absence not whole", "calls", [lost], target=0)


if __name__ == "__main__":
    sys.exit(main())
