"""The record of calls whose line lost a part: each ends once, for its true reason, and nothing stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.e2e.kills import KillDrill

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def drill(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[KillDrill]:
    """A line of known delays, its parts started again as they die."""
    async with KillDrill(tmp_path_factory.mktemp("drill"), talks_s=2.0) as drill:
        yield drill


@pytest.mark.parametrize("part", ["api", "job", "worker", "bridge"])
async def test_a_call_whose_line_loses_a_part_ends_once_and_truly(drill: KillDrill, part: str) -> None:
    """One final event with a true cause within 30 s; no room, process or dialog is left; no event is lost."""
    trial = await drill.trial(part, after_s=1.0)
    assert not trial.problems, str(trial)
    assert trial.endings == 1


async def test_an_api_that_is_away_misses_nothing(drill: KillDrill) -> None:
    """What happened meanwhile is in the record of the api that comes after it."""
    for trial in await drill.away(3.0, calls=1):
        assert not trial.problems, str(trial)
