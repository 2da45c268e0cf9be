"""Samples tried over SIP as `trunkline assistant test --call` tries them: on a line of their own."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from telephony.caller.script_file import load_script
from telephony.workshop.calling import line_for
from telephony.workshop.place import find
from tests.e2e.conftest import what_went_wrong
from tests.e2e.sample import CONFIG

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e


async def tried(name: str, folder: Path) -> None:
    """Make the call of a sample's first script."""
    place = find(name, CONFIG)
    script = load_script(place.scripts()[0])
    async with line_for(place, place.assistant()) as line:
        report, wrong, fields = await line.call(script, folder=folder)
    assert report.ok, what_went_wrong(report)
    assert wrong == []
    assert fields


async def test_a_consultant_on_a_model_that_hears_and_speaks(tmp_path: Path) -> None:
    """Real plugin, simulated model with ears and a voice of its own, a free talk that fills a form."""
    await tried("consultant", tmp_path)


@pytest.mark.skipif(shutil.which("festival") is None, reason="no other Russian voice is understood")
async def test_a_delivery_confirmed_in_russian(tmp_path: Path) -> None:
    """Both sides speak and understand Russian offline."""
    await tried("delivery", tmp_path)
