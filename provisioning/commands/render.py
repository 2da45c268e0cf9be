"""``provision render``: what the one file becomes for LiveKit, the bridge, egress and the firewall."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from provisioning.commands.frame import Screen, read
from provisioning.render.files import render_all
from provisioning.render.place import place_of
from provisioning.views.words import DIM, GOOD, STRONG, WARN, line
from telephony.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.text import Text

    from provisioning.render.files import Rendered


async def render(
    screen: Screen,
    config: Path,
    *,
    place: str | None,
    address: str | None,
    to: Path | None,
    only: Sequence[str],
    inline_secrets: bool,
    browsers: bool,
) -> int:
    """Print the files, or write them into a folder; secrets go into files only, never to the screen."""
    loaded = read(config, screen)
    if inline_secrets and to is None:
        raise ConfigError(
            "secrets are written to files only.", field="--inline-secrets", fix="Say --to FOLDER."
        )
    stands = place_of(loaded.config.bridge, place, address)
    rendered = render_all(loaded.config, stands, secrets=inline_secrets, browsers=browsers)
    chosen = [one for one in rendered if not only or one.name in only]
    screen.give(
        {
            "place": stands.kind,
            "files": [
                {
                    "name": one.name,
                    "file": str(to / one.file) if to is not None else None,
                    "sections": list(one.sections),
                    "text": None if inline_secrets else one.text,
                }
                for one in chosen
            ],
        }
    )
    if to is not None:
        _write(chosen, to)
        for one in chosen:
            screen.show(
                [line(("wrote ", GOOD), str(to / one.file), (f"  from {', '.join(one.sections)}", DIM))]
            )
    else:
        for one in chosen:
            screen.show([line((f"# --- {one.file} ({stands.kind})", STRONG)), *_plain(one.text)])
    if not inline_secrets:
        screen.aside(
            "secrets are left to the environment: LIVEKIT_KEYS, LIVEKIT_API_KEY, LIVEKIT_API_SECRET", WARN
        )
        if loaded.config.redis.password is not None:
            screen.aside(
                "Redis's password is in none of them, and LiveKit reads it from its file alone: "
                "say --inline-secrets --to FOLDER, or add it yourself",
                WARN,
            )
    return 0


def _plain(text: str) -> list[Text]:
    return [line(one) for one in text.splitlines()]


def _write(files: Sequence[Rendered], folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for one in files:
            draft = folder / f".{one.file}.new"
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(one.text)
            draft.replace(folder / one.file)
    except OSError as error:
        raise ConfigError(f"cannot write {error.filename}: {error.strerror}.", field="--to") from error
