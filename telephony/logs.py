"""Structured logs: static event names, fields, and no secret or full number in clear.

One list of processors everywhere. It ends in ``render_to_log_kwargs`` because a job's records
travel to the worker's parent through livekit-agents' own pickling handler, which keeps fields
only when they are ordinary ``logging`` extras; the formatter below prints them in every process
that is ours alone.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import structlog

from telephony.numbers import mask_all

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from pathlib import Path

_CREDENTIALS = re.compile(
    r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]+|whsec_[A-Za-z0-9+/=]{8,}|tlk_[a-z2-7]{16}_[\w-]{43}"
)
"""Tokens, signing secrets and API keys by their form, wherever a library quotes one."""

_PLAIN_FIELDS = frozenset({"event", "call_id", "sip_call_id", "room_sid", "job_id", "time", "duration_ms"})
_SECRET_WORDS = ("secret", "password", "token", "api_key", "authorization")
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def _protect(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if any(word in key for word in _SECRET_WORDS):
            event[key] = "***"
        elif key not in _PLAIN_FIELDS:
            event[key] = _hidden(value)
    return event


def _without_secrets(text: str) -> str:
    return mask_all(_CREDENTIALS.sub("***", text))


def _hidden(value: Any) -> Any:
    """A field's value with every number in its texts masked."""
    if isinstance(value, str):
        return _without_secrets(value)
    if isinstance(value, dict):
        protected: dict[Any, Any] = {key: _hidden(item) for key, item in value.items()}
        return protected
    return [_hidden(item) for item in value] if isinstance(value, list | tuple) else value


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, event, then the fields."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": _without_secrets(record.getMessage()),
        }
        line.update({key: value for key, value in record.__dict__.items() if key not in _STANDARD})
        if record.exc_info:
            # What went wrong often quotes what somebody dialled.
            line["exception"] = _without_secrets(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False, default=str)


def configure(level: str = "INFO", path: Path | None = None) -> None:
    """Send this process's logs to standard error, or to a file, as JSON lines.

    Args:
        level: a name that ``logging`` knows, in any case.
        path: a file to append to instead of standard error, for a process that owns the terminal.
    """
    handler = logging.FileHandler(path) if path else logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    for former in root.handlers:
        if isinstance(former.formatter, JsonFormatter):
            former.close()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    configure_structlog()


def configure_structlog() -> None:
    """Set up structlog alone, for a process whose ``logging`` handlers belong to livekit-agents."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.filter_by_level,
            _protect,
            structlog.stdlib.render_to_log_kwargs,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger for one module: ``log = get_logger(__name__)``."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
