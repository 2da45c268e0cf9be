"""What failed beside other tests, twice more by itself.

Calls are judged by ear and by the clock, several at a time on as little as two cores, and a machine that was
busy elsewhere may spoil one. A test that fails is not forgiven for that: it must then pass twice in a
row with the machine to itself, and is named either way. More than a few failures are no accident, and count.

    .venv/bin/python -m tests.again        # after a run of pytest that failed
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path

ROUNDS = 2
AT_MOST = 6
"""Failures that a busy machine may be the reason of."""
_FAILED = Path(__file__).parent.parent / ".pytest_cache" / "v" / "cache" / "lastfailed"


def main() -> int:
    """Run them, those of one file together; 0 when each passed each time.

    Returns:
        the exit code: 0, or 1 where one failed again, nothing is known to have failed, or too much has.
    """
    failed = sorted(json.loads(_FAILED.read_text())) if _FAILED.exists() else []
    if not failed or len(failed) > AT_MOST:
        _say(f"{len(failed)} failed; none of them is tried again")
        return 1
    _say("\n  ".join((f"tried again, {ROUNDS} times each and nothing beside it:", *failed)))
    pytest = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    lost: set[str] = set()
    for _, of_file in itertools.groupby(failed, lambda test: test.partition("::")[0]):
        tests = list(of_file)
        if any(subprocess.run([*pytest, *tests], check=False).returncode for _ in range(ROUNDS)):
            lost.update(tests)
    for test in failed:
        _say(f"{'FAILED again' if test in lost else 'failed beside others, passed by itself'}: {test}")
    return 1 if lost else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
