"""What the api is started with: the operator's file for what the line is, the environment for where it runs.

The one place that knows both; every part of the api gets its own piece of ``ApiSettings``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from telephony.calls.cost import PriceTable
from telephony.errors import ConfigError
from telephony.webhooks.guard import AddressGuard, networks
from telephony.webhooks.schedule import Schedule
from telephony.webhooks.sender import SenderOptions
from telephony.webhooks.signing import is_secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioning.config import LineConfig

DEFAULT_PORT = 8080


@dataclass(frozen=True, slots=True)
class FileEndpoint:
    """A webhook endpoint of the operator's file."""

    name: str
    url: str
    secret: str
    types: tuple[str, ...] = ("*",)
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class RecordingOptions:
    """Where recordings are kept.

    ``incoming``: the folder below which the audio path leaves its files; nothing outside it is touched.
    ``url``: a folder or ``s3://bucket/prefix``; ``store``: further options of the bucket.
    ``keep_days``: None keeps them for ever.
    """

    incoming: Path
    url: str
    keep_days: float | None = None
    store: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """One api process.

    ``port`` 0 takes any free one; ``ready_file`` then says which. ``spool``: the folder in which this
    machine's own sources write their events. ``requests_per_minute`` is each key's.
    """

    data: Path
    database_url: str
    recordings: RecordingOptions
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    ready_file: Path | None = None
    spool: Path | None = None
    livekit_url: str = ""
    livekit_api_key: str = ""
    livekit_api_secret: str = ""
    endpoints: tuple[FileEndpoint, ...] = ()
    sender: SenderOptions = field(default_factory=SenderOptions)
    attempt_timeout_s: float = 15.0
    guard: AddressGuard = field(default_factory=AddressGuard)
    prices: PriceTable = field(default_factory=PriceTable)
    keep_calls_days: float | None = None
    requests_per_minute: int = 600
    reconcile_s: float = 5.0
    allowed_hosts: tuple[str, ...] = ("*",)
    config: LineConfig | None = None
    """The operator's file itself, for what decides about calls out."""


def load_settings(config: LineConfig | None, env: Mapping[str, str]) -> ApiSettings:
    """Put the settings together.

    Environment: ``TRUNKLINE_DATA`` (folder, default ``var/api``), ``TRUNKLINE_DATABASE_URL`` (default SQLite
    in that folder), ``TRUNKLINE_API_HOST``, ``TRUNKLINE_API_PORT``, ``TRUNKLINE_API_READY_FILE``,
    ``TRUNKLINE_SPOOL`` (folder of this machine's events; unset, the api reads none),
    ``TRUNKLINE_WEBHOOK_NETWORKS`` (private networks that webhooks may reach, with commas between),
    ``TRUNKLINE_KEEP_CALLS_DAYS``, ``TRUNKLINE_PRICES_FILE`` (YAML), ``LIVEKIT_URL``, ``LIVEKIT_API_KEY``,
    ``LIVEKIT_API_SECRET``.

    Raises:
        ConfigError: a value cannot be used; it names the variable or the field of the file.
    """
    data = Path(env.get("TRUNKLINE_DATA") or "var/api")
    section = config.api if config else None
    livekit = config.livekit if config else None
    secret = livekit.api_secret.get_secret_value() if livekit and livekit.api_secret else ""
    return ApiSettings(
        data=data,
        database_url=env.get("TRUNKLINE_DATABASE_URL") or _database_url(config, data),
        recordings=_recordings(config, data),
        host=env.get("TRUNKLINE_API_HOST") or (section.host if section else "127.0.0.1"),
        port=int(_number(env, "TRUNKLINE_API_PORT", section.port if section else DEFAULT_PORT, most=65535)),
        ready_file=Path(env["TRUNKLINE_API_READY_FILE"]) if env.get("TRUNKLINE_API_READY_FILE") else None,
        spool=Path(env["TRUNKLINE_SPOOL"]) if env.get("TRUNKLINE_SPOOL") else None,
        livekit_url=env.get("LIVEKIT_URL") or (livekit.url if livekit else ""),
        livekit_api_key=env.get("LIVEKIT_API_KEY") or ((livekit.api_key or "") if livekit else ""),
        livekit_api_secret=env.get("LIVEKIT_API_SECRET") or secret,
        endpoints=_endpoints(config),
        sender=_sender(config),
        attempt_timeout_s=_attempt_timeout_s(config),
        guard=AddressGuard(_networks(config, env)),
        prices=read_prices(config, env),
        keep_calls_days=_number(
            env, "TRUNKLINE_KEEP_CALLS_DAYS", _days(section.keep_calls if section else None)
        ),
        requests_per_minute=int(_number(env, "TRUNKLINE_REQUESTS_PER_MINUTE", 600) or 600),
        config=config,
    )


def _number(env: Mapping[str, str], name: str, otherwise: Any, *, most: float = 1e6) -> Any:
    text = env.get(name)
    if not text:
        return otherwise
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= most:
        raise ConfigError(f"It must be a number from 0 to {most:g}, not {text!r}.", field=name)
    return value


def _days(seconds: float | None) -> float | None:
    return seconds / 86_400 if seconds else None


def _database_url(config: LineConfig | None, data: Path) -> str:
    stated = config.api.database_url if config else None
    return stated.get_secret_value() if stated else f"sqlite:///{data / 'record.db'}"


def _networks(config: LineConfig | None, env: Mapping[str, str]) -> Any:
    name = "TRUNKLINE_WEBHOOK_NETWORKS"
    texts = [text.strip() for text in env.get(name, "").split(",") if text.strip()]
    if not texts and config is not None:
        name, texts = "webhooks.allowed_networks", [str(each) for each in config.webhooks.allowed_networks]
    try:
        return networks(texts)
    except ValueError as error:
        raise ConfigError(f"{error}.", field=name, fix="Write networks such as 10.0.0.0/8.") from error


def read_prices(config: LineConfig | None, env: Mapping[str, str]) -> PriceTable:
    """What things cost: the file that the environment or the operator's file names; empty where none does.

    Raises:
        ConfigError: it cannot be read.
    """
    stated = config.api.prices_file if config else None
    name = env.get("TRUNKLINE_PRICES_FILE") or stated
    if not name:
        return PriceTable()
    import yaml
    from pydantic import ValidationError

    try:
        return PriceTable.model_validate(yaml.safe_load(Path(name).read_text()) or {})
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise ConfigError(
            f"The price table {name} cannot be read: {error}",
            field="TRUNKLINE_PRICES_FILE" if name != stated else "api.prices_file",
        ) from error


def _recordings(config: LineConfig | None, data: Path) -> RecordingOptions:
    incoming = data / "recordings" / "incoming"
    if config is None:
        return RecordingOptions(incoming, str(data / "recordings" / "kept"))
    section = config.recording
    keep_days = section.retention / 86_400 if section.retention else None
    bucket = section.storage
    if bucket is None:
        return RecordingOptions(incoming, section.directory or str(data / "recordings" / "kept"), keep_days)
    options = {"region": bucket.region, "endpoint": bucket.endpoint, "access_key_id": bucket.access_key}
    if bucket.secret is not None:
        options["secret_access_key"] = bucket.secret.get_secret_value()
    given = {name: value for name, value in options.items() if value}
    return RecordingOptions(incoming, f"s3://{bucket.bucket}/{bucket.prefix}", keep_days, given)


def _endpoints(config: LineConfig | None) -> tuple[FileEndpoint, ...]:
    if config is None or not config.webhooks.enabled:
        return ()
    section = config.webhooks
    found = []
    for place, entry in enumerate(section.endpoints):
        where = f"webhooks.endpoints[{place}].secret"
        secret = _secret(entry.secret.get_secret_value() if entry.secret else "", where)
        found.append(FileEndpoint(entry.name, entry.url, secret, tuple(entry.events), entry.enabled))
    if section.url and not section.is_livekits_own:
        secret = _secret(section.secret.get_secret_value() if section.secret else "", "webhooks.secret")
        found.append(FileEndpoint("default", section.url, secret))
    return tuple(found)


def _secret(text: str, where: str) -> str:
    if not is_secret(text):
        raise ConfigError(
            "A signing secret is whsec_ and 24 to 64 bytes in base64.",
            field=where,
            fix="Make one with: trunkline webhooks secret",
        )
    return text


def _sender(config: LineConfig | None) -> SenderOptions:
    if config is None or not {"max_retries", "retry_delay"} & config.webhooks.model_fields_set:
        return SenderOptions()
    section = config.webhooks
    delays = tuple(min(86_400.0, section.retry_delay * 2**tries) for tries in range(section.max_retries))
    return SenderOptions(schedule=Schedule(delays_s=delays))


def _attempt_timeout_s(config: LineConfig | None) -> float:
    if config is None or "timeout" not in config.webhooks.model_fields_set:
        return 15.0
    # An attempt must be over before its lease is.
    return min(float(config.webhooks.timeout), SenderOptions().lease_s - 5)


def read_settings(config_path: Path | None, env: Mapping[str, str] | None = None) -> ApiSettings:
    """Settings from the operator's file, where there is one, and the environment.

    Raises:
        ConfigError: the file or a variable is wrong.
    """
    environment = dict(os.environ) if env is None else dict(env)
    if config_path is None:
        return load_settings(None, environment)
    from provisioning.config import load_config

    return load_settings(load_config(config_path, env=environment), environment)
