"""The line: Redis, livekit-server, speech engine, bridge, worker and api, in order, watched, stopped.

Guarantee: ``start`` either ends with every part ready and the trunks and rules in place, or
raises with the part and the reason and leaves nothing running. While it is up, a part that dies
is started again; one that keeps dying stops the whole with the reason.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import sys
import time
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provisioning.apply import apply_line
from provisioning.config import LineConfig, environment, load_config
from telephony import logs
from telephony.errors import DependencyError, PortTakenError, StartError, TrunklineError
from telephony.line.data import LineData, default_root, write_private
from telephony.line.files import BridgeLinks, Ports, livekit_server, livekit_sip, yaml_text
from telephony.line.files import bridge as bridge_file
from telephony.line.languages import engine_languages
from telephony.supervision.interfaces import require_interface
from telephony.supervision.part import Part, PartSpec, last_words
from telephony.supervision.ports import free_port, free_sip_port, require_free, require_free_sip
from telephony.supervision.ready import file_written, http_answers, read_ready_file, redis_answers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

log = logs.get_logger(__name__)

LIVEKIT_VERSION = "v1.13.5"
_RESTARTS = 5
_RESTART_WINDOW_S = 120.0


@dataclass(frozen=True, slots=True)
class LineOptions:
    """What a line is started with.

    ``sip_port`` None takes the file's, or another free one where that is taken and only this
    machine can call; 0 takes any free one. ``data`` None takes the first free folder below
    ``var/``. ``bridge`` is ``embedded``, ``none``, or ``livekit-sip:PATH`` for a livekit-sip
    executable of one's own. ``api_port`` None starts no api, and what the parts report of calls
    stays in files; 0 gives it any free port. ``waits_for_api`` False lets calls begin before it
    serves: they need it for nothing, and it reads what it missed.
    """

    config: Path = Path("config/livekit-sip.yaml")
    data: Path | None = None
    sip_port: int | None = None
    bridge: str = "embedded"
    api_port: int | None = 0
    waits_for_api: bool = True

    def __post_init__(self) -> None:
        kind, _, path = self.bridge.partition(":")
        if kind not in {"embedded", "none", "livekit-sip"} or (kind == "livekit-sip") != bool(path):
            raise StartError(
                f"unknown bridge {self.bridge!r}.",
                field="--bridge",
                fix="Use embedded, none or livekit-sip:PATH of its executable.",
            )
        if kind == "livekit-sip" and not os.access(path, os.X_OK):
            raise DependencyError(
                f"{path} is not an executable.", field="--bridge", fix="Give livekit-sip's path."
            )


@dataclass(frozen=True, slots=True)
class LineInfo:
    """Where the running line can be reached; the JSON line of ``up --json``."""

    sip: str
    number: str
    api: str | None
    livekit_url: str
    api_key: str
    api_secret_file: str
    redis: str
    data: str
    pids: dict[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


class Line:
    """One machine's phone line."""

    def __init__(self, options: LineOptions, *, on_step: Callable[[str, float], None] | None = None) -> None:
        self.options = options
        self._on_step = on_step or (lambda _name, _seconds: None)
        self.data = LineData((options.data or default_root(Path("var"))).resolve())
        self.config: LineConfig
        self.parts: list[Part] = []
        self._ports: Ports
        self._key = self._secret = ""
        self._environment: dict[str, str] = {}
        self._late: asyncio.Task[None] | None = None

    # -- start ------------------------------------------------------------------------------------

    async def start(self) -> LineInfo:
        """Start everything; see the class for what is promised.

        Raises:
            ConfigError: the operator's file is wrong; nothing was started.
            StartError: a part did not come up; everything is stopped again.
        """
        require_interface()
        self.data.open()
        logs.configure(path=self.data.logs / "supervisor.log")
        try:
            self._prepare()
            await self._start_parts()
        except BaseException:
            await self.stop()
            raise
        return self.info()

    def _prepare(self) -> None:
        self._key, self._secret = self.data.credentials()
        self._ports = self._choose_ports()
        # The file's ${LIVEKIT_URL:-…} and its like see this line's own server, key and bus.
        own = {
            "LIVEKIT_URL": f"ws://127.0.0.1:{self._ports.livekit}",
            "LIVEKIT_API_KEY": self._key,
            "LIVEKIT_API_SECRET": self._secret,
            "REDIS_ADDRESS": f"127.0.0.1:{self._ports.redis}",
            "REDIS_PASSWORD": "",
        }
        self.config = load_config(self.options.config, env={**environment(self.options.config), **own})
        if self.config.agent.audio_path == "direct" and self.options.bridge != "embedded":
            raise StartError(
                f"--bridge {self.options.bridge.partition(':')[0]} carries audio through the room only.",
                field="agent.audio_path",
                fix="Set it to auto or room, or use the embedded bridge.",
            )
        self._environment = own
        self._ports = replace(self._ports, sip=self._sip_port())

    def _sip_port(self) -> int:
        bridge = self.config.bridge
        if self.options.sip_port is not None:
            return require_free_sip(self.options.sip_port, field="--sip-port", address=bridge.listen_ip)
        try:
            return require_free_sip(bridge.sip_port, field="bridge.sip_port", address=bridge.listen_ip)
        except PortTakenError:
            # Another line of this machine has it. A carrier, though, would go on calling the old port.
            if not ip_address(bridge.listen_ip).is_loopback:
                raise
            return free_sip_port()

    def _choose_ports(self) -> Ports:
        tcp, udp = socket.SOCK_STREAM, socket.SOCK_DGRAM
        return Ports(
            redis=free_port(tcp),
            livekit=free_port(tcp),
            livekit_rtc_tcp=free_port(tcp),
            livekit_rtc_udp=free_port(udp),
            worker=free_port(tcp),
            dispatch=free_port(tcp),
            sip=0,
            bridge_health=free_port(tcp),
            api=self._api_port(),
        )

    def _api_port(self) -> int:
        wanted, tcp = self.options.api_port, socket.SOCK_STREAM
        if wanted is None:
            return 0
        return require_free(wanted, field="--api-port", kind=tcp) if wanted else free_port(tcp)

    async def _start_parts(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                if self.config.speech.needs_engine:
                    group.create_task(self._start(self._speech_engine()))
                await self._start(self._redis())
                await self._start(self._livekit_server())
                group.create_task(self._provision())
                if self.has_dispatcher:
                    await self._start(self._dispatcher())
                group.create_task(self._start(self._worker()))
                if self._ports.api and self.options.waits_for_api:
                    group.create_task(self._start(self._api()))
                if self.options.bridge != "none":
                    group.create_task(self._start_bridge())
        except BaseExceptionGroup as failures:
            # One reason is enough for a person; the others are its consequences.
            raise _first_reason(failures) from failures
        if self._ports.api and not self.options.waits_for_api:
            self._late = asyncio.create_task(self._start(self._api(), quietly=True))

    async def settled(self) -> None:
        """Wait for what ``start`` did not wait for.

        Raises:
            StartError: it did not come up.
        """
        if self._late is not None:
            await self._late

    @property
    def has_dispatcher(self) -> bool:
        """Whether this machine's own dispatcher sends for agents: only our bridge asks it."""
        return self.options.bridge == "embedded" and self.config.agent.audio_path != "room"

    async def _start(self, spec: PartSpec, *, quietly: bool = False) -> None:
        part = Part(spec)
        self.parts.append(part)
        seconds = await part.start()
        if not quietly:
            self._on_step(part.name, seconds)

    async def _start_bridge(self) -> None:
        try:
            await self._start(self._bridge())
        except StartError:
            # Another line may have taken the file's port since we looked; then there is a free one.
            port = self._sip_port()
            if port == self._ports.sip or self.options.sip_port is not None:
                raise
            self.parts = [part for part in self.parts if part.pid]
            self._ports = replace(self._ports, sip=port)
            await self._start(self._bridge())

    async def _provision(self) -> None:
        started = time.monotonic()
        await apply_line(
            self.config, url=self._environment["LIVEKIT_URL"], api_key=self._key, api_secret=self._secret
        )
        self._on_step("trunks and rules", time.monotonic() - started)

    # -- the parts --------------------------------------------------------------------------------

    def _redis(self) -> PartSpec:
        port = self._ports.redis
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

    def _livekit_server(self) -> PartSpec:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        program = cache / "trunkline" / f"livekit-server-{LIVEKIT_VERSION}" / "livekit-server"
        if not program.exists():
            raise DependencyError(f"livekit-server is not at {program}.", fix="Run scripts/setup run.")
        text = livekit_server(
            self._ports, redis=self._environment["REDIS_ADDRESS"], api_key=self._key, api_secret=self._secret
        )
        file = write_private(self.data.config / "livekit-server.yaml", text)
        spec = self._spec(
            "livekit-server", [str(program), "--config", str(file)], http_answers(self._ports.livekit)
        )
        # Asked politely it looks every 5 s whether somebody is left; by then nobody is, and nothing is kept.
        spec.stop_signal = signal.SIGKILL
        return spec

    def _speech_engine(self) -> PartSpec:
        socket_path = self.data.sockets / "speech.sock"
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

    def _dispatcher(self) -> PartSpec:
        ready = self.data.ready / "dispatcher.json"
        arguments = ["--socket", str(self._dispatch_socket), "--port", str(self._ports.dispatch)]
        arguments += ["--agent", self.config.agent.name, "--ready-file", str(ready)]
        arguments += ["--max-calls", str(self.config.agent.max_calls)]
        arguments += ["--log-level", self.config.logging.level]
        return self._python("dispatcher", "telephony.dispatch", arguments, ready)

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

    def _worker(self) -> PartSpec:
        ready = self.data.ready / "worker.json"
        return self._python("worker", "telephony.agent", [], ready, stop_timeout_s=15.0)

    def _api(self) -> PartSpec:
        """The record of calls over HTTP; it takes over what the other parts spool."""
        ready = self.data.ready / "api.json"
        spec = self._python("api", "telephony.api", [], ready)
        if nice := shutil.which("nice"):
            # A call that is up needs the processors at once; its record can wait a moment.
            spec.argv = [nice, "-n", "3", *spec.argv]
        spec.ready_timeout_s = 90.0
        own = {
            "TRUNKLINE_API_PORT": str(self._ports.api),
            "TRUNKLINE_API_READY_FILE": str(ready),
            "TRUNKLINE_SPOOL": str(self.data.events),
        }
        spec.env = {**spec.env, **own}
        return spec

    def _bridge(self) -> PartSpec:
        ready = self.data.ready / "bridge.json"
        kind, _, program = self.options.bridge.partition(":")
        links = BridgeLinks(
            ws_url=self._environment["LIVEKIT_URL"],
            api_key=self._key,
            api_secret=self._secret,
            redis=self._environment["REDIS_ADDRESS"],
            events=self.data.events,
            ready_file=ready,
            dispatch_socket=self._dispatch_socket if self.has_dispatcher else None,
            link_dir=self._links,
            recordings=self._recordings if self._records else None,
        )
        content = bridge_file(self.config, self._ports, links)
        if kind == "livekit-sip":
            write_private(ready, f'{{"sip_port": {content["sip_port"]}}}')
            file = write_private(self.data.config / "livekit-sip.yaml", livekit_sip(content))
            return self._spec(
                "livekit-sip", [program, "--config", str(file)], http_answers(self._ports.bridge_health)
            )
        file = write_private(self.data.config / "bridge.yaml", yaml_text(content))
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
            "TRUNKLINE_DISPATCH_URL": f"ws://127.0.0.1:{self._ports.dispatch}",
            "TRUNKLINE_LINKS": str(self._links),
        }
        return {
            **self._environment,
            **(direct if self.has_dispatcher else {}),
            "TRUNKLINE_CONFIG": str(self.options.config.resolve()),
            "TRUNKLINE_DATA": str(self.data.root),
            "TRUNKLINE_SPEECH_SOCKET": str(self.data.sockets / "speech.sock"),
            "TRUNKLINE_MAX_CALLS": str(self.config.agent.max_calls),
            "TRUNKLINE_WORKER_PORT": str(self._ports.worker),
            "TRUNKLINE_READY_FILE": str(self.data.ready / "worker.json"),
            "HF_HUB_OFFLINE": "1",
            "PYTHONUNBUFFERED": "1",
        }

    # -- while it runs ----------------------------------------------------------------------------

    def info(self) -> LineInfo:
        """Where the line can be reached now."""
        bridge = read_ready_file(self.data.ready / "bridge.json")
        api = read_ready_file(self.data.ready / "api.json")
        port = bridge.get("sip_port", 0)
        number = _first_inbound_number(self.config)
        host = self.config.bridge.nat_1_to_1_ip or self.config.bridge.listen_ip
        return LineInfo(
            sip=f"sip:{number}@{host}:{port}" if port else "",
            number=number,
            api=f"http://127.0.0.1:{api['port']}" if "port" in api else None,
            livekit_url=self._environment["LIVEKIT_URL"],
            api_key=self._key,
            api_secret_file=str(self.data.secret_file),
            redis=self._environment["REDIS_ADDRESS"],
            data=str(self.data.root),
            pids={part.name: part.pid for part in self.parts if part.pid},
        )

    @property
    def speech_socket(self) -> Path:
        """The speech engine's socket."""
        return self.data.sockets / "speech.sock"

    async def watch(self, on_restart: Callable[[str, str], None] | None = None) -> None:
        """Start again whatever dies; ends only by cancellation or by raising.

        Raises:
            StartError: a part died more than five times in two minutes, or did not come up again.
        """
        await self.settled()
        try:
            async with asyncio.TaskGroup() as group:
                for part in self.parts:
                    group.create_task(self._keep(part, on_restart))
        except BaseExceptionGroup as failures:
            raise _first_reason(failures) from failures

    async def _keep(self, part: Part, on_restart: Callable[[str, str], None] | None) -> None:
        deaths: list[float] = []
        while True:
            code = await part.wait()
            now = time.monotonic()
            deaths = [at for at in deaths if now - at < _RESTART_WINDOW_S] + [now]
            why = f"signal {-code}" if code < 0 else f"exit code {code}"
            words = last_words(part.spec.log_path)
            if len(deaths) > _RESTARTS:
                raise StartError(
                    f"{part.name} died {len(deaths)} times within two minutes, last by {why}: {words}",
                    fix=f"Read {part.spec.log_path}.",
                )
            log.warning("part_restarted", part=part.name, why=why)
            if on_restart:
                on_restart(part.name, why)
            await asyncio.sleep(min(0.2 * 2 ** (len(deaths) - 1), 5.0))
            part.restarts += 1
            await part.start()
            if part.name == "redis":
                # Trunks and rules lived in it, and livekit-server must see the new one.
                await self._provision()

    # -- stop -------------------------------------------------------------------------------------

    async def stop(self, *, cut: bool = True) -> None:
        """Stop every part, last started first, in bounded time, and free the folder.

        Args:
            cut: hang up live calls (SIGINT to the bridge) instead of waiting for their end.
        """
        if self._late is not None:
            self._late.cancel()
            await asyncio.gather(self._late, return_exceptions=True)
        order = ("bridge", "livekit-sip", "worker", "api", "dispatcher", "speech", "livekit-server", "redis")
        for name in order:
            stopping = [part for part in self.parts if part.name == name]
            for part in stopping:
                if name in {"bridge", "livekit-sip"} and cut:
                    part.spec.stop_signal = signal.SIGINT
                with contextlib.suppress(ProcessLookupError):
                    await part.stop()
        self.parts.clear()
        self.data.close()


def _first_reason(group: BaseExceptionGroup[BaseException]) -> BaseException:
    leaves: list[BaseException] = []
    pending: list[BaseException] = [group]
    while pending:
        error = pending.pop(0)
        if isinstance(error, BaseExceptionGroup):
            pending.extend(error.exceptions)
        else:
            leaves.append(error)
    return next((leaf for leaf in leaves if isinstance(leaf, TrunklineError)), leaves[0])


def _first_inbound_number(config: LineConfig) -> str:
    numbers = (number for trunk in config.sip_trunks if not trunk.outbound_only for number in trunk.numbers)
    return next(numbers, "")
