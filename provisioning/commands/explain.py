"""``provision explain``: would this call get through, and if not, which field refuses it."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from provisioning.commands.frame import Screen, line_at, read, service_for
from provisioning.explain import explain as explained
from provisioning.ownership import read_metadata
from provisioning.plan import imagined
from provisioning.views.explanation import explanation_view
from telephony.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from provisioning.config import LoadedConfig
    from provisioning.match import Call
    from provisioning.objects import Live


async def explain(
    screen: Screen,
    config: Path,
    folder: Path | None,
    call: Call,
    *,
    request_uri: str,
    pin: str,
    from_file: bool,
) -> int:
    """Explain; 0 when the call gets through, 1 when it does not."""
    try:
        ipaddress.ip_address(call.source_ip)
    except ValueError as error:
        raise ConfigError(
            f"{call.source_ip!r} is not an address.", field="--source", fix="Write it like 203.0.113.7."
        ) from error
    loaded = read(config, screen, line=line_at(folder))
    lives, names, based_on = await _world(loaded, from_file=from_file)
    result = explained(call, lives, names=names, request_uri_user=request_uri, pin=pin)
    screen.show(explanation_view(result, based_on=based_on))
    screen.give({**result.to_json(), "based_on": based_on})
    return 0 if result.verdict in {"accepted", "pin"} else 1


async def _world(loaded: LoadedConfig, *, from_file: bool) -> tuple[list[Live], dict[str, str], str]:
    if from_file:
        lives, names = imagined(loaded.config)
        return lives, names, f"what {loaded.file} asks for"
    async with service_for(loaded) as service:
        lives = await service.list_all()
    names = {}
    for live in lives:
        _, mark = read_metadata(live.message.metadata)
        if mark is not None and mark.line == loaded.config.line:
            names[live.id] = mark.key
    return lives, names, f"the trunks and rules at {loaded.config.livekit.url}"
