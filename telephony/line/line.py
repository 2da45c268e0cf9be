"""The line: Redis, livekit-server, speech engine, bridge, worker and api, in order, watched, stopped.

Guarantee: ``start`` either ends with every part ready and the trunks and rules in place, or
raises with the part and the reason and leaves nothing running. While it is up, a part that dies
is started again; one that keeps dying stops the whole with the reason.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provisioning.apply import apply_line
from provisioning.config import LineConfig, environment, load_config
from telephony import logs
from telephony.errors import DependencyError, StartError, TrunklineError
from telephony.line.data import LineData, default_root
from telephony.line.ports import choose_ports, choose_sip_port
from telephony.line.programs import Programs, own_environment
from telephony.supervision.interfaces import require_interface
from telephony.supervision.part import Part, last_words
from telephony.supervision.ready import read_ready_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.supervision.part import PartSpec

log = logs.get_logger(__name__)

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
        self._programs: Programs
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
        options, ports = self.options, choose_ports(self.options.api_port)
        own = own_environment(ports, *self.data.credentials())
        self.config = load_config(options.config, env={**environment(options.config), **own})
        if self.config.agent.audio_path == "direct" and options.bridge != "embedded":
            raise StartError(
                f"--bridge {options.bridge.partition(':')[0]} carries audio through the room only.",
                field="agent.audio_path",
                fix="Set it to auto or room, or use the embedded bridge.",
            )
        ports = replace(ports, sip=choose_sip_port(self.config, options.sip_port))
        self._programs = Programs(self.config, options.config, self.data, ports, own, options.bridge)

    async def _start_parts(self) -> None:
        programs = self._programs
        try:
            async with asyncio.TaskGroup() as group:
                if self.config.speech.needs_engine:
                    group.create_task(self._start(programs.speech_engine()))
                await self._start(programs.redis())
                await self._start(programs.livekit_server())
                group.create_task(self._provision())
                if programs.has_dispatcher:
                    await self._start(programs.dispatcher())
                group.create_task(self._start(self._worker()))
                if programs.ports.api and self.options.waits_for_api:
                    group.create_task(self._start(programs.api()))
                if self.options.bridge != "none":
                    group.create_task(self._start_bridge())
        except BaseExceptionGroup as failures:
            # One reason is enough for a person; the others are its consequences.
            raise _first_reason(failures) from failures
        if programs.ports.api and not self.options.waits_for_api:
            self._late = asyncio.create_task(self._start(programs.api(), quietly=True))

    async def settled(self) -> None:
        """Wait for what ``start`` did not wait for.

        Raises:
            StartError: it did not come up.
        """
        if self._late is not None:
            await self._late

    async def _start(self, spec: PartSpec, *, quietly: bool = False) -> None:
        part = Part(spec)
        self.parts.append(part)
        seconds = await part.start()
        if not quietly:
            self._on_step(part.name, seconds)

    def _worker(self) -> PartSpec:
        """What takes the calls; comparisons put another agent here."""
        return self._programs.worker()

    async def _start_bridge(self) -> None:
        programs = self._programs
        try:
            await self._start(programs.bridge())
        except StartError:
            # Another line may have taken the file's port since we looked; then there is a free one.
            port = choose_sip_port(self.config, self.options.sip_port)
            if port == programs.ports.sip or self.options.sip_port is not None:
                raise
            self.parts = [part for part in self.parts if part.pid]
            programs.ports = replace(programs.ports, sip=port)
            await self._start(programs.bridge())

    async def _provision(self) -> None:
        started = time.monotonic()
        own = self._programs.own
        await apply_line(
            self.config,
            url=own["LIVEKIT_URL"],
            api_key=own["LIVEKIT_API_KEY"],
            api_secret=own["LIVEKIT_API_SECRET"],
        )
        self._on_step("trunks and rules", time.monotonic() - started)

    # -- while it runs ----------------------------------------------------------------------------

    def info(self) -> LineInfo:
        """Where the line can be reached now."""
        own = self._programs.own
        bridge = read_ready_file(self.data.ready / "bridge.json")
        api = read_ready_file(self.data.ready / "api.json")
        port = bridge.get("sip_port", 0)
        number = _first_inbound_number(self.config)
        host = self.config.bridge.nat_1_to_1_ip or self.config.bridge.listen_ip
        return LineInfo(
            sip=f"sip:{number}@{host}:{port}" if port else "",
            number=number,
            api=f"http://127.0.0.1:{api['port']}" if "port" in api else None,
            livekit_url=own["LIVEKIT_URL"],
            api_key=own["LIVEKIT_API_KEY"],
            api_secret_file=str(self.data.secret_file),
            redis=own["REDIS_ADDRESS"],
            data=str(self.data.root),
            pids={part.name: part.pid for part in self.parts if part.pid},
        )

    @property
    def speech_socket(self) -> Path:
        """The speech engine's socket."""
        return self._programs.speech_socket

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
