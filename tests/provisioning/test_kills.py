"""An apply that is killed loses nothing, and no caller notices."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tests.provisioning.kills import under_fire

if TYPE_CHECKING:
    from pathlib import Path

    from tests.provisioning.conftest import LiveKit

pytestmark = pytest.mark.component


async def test_killed_applies_are_resumed_and_callers_are_served_meanwhile(
    livekit: LiveKit, tmp_path: Path
) -> None:
    """Killed thrice in the middle, the end is exactly the file's, and no call was refused or strayed."""
    result = await under_fire(livekit, tmp_path, 3, random.Random(20))
    assert result.killed == 3
    assert result.inexact == []
    assert result.failed == []
    assert {len(calls) > 3 for calls in result.calls.values()} == {True}
