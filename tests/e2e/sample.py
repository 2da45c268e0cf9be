"""The line that ships, and files of lines that differ from it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from telephony.line.line import Line, LineOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

ROOT = Path(__file__).parent.parent.parent
CONFIG = ROOT / "config" / "livekit-sip.yaml"


def sample() -> dict[str, Any]:
    """What the shipped file says, variables not expanded."""
    content: dict[str, Any] = yaml.safe_load(CONFIG.read_text())
    return content


def sample_file(
    path: Path, *, agent: Mapping[str, Any] | None = None, warm: int | None = 2, **sections: Any
) -> Path:
    """Write the shipped file with other sections.

    Args:
        path: of the file to write.
        agent: keys of this section to change; the rest of it stays.
        warm: how many processes wait for calls; None: as shipped, which many lines at once are too many for.
        sections: take the place of the shipped ones.
    """
    content = sample() | sections
    if warm is not None:
        content["agent"]["idle_processes"] = warm
    content["agent"] |= agent or {}
    path.write_text(yaml.safe_dump(content))
    return path


def a_trunk_each(numbers: Mapping[str, str]) -> dict[str, Any]:
    """The sections ``sip_trunks`` and ``routing`` with a number for each assistant of these names."""
    shipped = sample()
    trunk, rule = shipped["sip_trunks"][0], shipped["routing"]["inbound_rules"][0]
    trunks = [{**trunk, "name": name, "numbers": [number]} for name, number in numbers.items()]
    rules = [{**rule, "name": name, "trunks": [name], "assistant": name} for name in numbers]
    return {"sip_trunks": trunks, "routing": {**shipped["routing"], "inbound_rules": rules}}


@asynccontextmanager
async def line_of(
    config: Path, folder: Path, *, watched: bool = False, **options: Any
) -> AsyncIterator[Line]:
    """The line of a file, on free ports, with its data in a folder.

    Args:
        watched: whether parts that die are started again, as `trunkline up` does.
        options: further ``LineOptions``.
    """
    line = Line(LineOptions(config, folder, sip_port=0, **options))
    await line.start()
    watching = asyncio.create_task(line.watch()) if watched else None
    try:
        yield line
    finally:
        if watching is not None:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        await line.stop()
