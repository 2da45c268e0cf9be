"""What each part of a line is started as: its program, its files, its environment, and when it is ready.

Nothing is started here; see ``supervision.part``.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from telephony.errors import DependencyError
from telephony.line import files
from telephony.line.data import write_private
from telephony.line.languages import engine_languages
from telephony.supervision.part import PartSpec
from telephony.supervision.ready import file_written, http_answers, redis_answers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from provisioning.config import LineConfig
    from telephony.line.data import LineData
    from telephony.line.ports import Ports

LIVEKIT_VERSION = "v1.13.5"


def own_environment(ports: Ports, key: str, secret: str) -> dict[str, str]:
    """By what the file's ``${LIVEKIT_URL:-…}`` and its like see this line's own server, key and bus."""
    return {
        "LIVEKIT_URL": f"ws://127.0.0.1:{ports.livekit}",
        "LIVEKIT_API_KEY": key,
        "LIVEKIT_API_SECRET": secret,
        "REDIS_ADDRESS": f"127.0.0.1:{ports.redis}",
        "REDIS_PASSWORD": "",
    }


@dataclass(slots=True)
class Programs:
    """The parts of one line.

    Attributes:
        config: the operator's file, as read.
        config_file: where it is.
        data: the line's folder, which is open; the parts' files are written to it.
        ports: who listens where.
        own: see ``own_environment``.
        sip_bridge: ``embedded``, ``none``, or ``livekit-sip:PATH``.
    """

    config: LineConfig
    config_file: Path
    data: LineData
    ports: Ports
    own: Mapping[str, str]
    sip_bridge: str

    @property
    def has_dispatcher(self) -> bool:
        """Whether this machine's own dispatcher sends for agents: only our bridge asks it."""
        return self.sip_bridge == "embedded" and self.config.agent.audio_path != "room"

    @property
    def speech_socket(self) -> Path:
        """The speech engine's socket."""
        return self.data.sockets / "speech.sock"

    def redis(self) -> PartSpec:
        """The bus; nothing of it is kept."""
        port = self.ports.redis
        arguments = [
            "--port",
            str(port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
            str(self.data.root),
            "--loglevel",
            "notice",
        ]
        return self._spec("redis", ["redis-server", *arguments], redis_answers("127.0.0.1", port))

    def livekit_server(self) -> PartSpec:
        """LiveKit's own server.

        Raises:
            DependencyError: it has not been built.
        """
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        program = cache / "trunkline" / f"livekit-server-{LIVEKIT_VERSION}" / "livekit-server"
        if not program.exists():
            raise DependencyError(f"livekit-server is not at {program}.", fix="Run scripts/setup run.")
        own = self.own
        text = files.livekit_server(
            self.ports,
            redis=own["REDIS_ADDRESS"],
            api_key=own["LIVEKIT_API_KEY"],
            api_secret=own["LIVEKIT_API_SECRET"],
        )
        file = write_private(self.data.config / "livekit-server.yaml", text)
        spec = self._spec(
            "livekit-server", [str(program), "--config", str(file)], http_answers(self.ports.livekit)
        )
        # Asked politely it looks every 5 s whether somebody is left; by then nobody is, and nothing is kept.
        spec.stop_signal = signal.SIGKILL
        return spec

    def speech_engine(self) -> PartSpec:
        """The offline models."""
        socket_path = self.speech_socket
        ready = self.data.ready / "speech.json"
        arguments = ["--socket", str(socket_path), "--ready-file", str(ready)]
        engine = self.config.speech.engine
        if engine.whisper_folder:
            arguments += ["--whisper-folder", engine.whisper_folder]
        if engine.whisper_sha256:
            arguments += ["--whisper-sha256", engine.whisper_sha256]
        if engine.russian_folder:
            arguments += ["--russian-folder", engine.russian_folder]
        if engine.russian_sha256:
            arguments += ["--russian-sha256", engine.russian_sha256]
        arguments += ["--russian-voice", engine.russian_voice]
        for language in engine_languages(self.config):
            arguments += ["--language", language]
        return self._python("speech", "telephony.speech.engine", arguments, ready)

    def dispatcher(self) -> PartSpec:
        """It sends for agents."""
        ready = self.data.ready / "dispatcher.json"
        arguments = ["--socket", str(self._dispatch_socket), "--port", str(self.ports.dispatch)]
        arguments += ["--agent", self.config.agent.name, "--ready-file", str(ready)]
        arguments += ["--max-calls", str(self.config.agent.max_calls)]
        arguments += ["--log-level", self.config.logging.level]
        return self._python("dispatcher", "telephony.dispatch", arguments, ready)

    def worker(self) -> PartSpec:
        """It takes the calls."""
        ready = self.data.ready / "worker.json"
        return self._python("worker", "telephony.agent", [], ready, stop_timeout_s=15.0)

    def api(self) -> PartSpec:
        """The record of calls over HTTP; it takes over what the other parts spool."""
        ready = self.data.ready / "api.json"
        spec = self._python("api", "telephony.api", [], ready)
        if nice := shutil.which("nice"):
            # A call that is up needs the processors at once; its record can wait a moment.
            spec.argv = [nice, "-n", "3", *spec.argv]
        spec.ready_timeout_s = 90.0
        own = {
            "TRUNKLINE_API_PORT": str(self.ports.api),
            "TRUNKLINE_API_READY_FILE": str(ready),
            "TRUNKLINE_SPOOL": str(self.data.events),
        }
        spec.env = {**spec.env, **own}
        return spec

    def bridge(self) -> PartSpec:
        """SIP on one side, LiveKit on the other."""
        ready = self.data.ready / "bridge.json"
        kind, _, program = self.sip_bridge.partition(":")
        links = files.BridgeLinks(
            ws_url=self.own["LIVEKIT_URL"],
            api_key=self.own["LIVEKIT_API_KEY"],
            api_secret=self.own["LIVEKIT_API_SECRET"],
            redis=self.own["REDIS_ADDRESS"],
            events=self.data.events,
            ready_file=ready,
            dispatch_socket=self._dispatch_socket if self.has_dispatcher else None,
            link_dir=self._links,
            recordings=self._recordings if self._records else None,
        )
        content = files.bridge(self.config, self.ports, links)
        if kind == "livekit-sip":
            write_private(ready, f'{{"sip_port": {content["sip_port"]}}}')
            file = write_private(self.data.config / "livekit-sip.yaml", files.livekit_sip(content))
            return self._spec(
                "livekit-sip", [program, "--config", str(file)], http_answers(self.ports.bridge_health)
            )
        file = write_private(self.data.config / "bridge.yaml", files.yaml_text(content))
        return self._python("bridge", "telephony.bridge", ["--config", str(file)], ready)

    def _python(
        self, name: str, module: str, arguments: list[str], ready: Path, *, stop_timeout_s: float = 10.0
    ) -> PartSpec:
        spec = self._spec(name, [sys.executable, "-m", module, *arguments], file_written(ready))
        spec.before_start = lambda: ready.unlink(missing_ok=True)
        spec.stop_timeout_s = stop_timeout_s
        return spec

    def _spec(self, name: str, argv: list[str], ready: Callable[[], Any]) -> PartSpec:
        return PartSpec(
            name=name,
            argv=argv,
            log_path=self.data.logs / f"{name}.log",
            ready=ready,
            env=self._part_environment(),
        )

    def _part_environment(self) -> Mapping[str, str]:
        direct = {
            "TRUNKLINE_DISPATCH_URL": f"ws://127.0.0.1:{self.ports.dispatch}",
            "TRUNKLINE_LINKS": str(self._links),
        }
        return {
            **self.own,
            **(direct if self.has_dispatcher else {}),
            "TRUNKLINE_CONFIG": str(self.config_file.resolve()),
            "TRUNKLINE_DATA": str(self.data.root),
            "TRUNKLINE_SPEECH_SOCKET": str(self.speech_socket),
            "TRUNKLINE_MAX_CALLS": str(self.config.agent.max_calls),
            "TRUNKLINE_WORKER_PORT": str(self.ports.worker),
            "TRUNKLINE_READY_FILE": str(self.data.ready / "worker.json"),
            "HF_HUB_OFFLINE": "1",
            "PYTHONUNBUFFERED": "1",
        }

    @property
    def _dispatch_socket(self) -> Path:
        return self.data.sockets / "dispatch.sock"

    @property
    def _links(self) -> Path:
        return self.data.sockets / "calls"

    @property
    def _records(self) -> bool:
        return self.config.recording.enabled and self.config.recording.by == "line"

    @property
    def _recordings(self) -> Path:
        # Where telephony.api takes them over from, and jobs leave theirs.
        return self.data.root / "recordings" / "incoming"
