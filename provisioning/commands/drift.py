"""``provision drift``: was anything changed at livekit-server by another hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.commands.frame import Screen, line_at, read, service_for
from provisioning.drift import find_drift
from provisioning.views.drift import drift_view

if TYPE_CHECKING:
    from pathlib import Path

DRIFT_FOUND = 3


async def drift(screen: Screen, config: Path, folder: Path | None) -> int:
    """Compare; 3 when there is drift."""
    loaded = read(config, screen, line=line_at(folder))
    async with service_for(loaded) as service:
        found = find_drift(loaded.config, await service.list_all())
    screen.show(drift_view(loaded, found))
    screen.give({"line": loaded.config.line, "server": loaded.config.livekit.url, **found.to_json()})
    return DRIFT_FOUND if found.found else 0
