"""What every section of the operator's file has in common."""

from __future__ import annotations

from typing import Annotated, Any, Protocol

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from provisioning.sections.duration import parse_duration


class SecretReader(Protocol):
    """Reads the file that a ``*_file`` key names; raises OSError or ValueError."""

    def __call__(self, name: str) -> str: ...


class Section(BaseModel):
    """Strict and closed: unknown keys and values of the wrong type are refused.

    A secret ``x`` may also be given as ``x_file``, the name of a file that holds it; the file is
    read when validation is given a ``SecretReader`` as its context's ``read_secret``.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _read_secret_files(cls, data: Any, info: ValidationInfo) -> Any:
        read = (info.context or {}).get("read_secret")
        if not isinstance(data, dict):
            return data
        for key in [key for key in data if isinstance(key, str) and key.endswith("_file")]:
            name = key.removesuffix("_file")
            if key not in cls.model_fields or name not in cls.model_fields:
                continue
            if data.get(name) is not None:
                raise _at(key, f"{name} and {key} are both given; keep one.")
            if read is None or not isinstance(data[key], str):
                continue
            try:
                data = {**data, name: read(data[key])}
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or str(error)
                raise _at(key, f"cannot read {data[key]}: {reason}.") from error
        return data


def _at(key: str, message: str) -> PydanticCustomError:
    return PydanticCustomError("at_key", "{message}", {"key": key, "message": message})


def in_any_case(*words: str) -> WithJsonSchema:
    """The schema of a choice whose case does not count."""
    return WithJsonSchema({"type": "string", "enum": [*words, *(word.upper() for word in words)]})


def _duration(value: Any) -> float:
    return parse_duration(value)


Duration = Annotated[
    float,
    BeforeValidator(_duration),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^(\d+(\.\d+)?(ms|s|m|h|d))+$"},
                {"type": "number", "minimum": 0},
            ],
            "description": "a time such as 500ms, 30s, 1m30s or 24h; a bare number is seconds",
        }
    ),
]
"""A time in seconds; written as ``500ms``, ``30s``, ``1m30s``, ``24h``, or a bare number of seconds."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""A name of ours: letters, digits, dot, hyphen and underscore, at most 64."""

Number = Annotated[str, Field(pattern=r"^\+?[0-9A-Za-z*#_.\-() ]{1,64}$")]
"""A telephone number in any spelling, a SIP login or an extension. Always in quotes."""

Port = Annotated[int, Field(ge=1, le=65535)]
"""A UDP or TCP port."""

Host = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,252}[A-Za-z0-9])?$|^\[[0-9A-Fa-f:.]+\]$")]
"""A host name or address, without scheme, port or path."""

HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9!%*_+`'~.-]{1,255}$")]
"""A SIP header name: a token of RFC 3261 section 25.1."""

HeaderValue = Annotated[str, Field(pattern=r"^[^\x00-\x08\x0a-\x1f\x7f]{0,1024}$")]
"""A SIP header value: one line, at most 1024 characters."""

Text = Annotated[str, Field(pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$", max_length=4096)]
"""Free text without control characters."""
