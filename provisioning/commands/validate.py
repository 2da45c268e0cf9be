"""``provision validate``: is the file right, and what does not happen as written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.commands.frame import Screen, read
from provisioning.refusals import open_trunks
from provisioning.views.words import BAD, GOOD, WARN, counted, line

if TYPE_CHECKING:
    from pathlib import Path


async def validate(screen: Screen, config: Path) -> int:
    """Read the file, print its notes; 0 even with notes."""
    loaded = read(config, screen)
    refusals = open_trunks(loaded.config)
    screen.give(
        {
            "file": str(loaded.file),
            "valid": True,
            "warnings": [note.to_json() for note in loaded.notes],
            "apply_refuses": [problem.to_json() for problem in refusals],
        }
    )
    for note in loaded.notes:
        where = f"{loaded.file}:{note.position}: " if note.position else ""
        screen.show([line(("warning: ", WARN), where, note.message)])
        if note.fix:
            screen.show([line("    ", note.fix)])
    trunks, rules = len(loaded.config.sip_trunks), len(loaded.config.routing.inbound_rules)
    content = f"{counted(trunks, 'trunk')}, {counted(rules, 'rule')}, {counted(len(loaded.notes), 'warning')}"
    screen.show([line((f"{loaded.file} is valid", GOOD), f": {content}.")])
    if refusals:
        screen.show([line(("apply would refuse it", BAD), " until the open trunks above are closed.")])
    return 0
