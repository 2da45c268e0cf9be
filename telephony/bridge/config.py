"""The bridge's file: livekit-sip's key names where they mean the same, and nothing unknown.

Guarantee: a wrong file is refused before anything starts, with every wrong key named, and the nearest
known key where one is misspelt. livekit-sip v1.11.0 ignores unknown keys; this bridge does not.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from telephony.bridge.bus import RedisAddress
from telephony.bridge.limits import Caps, TrunkCap
from telephony.bridge.register import KEEPALIVE_S, Account
from telephony.errors import ConfigError, SipParseError
from telephony.sip.session_timer import MIN_SE_S
from telephony.sip.uri import SipUri

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telephony.sip.grammar import Params

KNOWN_CODECS = ("PCMU/8000", "PCMA/8000", "telephone-event/8000")
"""What the bridge can carry, by livekit-sip's names, in its order of preference."""

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse_duration(text: object) -> float:
    """Seconds from a duration as Go writes it: ``4.5s``, ``500ms``, ``1m30s``.

    Raises:
        ValueError: it is not such a text.
    """
    if not isinstance(text, str):
        raise ValueError("must be a duration with its unit, such as 4.5s or 500ms")
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError("must be a duration with its unit, such as 4.5s or 500ms")
    return sum(float(number) * _UNIT_S[unit] for number, unit in parts)


Duration = Annotated[float, BeforeValidator(parse_duration)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RedisSection(_Section):
    """Where the bus is."""

    address: str = Field(min_length=1)
    """``host:port`` or ``host`` for port 6379."""
    username: str = ""
    password: str = Field(default="", repr=False)
    db: int = Field(default=0, ge=0)

    def to_address(self) -> RedisAddress:
        """The parts that a connection needs.

        Raises:
            ValueError: the port is not a number from 1 to 65535.
        """
        host, colon, port = self.address.rpartition(":")
        if not colon:
            host, port = self.address, "6379"
        if not port.isdecimal() or not 0 < int(port) < 65536 or not host:
            raise ValueError("must be host:port")
        return RedisAddress(host, int(port), self.username, self.password, self.db)


class RecordingSection(_Section):
    """Where calls of the direct line are recorded; those of the room their job records."""

    directory: Path
    """One file a call, named by its id."""
    format: Literal["ogg", "wav"] = "ogg"


class PinSection(_Section):
    """How callers are asked for the PIN of a dispatch rule."""

    tries: int = Field(default=3, ge=1, le=10)
    timeout: Duration = Field(default=10.0, ge=1, le=120)
    """How long the caller may take to begin, and from one key to the next."""
    prompt: Path | None = None
    """A WAV file to play in place of three rising notes."""
    wrong: Path | None = None
    """A WAV file to play after a wrong PIN in place of two low notes."""


class RegistrationSection(_Section):
    """A carrier's line with a login, at which the bridge registers; livekit/sip pull request 774's names."""

    registrar: str = Field(min_length=1)
    """``host`` or ``host:port``."""
    username: str = Field(pattern=r"^[^\s@<>\":]{1,128}$")
    """The login. A text: a leading zero belongs to it."""
    password: str = Field(min_length=1, repr=False)
    """Unset = ``SIP_PASSWORD_<NAME>`` in the environment, the name in capitals, ``_`` for other signs."""
    auth_username: str = ""
    """The digest user, where it is not the login."""
    domain: str = ""
    """Of the address of record; default: the registrar's host."""
    expiry: Duration = Field(default=600.0, ge=30, le=86400)
    keepalive: Duration = Field(default=KEEPALIVE_S, ge=5, le=600)
    """Between OPTIONS, which keep a NAT's binding open and notice a registrar that was away."""
    transport: Literal["udp", "tcp"] = "udp"
    name: str = ""
    """For log and metrics; default: the login."""
    number: str = ""
    """What the line's trunk is found by, where the carrier's calls carry the login in To."""

    def to_account(self) -> Account:
        """The parts that registering needs.

        Raises:
            ValueError: the registrar or domain is no host.
        """
        try:
            at = SipUri.parse(f"sip:{self.registrar}")
            params: Params = {"transport": "tcp"} if self.transport == "tcp" else {}
            account = Account(
                self.name or self.username,
                SipUri(None, at.host, at.port, params),
                self.username,
                self.password,
                self.auth_username,
                self.domain,
                self.number,
                round(self.expiry),
                self.keepalive,
            )
            _ = account.address
        except SipParseError as error:
            raise ValueError(error.message) from error
        return account


class TrunkLimitSection(_Section):
    """How many calls one line of a carrier bears, calls in and out together."""

    name: str = Field(min_length=1)
    numbers: list[str] = Field(min_length=1)
    """Of the line, and its login where it has one."""
    max_calls: int = Field(ge=1)

    def to_cap(self) -> TrunkCap:
        """The limit; the plus of a number does not count."""
        return TrunkCap(
            self.name, frozenset(number.removeprefix("+") for number in self.numbers), self.max_calls
        )


class LoggingSection(_Section):
    """How the bridge logs: always JSON lines on standard error."""

    level: Literal["debug", "info", "warn", "warning", "error"] = "info"
    json_lines: Literal[True] = Field(default=True, alias="json")


class BridgeConfig(_Section):
    """Every setting of the bridge. Durations are seconds once read."""

    api_key: str = Field(min_length=1)
    """One of livekit-server's keys. Default: the environment's LIVEKIT_API_KEY."""
    api_secret: str = Field(min_length=1, repr=False)
    """Its secret. Default: the environment's LIVEKIT_API_SECRET; or give ``api_secret_file``."""
    ws_url: str = Field(pattern=r"^wss?://")
    """Where livekit-server is. Default: the environment's LIVEKIT_WS_URL or LIVEKIT_URL."""
    redis: RedisSection
    listen_ip: str = "0.0.0.0"  # noqa: S104 - livekit-sip's default; a carrier comes from outside
    """The local IPv4 address for SIP, RTP; unlike livekit-sip's it holds for RTP too."""
    nat_1_to_1_ip: str = ""
    """The address announced in Contact and SDP; needed when ``listen_ip`` is 0.0.0.0."""
    sip_port: int = Field(default=5060, ge=0, le=65535)
    """UDP; 0 = any free port, told in ``ready_file``."""
    rtp_port: str = Field(default="10000-20000", pattern=r"^(0|\d{4,5}-\d{4,5})$")
    """``first-last``; one even port a call. ``0`` = any free ports."""
    health_port: int | None = Field(default=None, ge=0, le=65535)
    """HTTP on 127.0.0.1: health, and ``/metrics`` for Prometheus. Unset = off, 0 = any free port."""
    sip_ringing_interval: Duration = Field(default=1.0, ge=0.2, le=60)
    media_timeout: Duration = Field(default=15.0, gt=0)
    """No RTP for this long ends a call; not while it is on hold."""
    media_timeout_initial: Duration = Field(default=30.0, gt=0)
    """The same before the first packet."""
    symmetric_rtp: bool = True
    """Send RTP to where it comes from rather than to where the SDP says."""
    session_expires: Duration = Field(default=0.0, ge=0, le=86400)
    """The session timer (RFC 4028) that we ask for, at least 90 s; 0 = only what the other side asks for."""
    codecs: dict[str, bool] = Field(default_factory=dict)
    """Switches codecs off or on by livekit-sip's names; PCMU, PCMA and telephone-event are on."""
    max_active_calls: int = Field(default=0, ge=0)
    """More are refused; 0 = no limit. Unlike livekit-sip's it holds for inbound calls."""
    max_calls_per_trunk: int = Field(default=0, ge=0)
    """The same for the calls of one trunk, calls out included."""
    trunk_limits: list[TrunkLimitSection] = Field(default_factory=list)
    """Lines with a limit of their own in place of that."""
    max_calls_per_source: int = Field(default=0, ge=0)
    """The same for the calls from one IP address."""
    reserved_inbound_calls: int = Field(default=0, ge=0)
    """So many of the last places of these limits are never taken by calls out."""
    limit_status: Literal[503, 486] = 503
    """What a call above a limit gets: 503 with Retry-After, for a carrier that then tries elsewhere, or 486,
    with which the caller hears that it is busy."""
    logging: LoggingSection = LoggingSection()
    jitter_buffer_ms: int = Field(default=60, ge=20, le=200)
    """How much of the caller's RTP is held back against jitter."""
    agent_wait_timeout: Duration = Field(default=4.5, ge=0)
    """Nobody but us in the room by then = the call is refused; 0 = wait as long as it may ring."""
    refuse_status: int = Field(default=503, ge=400, le=699)
    """The SIP status for a call that no agent takes."""
    pin: PinSection = PinSection()
    hold_music: Path | None = None
    """A WAV file for callers whom the agent puts on hold, in place of the bridge's own tune."""
    early_media: bool = False
    """Let the room of a call of ours hear what the carrier plays before the answer; livekit-sip drops it."""
    server_loss_timeout: Duration = Field(default=10.0, ge=0)
    """How long a call goes on while the connection to livekit-server is being mended."""
    audio_path: Literal["auto", "direct", "room"] = "room"
    """How audio reaches the agent. direct: a socket, by the machine's dispatcher, or no call; auto: that
    where the dispatcher serves the rule's agent, else the room; room: always the room."""
    dispatch_socket: Path | None = None
    """Where the dispatcher listens; needed unless ``audio_path`` is room."""
    link_dir: Path | None = None
    """The folder of the calls' sockets, private to the user; needed unless ``audio_path`` is room."""
    sip_registrations: list[RegistrationSection] = Field(default_factory=list)
    """Lines at which the bridge registers."""
    recording: RecordingSection | None = None
    """Unset = nothing is recorded."""
    events_dir: Path | None = None
    """Where call events are spooled; unset = none are written."""
    ready_file: Path | None = None

    @model_validator(mode="after")
    def _consistent(self) -> BridgeConfig:
        problems: list[str] = []
        for name in ("listen_ip", "nat_1_to_1_ip"):
            value = getattr(self, name)
            if value and not _is_ipv4(value):
                problems.append(f"{name} must be an IPv4 address")
        if self.advertised_ip == "0.0.0.0":  # noqa: S104 - refused, not bound
            problems.append(
                "nat_1_to_1_ip must be set when listen_ip is 0.0.0.0: callers must be told an address"
            )
        if 0 < self.session_expires < MIN_SE_S:
            problems.append(f"session_expires must be 0 or at least {MIN_SE_S}s")
        if unknown := sorted(set(self.codecs) - set(KNOWN_CODECS)):
            wanted = [name for name in unknown if self.codecs[name]]
            if wanted:
                problems.append(
                    f"codecs: this bridge has no {', '.join(wanted)}; it has {', '.join(KNOWN_CODECS)}"
                )
        if not self.audio_codecs:
            problems.append("codecs: PCMU/8000 and PCMA/8000 are both off, so no call could be taken")
        if self.rtp_port != "0":
            first, last = (int(port) for port in self.rtp_port.split("-"))
            if not 1024 <= first < last <= 65535:
                problems.append("rtp_port must be first-last within 1024 to 65535")
        try:
            self.redis.to_address()
        except ValueError as error:
            problems.append(f"redis.address {error}")
        if self.audio_path != "room" and not (self.dispatch_socket and self.link_dir):
            problems.append(f"audio_path {self.audio_path} needs dispatch_socket and link_dir")
        problems += self._wrong_registrations()
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _wrong_registrations(self) -> list[str]:
        problems: list[str] = []
        names: set[str] = set()
        for index, section in enumerate(self.sip_registrations):
            try:
                account = section.to_account()
            except ValueError as error:
                problems.append(f"sip_registrations[{index}]: {error}")
                continue
            if account.name in names:
                problems.append(f"sip_registrations[{index}]: another one is called {account.name}")
            names.add(account.name)
        return problems

    @property
    def advertised_ip(self) -> str:
        """The address that callers are told."""
        return self.nat_1_to_1_ip or self.listen_ip

    @property
    def audio_codecs(self) -> list[str]:
        """PCMU and PCMA as far as they are on, in order of preference."""
        names = [name for name in KNOWN_CODECS if not name.startswith("telephone-event")]
        return [name.partition("/")[0] for name in names if self.codecs.get(name, True)]

    @property
    def caps(self) -> Caps:
        """How many calls may be up at once."""
        return Caps(
            self.max_active_calls,
            self.max_calls_per_trunk,
            self.max_calls_per_source,
            self.limit_status,
            self.reserved_inbound_calls,
            tuple(section.to_cap() for section in self.trunk_limits),
        )

    @property
    def dtmf(self) -> bool:
        """Whether telephone-event is offered and accepted."""
        return self.codecs.get("telephone-event/8000", True)


def load_config(path: Path, env: Mapping[str, str] | None = None) -> BridgeConfig:
    """Read and check the bridge's file.

    Raises:
        ConfigError: it cannot be read, is not YAML, or has a wrong or unknown key; all problems are named.
    """
    env = os.environ if env is None else env
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}.", field="--config", fix="Give the bridge's file."
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not YAML: {_one_line(error)}.", field="--config") from error
    if not isinstance(raw, dict):
        raise ConfigError(f"{path} must hold keys and values.", field="--config")
    return read_config(raw, env, base=path.parent)


def read_config(raw: Mapping[str, Any], env: Mapping[str, str], *, base: Path = Path()) -> BridgeConfig:
    """Check settings that were read already; relative paths count from ``base``.

    Raises:
        ConfigError: as ``load_config``.
    """
    settings = dict(raw)
    for key, names in (
        ("api_key", ("LIVEKIT_API_KEY",)),
        ("api_secret", ("LIVEKIT_API_SECRET",)),
        ("ws_url", ("LIVEKIT_WS_URL", "LIVEKIT_URL")),
    ):
        value = next((env[name] for name in names if env.get(name)), None)
        if not settings.get(key) and value and not (key == "api_secret" and settings.get("api_secret_file")):
            settings[key] = value
    _read_secret_file(settings, base)
    _read_passwords(settings, env)
    try:
        return BridgeConfig.model_validate(settings)
    except ValidationError as error:
        raise _config_error(error) from None


def _read_secret_file(settings: dict[str, Any], base: Path) -> None:
    name = settings.pop("api_secret_file", None)
    if name is None:
        return
    if settings.get("api_secret"):
        raise ConfigError("api_secret is given too.", field="api_secret_file", fix="Keep one of the two.")
    try:
        settings["api_secret"] = (base / str(name)).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{name} cannot be read: {_one_line(error)}.", field="api_secret_file") from error


def _read_passwords(settings: dict[str, Any], env: Mapping[str, str]) -> None:
    """Give registrations without a password the one that the environment has for their name."""
    lines = settings.get("sip_registrations")
    if not isinstance(lines, list):
        return
    settings["sip_registrations"] = lines = list(lines)
    for index, line in enumerate(lines):
        if not isinstance(line, dict) or line.get("password"):
            continue
        name = _password_variable(str(line.get("name") or line.get("username") or ""))
        if not env.get(name):
            raise ConfigError(
                f"there is no password for the line {line.get('name') or line.get('username')}.",
                field=f"sip_registrations[{index}].password",
                fix=f"Set it there, or {name} in the environment.",
            )
        lines[index] = {**line, "password": env[name]}


def _password_variable(line: str) -> str:
    return "SIP_PASSWORD_" + re.sub(r"[^A-Z0-9]+", "_", line.upper())


def _is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def _config_error(error: ValidationError) -> ConfigError:
    problems = [_problem(detail) for detail in error.errors(include_url=False, include_input=False)]
    fields = [field for field, _ in problems if field]
    sentence = "; ".join(f"{field}: {text}" if field else text for field, text in problems) + "."
    if len(problems) == 1:
        return ConfigError(problems[0][1] + ".", field=problems[0][0] or None)
    return ConfigError(f"{len(problems)} settings are wrong: {sentence}", field=fields[0] if fields else None)


def _problem(detail: Any) -> tuple[str, str]:
    path = [str(part) for part in detail["loc"]]
    field = ".".join(path)
    if detail["type"] == "extra_forbidden":
        known = _known_keys(path[:-1])
        near = difflib.get_close_matches(path[-1], known, n=1)
        return field, f"is not a key of the bridge{f', did you mean {near[0]}?' if near else ''}"
    if detail["type"] == "missing":
        return field, "is required"
    message = str(detail["msg"]).removeprefix("Value error, ")
    return field, message[:1].lower() + message[1:]


def _known_keys(path: list[str]) -> list[str]:
    model: type[BaseModel] = BridgeConfig
    for part in path:
        annotation = model.model_fields[part].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    names = [field.alias or name for name, field in model.model_fields.items()]
    return names if path else [*names, "api_secret_file"]


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
