"""``provision destroy``: delete every trunk and rule that is ours, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.apply import ApplyResult, apply_plan
from provisioning.commands.deletions import may_delete
from provisioning.commands.frame import Screen, line_at, read, service_for
from provisioning.lock import ApplyLock
from provisioning.plan import plan_objects
from provisioning.views.plan import plan_view
from provisioning.views.words import BAD, GOOD, counted, line

if TYPE_CHECKING:
    from pathlib import Path


async def destroy(screen: Screen, config: Path, folder: Path | None, *, yes: bool) -> int:
    """Show what would be deleted, ask, delete."""
    loaded = read(config, screen, line=line_at(folder))
    file = loaded.config
    adopted = {trunk.id for trunk in file.sip_trunks} | {rule.id for rule in file.routing.inbound_rules}
    ours = frozenset(object_id for object_id in adopted if object_id)
    async with service_for(loaded) as service:
        plan = plan_objects([], await service.list_all(), file.line, also_ours=ours)
        screen.show(plan_view(loaded, plan, []))
        if not may_delete(screen, plan, yes=yes):
            return 1
        result = ApplyResult()
        if plan.changes:
            async with ApplyLock(service) as lock:
                plan = plan_objects([], await service.list_all(), file.line, also_ours=ours)
                result = await apply_plan(service, plan, lock=lock)
    screen.give({"line": file.line, "server": file.livekit.url, **result.to_json()})
    if result.writes:
        screen.show([line((f"Deleted {counted(result.writes, 'object')}.", GOOD))])
        screen.say(f"Calls to line {file.line} no longer get through.", BAD)
    return 0
