"""A line that ``trunkline up`` runs on this machine, known by its folder.

Its files say where its server, its bus and its bridge are, and with which key: whatever reads them talks to
that line and to no other.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from telephony.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class RunningLine:
    """What a line's folder says.

    Attributes:
        folder: the line's folder, such as ``var/line``.
        url: livekit-server's URL.
        api_key: the line's own key.
        api_secret: its secret.
        redis: host:port.
        bridge: what the bridge said when it was ready; empty while it does not run.
        worker: the same of the agent worker.
    """

    folder: Path
    url: str
    api_key: str
    api_secret: str
    redis: str
    bridge: dict[str, Any]
    worker: dict[str, Any]

    @property
    def environment(self) -> dict[str, str]:
        """What the shipped file's ``${…}`` are for this line."""
        return {
            "LIVEKIT_URL": self.url,
            "LIVEKIT_API_KEY": self.api_key,
            "LIVEKIT_API_SECRET": self.api_secret,
            "REDIS_ADDRESS": self.redis,
            "REDIS_PASSWORD": "",
        }

    @property
    def events(self) -> Path:
        """Where its parts spool what happens to calls."""
        return self.folder / "events"


def running_line(folder: Path) -> RunningLine:
    """Read a line's folder.

    Raises:
        ConfigError: no line was ever started there, or its files cannot be read.
    """
    file = folder / "config" / "livekit-server.yaml"
    try:
        server = yaml.safe_load(file.read_text())
        key, secret = next(iter(server["keys"].items()))
        bound = (server.get("bind_addresses") or ["127.0.0.1"])[0]
        return RunningLine(
            folder=folder,
            url=f"ws://{bound}:{server['port']}",
            api_key=str(key),
            api_secret=str(secret),
            redis=str(server["redis"]["address"]),
            bridge=_ready(folder / "ready" / "bridge.json"),
            worker=_ready(folder / "ready" / "worker.json"),
        )
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError, StopIteration) as error:
        raise ConfigError(
            f"{folder} is not the folder of a line that was started.",
            field="--line",
            fix="`trunkline up` prints its folder (data); by default it is var/line.",
        ) from error


def _ready(path: Path) -> dict[str, Any]:
    try:
        said = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}
