"""``provision carriers``: what is known of each carrier, how sure it is, and what to ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.carriers.pack import all_packs, load_pack
from provisioning.views.carriers import carrier_view, carriers_view

if TYPE_CHECKING:
    from provisioning.commands.frame import Screen


async def carriers(screen: Screen, name: str | None) -> int:
    """List all, or show one."""
    if name is None:
        packs = all_packs()
        screen.show(carriers_view(packs))
        screen.give({"carriers": [pack.model_dump(mode="json") for pack in packs]})
        return 0
    pack = load_pack(name)
    screen.show(carrier_view(pack))
    screen.give(pack.model_dump(mode="json"))
    return 0
