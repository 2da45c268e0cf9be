"""Instants inside the job, written down for measurements: when sound came in, when it went out.

Only the ``timed`` providers write marks, and only where ``TRUNKLINE_MARKS`` names a file. The clock is
the machine's monotonic one, so another process on the same machine can subtract its own instants.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Literal

VARIABLE = "TRUNKLINE_MARKS"

MarkName = Literal["heard", "spoke", "listened"]
"""``heard``: the first loud frame after a silence reached the recogniser; ``spoke``: the voice gave its
first samples to the session; ``listened``: the recogniser has heard the end of some speech."""


def mark(name: MarkName, *, loud_s: float | None = None) -> None:
    """Append one mark; nothing where no measurement runs.

    Args:
        loud_s: of the speech that was listened to, how much was loud.
    """
    path = os.environ.get(VARIABLE)
    if path:
        line = json.dumps({"mark": name, "at": time.monotonic(), "pid": os.getpid(), "loud_s": loud_s}) + "\n"
        with Path(path).open("a") as file:
            file.write(line)


def read_marks(path: Path, name: MarkName) -> list[float]:
    """The instants of one kind, in seconds of the monotonic clock."""
    if not path.exists():
        return []
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [line["at"] for line in lines if line["mark"] == name]


def loud_seconds(path: Path) -> list[float]:
    """How much loud sound the recogniser of each job has heard, in the order of the jobs' first words."""
    if not path.exists():
        return []
    heard: dict[int, float] = {}
    for line in map(json.loads, path.read_text().splitlines()):
        if line["mark"] == "listened":
            heard[line["pid"]] = heard.get(line["pid"], 0.0) + line["loud_s"]
    return list(heard.values())
