"""``provision destroy``: delete every trunk and rule that is ours, and nothing else."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from provisioning.apply import apply_plan
from provisioning.commands.frame import Screen, line_at, read, service_for
from provisioning.lock import ApplyLock
from provisioning.plan import plan_objects
from provisioning.views.plan import plan_view
from provisioning.views.words import BAD, GOOD, WARN, counted, line
from telephony.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


async def destroy(screen: Screen, config: Path, folder: Path | None, *, yes: bool) -> int:
    """Show what would be deleted, ask, delete."""
    loaded = read(config, screen, line=line_at(folder))
    file = loaded.config
    adopted = {trunk.id for trunk in file.sip_trunks} | {rule.id for rule in file.routing.inbound_rules}
    async with (
        service_for(loaded) as service,
        ApplyLock(file.livekit.url, file.redis) as lock,
    ):
        ours = frozenset(object_id for object_id in adopted if object_id)
        plan = plan_objects([], await service.list_all(), file.line, also_ours=ours)
        screen.show(plan_view(loaded, plan, []))
        count = counted(len(plan.deletions), "object")
        if plan.deletions and not yes:
            if screen.as_json or not sys.stdin.isatty():
                raise ConfigError(f"{count} would be deleted.", fix="Say --yes if that is meant.")
            if not typer.confirm(f"Delete {count} of line {file.line}?", default=False):
                screen.aside("nothing was deleted", WARN)
                return 1
        result = await apply_plan(service, plan, lock=lock)
    screen.give({"line": file.line, "server": file.livekit.url, **result.to_json()})
    if result.writes:
        screen.show([line((f"Deleted {count}.", GOOD))])
        screen.say(f"Calls to line {file.line} no longer get through.", BAD)
    return 0
