"""What all sections of ``speech`` have in common: strictness, and where keys come from. Pure data."""

from __future__ import annotations

import ipaddress
from typing import ClassVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, SecretStr, field_validator


class SpeechSection(BaseModel):
    """A part of the section: unknown keys and other types are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class CloudSection(SpeechSection):
    """What every provider behind a network has in common."""

    api_key_variable: ClassVar[str] = ""
    """The environment variable that holds the key when ``api_key`` is not given; empty: there is none."""

    api_key: SecretStr | None = None
    """The provider's key. Default: the provider's usual environment variable."""

    @property
    def key_variable(self) -> str:
        """The variable of this very section, which a preset may choose."""
        return self.api_key_variable

    @property
    def key_needed(self) -> bool:
        """Whether nothing works without a key."""
        return True

    @field_validator("base_url", "endpoint", "url", check_fields=False)
    @classmethod
    def _is_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https", "ws", "wss"} or not parts.hostname:
            raise ValueError("must be an URL such as https://api.example.com/v1")
        return value


def is_local(url: str | None) -> bool:
    """Whether a server of one's own, such as Ollama, answers there; it asks for no key."""
    host = urlsplit(url or "").hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
