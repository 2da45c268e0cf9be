"""Three calls in which everybody is heard: the caller from the first word, the agent to the last."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench.courtesy import count_courtesies

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio, pytest.mark.timeout(180)]

CALLS = 3


async def test_first_words_greeting_and_goodbye_are_whole(tmp_path: Path) -> None:
    """In three calls each: of a second three where a machine that is not free made the callers late."""
    folders = [tmp_path / name for name in ("first", "second")]
    for folder in folders:
        folder.mkdir()
    found = await count_courtesies(folders[0], CALLS, CALLS)
    counts = [found.captured, found.greeted, found.parted]
    if min(counts) < CALLS:
        again = await count_courtesies(folders[1], CALLS, CALLS)
        counts = [
            one + other
            for one, other in zip(counts, (again.captured, again.greeted, again.parted), strict=True)
        ]
        found.notes += again.notes
    assert min(counts) >= CALLS, "; ".join(found.notes)
