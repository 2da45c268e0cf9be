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

MarkName = Literal["heard", "spoke"]
"""``heard``: the first loud frame after a silence reached the recogniser; ``spoke``: the voice gave its
first samples to the session."""


def mark(name: MarkName) -> None:
    """Append one mark; nothing where no measurement runs."""
    path = os.environ.get(VARIABLE)
    if path:
        line = json.dumps({"mark": name, "at": time.monotonic()}) + "\n"
        with Path(path).open("a") as file:
            file.write(line)


def read_marks(path: Path, name: MarkName) -> list[float]:
    """The instants of one kind, in seconds of the monotonic clock."""
    if not path.exists():
        return []
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [line["at"] for line in lines if line["mark"] == name]
