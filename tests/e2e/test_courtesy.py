"""Everybody is heard, on a whole line: three calls of each kind; fifty are ``bench/conversation.py``'s."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench.courtesy import count_courtesies

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio, pytest.mark.timeout(120)]


async def test_first_words_greeting_and_goodbye_are_whole(tmp_path: Path) -> None:
    """To a frame of 20 ms and to 10 ms of what was sent, with six calls up."""
    found = await count_courtesies(tmp_path, 3, 3)
    assert (found.captured, found.greeted, found.parted) == (3, 3, 3), found.notes
