"""``provision plan``: what an apply would change, before it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.commands.frame import Screen, line_at, read, service_for
from provisioning.plan import make_plan
from provisioning.refusals import refusals_of
from provisioning.views.plan import plan_json, plan_view

if TYPE_CHECKING:
    from pathlib import Path


async def plan(screen: Screen, config: Path, folder: Path | None) -> int:
    """Read the file and the server and compare them; 1 when apply would refuse."""
    loaded = read(config, screen, line=line_at(folder), notes=True)
    async with service_for(loaded) as service:
        made = make_plan(loaded.config, await service.list_all())
    refusals = [loaded.placed(problem) for problem in refusals_of(loaded.config, made)]
    screen.show(plan_view(loaded, made, refusals))
    screen.give(plan_json(loaded, made, refusals))
    return 1 if refusals else 0
