"""What the worker and its jobs are told: the process's environment and the operator's file, read once."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from provisioning.config import LineConfig, load_config
from telephony.assistants.pipeline import speech_for
from telephony.errors import ConfigError, LinkError
from telephony.link.listener import is_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telephony.assistants.schema import Assistant

SERVER_URL = "TRUNKLINE_SERVER_URL"
"""Holds livekit-server's address where LIVEKIT_URL is overwritten with the dispatcher's.

livekit-agents exports the address that a worker registers at as LIVEKIT_URL, and jobs would send their
requests to the dispatcher."""

_MAX_PORT = 65535
_MAX_CALLS = 1000


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """The settings of one worker; its jobs read the same.

    Attributes:
        line: the operator's file, or its defaults.
        url: livekit-server, ``TRUNKLINE_SERVER_URL`` or ``LIVEKIT_URL`` before the file.
        dispatch_url: where the worker registers, if not with livekit-server: the machine's dispatcher
            (``TRUNKLINE_DISPATCH_URL``).
        links: the folder of the calls' sockets (``TRUNKLINE_LINKS``).
        api_key: ``LIVEKIT_API_KEY`` before the file.
        api_secret: ``LIVEKIT_API_SECRET`` before the file.
        data: where events, the diary and other records are kept (``TRUNKLINE_DATA``).
        speech_socket: where the speech engine listens (``TRUNKLINE_SPEECH_SOCKET``).
        max_calls: calls at once (``TRUNKLINE_MAX_CALLS`` before the file).
        health_port: where ``/`` answers while the worker lives (``TRUNKLINE_WORKER_PORT``), 0 for any.
        ready_file: written once the worker is registered (``TRUNKLINE_READY_FILE``).
    """

    line: LineConfig = field(default_factory=LineConfig)
    url: str = ""
    dispatch_url: str = ""
    links: Path | None = None
    api_key: str = ""
    api_secret: str = field(default="", repr=False)
    data: Path = Path("var")
    speech_socket: Path | None = None
    max_calls: int = 10
    health_port: int = 0
    ready_file: Path | None = None

    @classmethod
    def from_environment(cls, env: Mapping[str, str] = os.environ) -> AgentSettings:
        """Read the environment and the file that ``TRUNKLINE_CONFIG`` names.

        Raises:
            ConfigError: the file is wrong, or a variable is.
        """
        config = env.get("TRUNKLINE_CONFIG")
        line = load_config(Path(config), env=None if env is os.environ else env) if config else LineConfig()
        secret = line.livekit.api_secret
        return cls(
            line=line,
            url=env.get(SERVER_URL) or env.get("LIVEKIT_URL") or line.livekit.url,
            dispatch_url=env.get("TRUNKLINE_DISPATCH_URL", ""),
            links=_path(env, "TRUNKLINE_LINKS"),
            api_key=env.get("LIVEKIT_API_KEY") or line.livekit.api_key or "",
            api_secret=env.get("LIVEKIT_API_SECRET") or (secret.get_secret_value() if secret else ""),
            data=Path(env.get("TRUNKLINE_DATA") or "var"),
            speech_socket=_path(env, "TRUNKLINE_SPEECH_SOCKET"),
            max_calls=_number(env, "TRUNKLINE_MAX_CALLS", line.agent.max_calls, 1, _MAX_CALLS),
            health_port=_number(env, "TRUNKLINE_WORKER_PORT", 0, 0, _MAX_PORT),
            ready_file=_path(env, "TRUNKLINE_READY_FILE"),
        )

    def require_credentials(self) -> None:
        """Fail in one sentence where the worker could not register.

        Raises:
            ConfigError: the key or its secret is missing.
        """
        for name, value in (("LIVEKIT_API_KEY", self.api_key), ("LIVEKIT_API_SECRET", self.api_secret)):
            if not value:
                raise ConfigError(
                    f"{name} is not set.",
                    field=name,
                    fix="Set it, or livekit.api_key and api_secret in the file.",
                )

    @property
    def assistant_directories(self) -> list[Path]:
        """Where assistants are looked for before the bundled ones."""
        directory = self.line.assistants.directory
        return [Path(directory)] if directory else []

    def for_assistant(self, assistant: Assistant) -> AgentSettings:
        """The same settings with the speech that an assistant wants.

        Raises:
            ConfigError: the line has no such pipeline or voice.
        """
        speech = speech_for(assistant, self.line.speech)
        if speech is self.line.speech:
            return self
        return replace(self, line=self.line.model_copy(update={"speech": speech}))

    def link(self, name: str) -> Path:
        """The socket of a call.

        Raises:
            LinkError: the name is none, or there is no folder of sockets.
        """
        if self.links is None or not is_name(name):
            raise LinkError(f"a job was told of a socket {name!r} that this worker cannot find.")
        return self.links / name

    @property
    def recordings(self) -> Path | None:
        """The folder that calls are recorded to; None where they are not, or not by the line."""
        section = self.line.recording
        if not section.enabled or section.by != "line":
            return None
        return self.data / "recordings" / "incoming"

    @property
    def journals(self) -> Path:
        """The folder of what was said in calls that go on."""
        return self.data / "journals"

    @property
    def editions(self) -> Path:
        """The folder of the assistants' files as calls were led by them."""
        return self.data / "assistants"

    @property
    def events(self) -> Path:
        """The folder of the calls' events."""
        return self.data / "events"


def _path(env: Mapping[str, str], name: str) -> Path | None:
    value = env.get(name)
    return Path(value) if value else None


def _number(env: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = env.get(name)
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise ConfigError(f"{text!r} is not a number from {least} to {most}.", field=name)
    return int(text)
