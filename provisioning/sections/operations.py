"""``recording``, ``logging`` and ``health_check``: what is kept, what is said, what is watched."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr

from provisioning.sections.section import Duration, Section, in_any_case


class RecordingStorage(Section):
    """An S3-compatible bucket."""

    bucket: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,62}$")
    """Bucket name."""
    region: str | None = None
    """Region."""
    endpoint: str | None = None
    """For stores other than AWS."""
    prefix: str = ""
    """Beginning of every object's key."""
    access_key: str | None = None
    """Access key id."""
    secret: SecretStr | None = None
    """Secret access key."""
    secret_file: str | None = None
    """A file that holds it, in place of secret."""


class RecordingSection(Section):
    """Recording of calls; off unless somebody turns it on and callers are told."""

    enabled: bool = False
    """Default false."""
    by: Literal["line", "egress"] = "line"
    """line: our own stereo recorder; egress: LiveKit's egress workers. Default line."""
    format: Literal["ogg", "wav"] = "ogg"
    """Default ogg."""
    directory: str | None = None
    """Folder on disk. Default: in the line's data folder."""
    retention: Duration | None = Field(default=None, ge=3600)
    """Recordings are deleted after this. Default: kept."""
    storage: RecordingStorage | None = None
    """Where they are copied to. Default: nowhere."""


class LoggingSection(Section):
    """What is logged."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"],
        BeforeValidator(lambda value: _level(value)),
        in_any_case("debug", "info", "warning", "warn", "error"),
    ] = "info"
    """debug, info, warning or error. Default info."""
    structured: bool = True
    """Fields beside the message. Default true."""
    format: Literal["json", "console"] = "json"
    """One JSON object a line, or text. Default json."""
    pipeline: list[str] = Field(default_factory=list, max_length=100)
    """Callers whose calls' pipelines are written down, as +15550100199, or all. Default nobody."""


def _level(value: Any) -> Any:
    return {"warn": "warning"}.get(value.lower(), value.lower()) if isinstance(value, str) else value


class HealthCheckSection(Section):
    """How often the line looks after itself."""

    enabled: bool = True
    """Default true."""
    interval: Duration = Field(default=60.0, ge=1, le=3600)
    """Pause between checks. Default 60s."""
    timeout: Duration = Field(default=10.0, ge=0.1, le=300)
    """Longest wait for one check. Default 10s."""
