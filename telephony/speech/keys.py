"""The keys of providers: from the operator's file, else from the environment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from telephony.errors import ConfigError
from telephony.speech.section import CloudSection

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telephony.speech.settings import SpeechSettings

NO_KEY = "unused"
"""Sent to servers that ask for none, since their clients insist on one."""


def key_of(section: CloudSection, env: Mapping[str, str]) -> str | None:
    """The section's key; None where neither the file nor the environment has one."""
    if section.api_key is not None and section.api_key.get_secret_value():
        return section.api_key.get_secret_value()
    return env.get(section.key_variable) or None if section.key_variable else None


def require_key(section: CloudSection, path: str, env: Mapping[str, str]) -> str:
    """The section's key, or ``NO_KEY`` where none is needed.

    Raises:
        ConfigError: there is none; names the setting and the variable.
    """
    key = key_of(section, env)
    if key is not None:
        return key
    if not section.key_needed:
        return NO_KEY
    raise ConfigError(
        f"{getattr(section, 'provider', 'the provider')} has no API key.",
        field=f"{path}.api_key",
        fix=f"Set it, or the environment variable {section.key_variable}.",
    )


def check_keys(settings: SpeechSettings, env: Mapping[str, str] = os.environ) -> None:
    """Whether every configured provider has its key.

    Raises:
        ConfigError: one has none; names the setting and the variable.
    """
    for name, section in settings.chosen():
        if isinstance(section, CloudSection):
            require_key(section, f"speech.{name}", env)
