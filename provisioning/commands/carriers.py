"""``provision carriers``: what is known of each carrier, how sure it is, and what to ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.carriers.pack import all_packs, load_pack
from provisioning.config import load_config
from provisioning.views.carriers import carrier_view, carriers_view
from telephony.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from provisioning.commands.frame import Screen


async def carriers(screen: Screen, name: str | None, config: Path) -> int:
    """List all, or show one, and which trunks of the file use it."""
    packs = all_packs() if name is None else [load_pack(name)]
    used = _used(config)
    screen.show(carriers_view(packs, used) if name is None else carrier_view(packs[0], used.get(name, [])))
    screen.give(
        {
            "carriers": [pack.model_dump(mode="json") for pack in packs],
            "used_by": {pack.id: used.get(pack.id, []) for pack in packs},
        }
    )
    return 0


def _used(config: Path) -> dict[str, list[str]]:
    """Carrier to the names of its trunks; facts are shown beside a file that is wrong, too."""
    try:
        trunks = load_config(config).sip_trunks
    except ConfigError:
        return {}
    names: dict[str, list[str]] = {}
    for trunk in trunks:
        names.setdefault(trunk.carrier, []).append(trunk.name)
    return names
