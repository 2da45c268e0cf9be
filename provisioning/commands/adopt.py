"""``provision import``: write trunks and rules that exist already into a file of their own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from provisioning.adopt import as_yaml, entries_for, prove
from provisioning.commands.frame import Screen, line_at, read, service_for
from provisioning.ownership import read_metadata
from provisioning.views.words import DIM, GOOD, WARN, counted, line
from telephony.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from provisioning.adopt import Entries
    from provisioning.objects import Live


async def adopt(screen: Screen, config: Path, folder: Path | None, *, to: Path, line_name: str | None) -> int:
    """Write a file that plans to nothing; livekit-server is only read."""
    loaded = read(config, screen, line=line_at(folder))
    name = line_name or loaded.config.line
    if to.exists():
        raise ConfigError(f"{to} exists already.", fix="Name another file with --to.")
    async with service_for(loaded) as service:
        lives = await service.list_all()
    secrets_folder = f"{to.stem}.secrets"
    entries = entries_for([live for live in lives if _may_adopt(live, name)], secrets_folder=secrets_folder)
    prove(name, entries, lives)
    heading = f"Written by `provision import` from {loaded.config.livekit.url}."
    _write(to, as_yaml(name, entries, heading=heading), entries, to.parent / secrets_folder)
    screen.give(_json(to, entries))
    _tell(screen, to, entries)
    return 0


def _may_adopt(live: Live, line_name: str) -> bool:
    """Nobody's objects, and those of the same line; another line's are not taken."""
    _, mark = read_metadata(live.message.metadata)
    return mark is None or mark.line == line_name


def _write(to: Path, text: str, entries: Entries, folder: Path) -> None:
    try:
        if entries.secrets:
            folder.mkdir(mode=0o700, exist_ok=True)
        for name, secret in entries.secrets.items():
            _write_private(folder / name, secret)
        _write_private(to, text)
    except OSError as error:
        raise ConfigError(f"cannot write {error.filename}: {error.strerror}.") from error


def _write_private(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def _json(to: Path, entries: Entries) -> dict[str, object]:
    return {
        "file": str(to),
        "trunks": [entry["name"] for entry in entries.trunks],
        "rules": [entry["name"] for entry in entries.rules],
        "secrets": len(entries.secrets),
        "left": [
            {"kind": live.kind.value, "id": live.id, "name": live.message.name, "reason": reason}
            for live, reason in entries.left
        ],
    }


def _tell(screen: Screen, to: Path, entries: Entries) -> None:
    what = f"{counted(len(entries.trunks), 'trunk')} and {counted(len(entries.rules), 'rule')}"
    screen.show([line((f"{to} holds {what}", GOOD), "; nothing was changed at LiveKit.")])
    if entries.secrets:
        screen.say(f"Passwords are in {to.stem}.secrets/, readable by you alone. Keep them out of git.", WARN)
    for live, reason in entries.left:
        name = f"{live.kind.word} {live.id} {live.message.name!r}"
        screen.show([line((f"left alone: {name}: ", WARN), f"{reason}.")])
    screen.say(f"`provision plan --config {to}` shows that it changes nothing.", DIM)
