"""The conversation at the caller's ear: replies, interruptions, courtesy, and what it costs, beside stock.

Real SIP calls on whole lines of this machine, providers of known delay. Our agent on the direct line and
livekit-agents' default one (``bench/stock_agent.py``) on the same bridge are called in turn, so what disturbs
one disturbs the other. Then who has the floor: "uh-huh" and "stop" over long answers; fifty calls whose
first words, greeting and goodbye must be whole; every fault of every provider. What hundreds of
interruptions are taken for is ``bench/interruptions``, when a turn is over ``bench/endpointing``.

    .venv/bin/python bench/conversation.py                       # exit code 1 where a promise is broken
    .venv/bin/python bench/conversation.py --quick               # a few calls of each
    .venv/bin/python bench/conversation.py --sections stock      # one: stock, floor, courtesy, faults
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench.beside_stock import beside_stock
from bench.courtesy import courtesy
from bench.faults import provider_faults
from bench.figures import Report, arguments
from bench.floor import converse
from telephony import logs

SECTIONS = ("stock", "floor", "courtesy", "faults")


async def _measure(options: Any) -> Report:
    report = Report("The conversation, providers of known delay")
    with tempfile.TemporaryDirectory(prefix="trunkline-bench-") as name:
        folder = Path(name)
        for section in options.sections:
            own = folder / section
            own.mkdir()
            match section:
                case "stock":
                    await beside_stock(options, report, own)
                case "floor":
                    await converse(options, report)
                case "courtesy":
                    await courtesy(options, report, own)
                case "faults":
                    await provider_faults(report)
    return report


def main() -> int:
    """Run the measurement and print its table."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--sections", default=",".join(SECTIONS), help="which, with commas")
    parser.add_argument("--rounds", type=int, default=6, help="calls of each agent, in turn")
    parser.add_argument("--turns", type=int, default=4, help="turns, and interruptions, in such a call")
    parser.add_argument("--calls", type=int, default=4, help="calls at once for CPU; 0: none")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long CPU is counted")
    parser.add_argument(
        "--floor-rounds", type=int, default=20, help="pairs of an uh-huh and a stop on each path"
    )
    parser.add_argument("--paths", default="direct,room", help="audio paths of those pairs")
    parser.add_argument("--courtesies", type=int, default=50, help="calls for first words, and for the rest")
    parser.add_argument("--at-once", type=int, default=2, help="of those of each kind, at once")
    parser.add_argument("--verbose", action="store_true", help="print what the calls recorded")
    options = parser.parse_args()
    options.sections = [name for name in options.sections.split(",") if name]
    if unknown := set(options.sections) - set(SECTIONS):
        parser.error(f"no section is called {', '.join(sorted(unknown))}")
    if options.quick:
        options.sections = [name for name in options.sections if name != "faults"]
        options.rounds, options.turns, options.calls = 1, 2, 0
        options.floor_rounds, options.paths, options.courtesies, options.at_once = 1, "direct", 3, 3
    logs.configure("WARNING")
    return asyncio.run(_measure(options)).show(as_json=options.as_json)


if __name__ == "__main__":
    sys.exit(main())
