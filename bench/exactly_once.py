"""One request, one ring: 200 dial requests under fire, counted at the far end.

A whole line with a SIP carrier of ours behind it that counts. Every call is asked for three times at once
with one Idempotency-Key, by clients of which two give up early and ask again; meanwhile api, worker, bridge
and livekit-server are killed (SIGKILL) at random, one after another. Counted: how often each number rang,
how often each request ended, how many ended as unknown, and whether every other outcome is what the carrier
saw.

    .venv/bin/python bench/exactly_once.py              # about eight minutes; exit code 1 where broken
    .venv/bin/python bench/exactly_once.py --quick      # twenty requests, two kills, under a minute
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.figures import Report, arguments
from telephony import logs
from tests.e2e.answerer import Answerer
from tests.e2e.fire import Fire
from tests.e2e.outbound import outbound_line, trunk

if TYPE_CHECKING:
    from tests.e2e.fire import Shot

_HOW: tuple[int | str, ...] = ("answer", "answer", "slow", "answer", 486, "ring", 603, "answer", 404, 503)
"""What the carrier does with a number, by its last digit."""

_PARTS = ("api", "bridge", "worker", "livekit-server")
_RANG_AT_LEAST = 0.9
"""Of the requests: a line that dials nobody dials nobody twice either."""
_MOST_UNKNOWN = 2
"""For each kill: what was in flight at that moment."""


async def run(*, requests: int, kills: int, every_s: float, seed: int, report: Report) -> list[Shot]:
    """All of it."""
    rng = random.Random(seed)
    parts = [part for _ in range(1 + kills // len(_PARTS)) for part in rng.sample(_PARTS, len(_PARTS))][
        :kills
    ]
    numbers = [f"+1212555{1000 + place}" for place in range(requests)]
    with tempfile.TemporaryDirectory(prefix="exactly-once-") as name:
        async with Answerer(lambda number: _HOW[int(number[-1])]) as carrier:
            trunks = [trunk("out", carrier.port)]
            async with outbound_line(Path(name), trunks, watched=True) as line:
                pace_s = max(0.3, every_s * kills / requests)
                fire = Fire(line, carrier, parts, every_s, pace_s, rng)
                shots = await fire.run(numbers, ringing_timeout_s=8)
    _count(shots, kills, report)
    killed = ", ".join(f"{part} {count}" for part, count in fire.killed.items())
    report.notes.append(f"killed: {killed}; seed {seed}")
    return shots


def _count(shots: list[Shot], kills: int, report: Report) -> None:
    asked = float(sum(shot.asked for shot in shots))
    unknown = sum(shot.outcome == "unknown" for shot in shots)
    report.figure("requests", "calls", [float(len(shots))])
    report.figure("asked for, duplicates and repetitions included", "requests", [asked])
    report.figure(
        "rings of one request", "rings", [float(shot.rings) for shot in shots], target=1, judged="max"
    )
    rang = float(sum(shot.rings > 0 for shot in shots))
    report.figure("requests that rang", "calls", [rang], target=_RANG_AT_LEAST * len(shots), at_least=True)
    report.figure("requests that rang twice", "calls", [float(sum(s.rings > 1 for s in shots))], target=0)
    report.figure(
        "requests with one outcome",
        "calls",
        [float(sum(shot.ends == 1 for shot in shots))],
        target=len(shots),
        at_least=True,
    )
    report.figure("unknown", "calls", [float(unknown)], target=_MOST_UNKNOWN * kills)
    wrong = [shot for shot in shots if shot.problems]
    report.figure("outcomes that are not what the carrier saw", "calls", [float(len(wrong))], target=0)
    outcomes = Counter(f"{shot.outcome or 'none'} ({shot.code})" for shot in shots)
    report.notes.append(", ".join(f"{name} {count}" for name, count in outcomes.most_common()))
    report.notes += [str(shot) for shot in wrong[:20]]


def main() -> int:
    """Measure and report."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--requests", type=int, default=None)
    parser.add_argument("--kills", type=int, default=None)
    parser.add_argument("--seed", type=int, default=None, help="of what is killed when; default: another one")
    options = parser.parse_args()
    logs.configure("ERROR")
    began = time.monotonic()
    report = Report("One request, one ring")
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1_000_000)
    asyncio.run(
        run(
            requests=options.requests or (20 if options.quick else 200),
            kills=options.kills if options.kills is not None else (2 if options.quick else 16),
            every_s=6.0 if options.quick else 20.0,
            seed=seed,
            report=report,
        )
    )
    report.notes.append(f"{time.monotonic() - began:.0f} s in all")
    return report.show(as_json=options.as_json)


if __name__ == "__main__":
    raise SystemExit(main())
