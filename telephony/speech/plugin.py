"""Any of LiveKit's plugins by its name and its constructor's arguments.

What is wrong is said before the first call: a package that is not installed by its name at the package
index, an argument that the constructor does not have with the nearest one that it has.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
from typing import TYPE_CHECKING, Any

from telephony.errors import ConfigError, DependencyError
from telephony.speech.keys import key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from telephony.speech.cloud_settings import PluginLlmSettings, PluginSttSettings, PluginTtsSettings

    PluginSettings = PluginSttSettings | PluginLlmSettings | PluginTtsSettings

MODULES = "livekit.plugins"


def module_of(section: PluginSettings) -> str:
    """The module of a plugin."""
    return f"{MODULES}.{section.plugin}"


def package_of(section: PluginSettings) -> str:
    """The package of a plugin, for ``pip install``."""
    return f"livekit-plugins-{section.plugin.replace('_', '-')}"


def check_plugin(section: PluginSettings, path: str) -> Callable[..., Any]:
    """The class that a section names, with arguments that it takes; on the main thread only.

    Raises:
        DependencyError: the package is not installed.
        ConfigError: there is no such class or argument; names the setting.
    """
    try:
        module = importlib.import_module(module_of(section))
    except ImportError as error:
        raise DependencyError(
            f"the plugin {section.plugin} cannot be imported: {error}.",
            field=f"{path}.plugin",
            fix=f"Install it with pip install {package_of(section)}.",
        ) from error
    factory: Callable[..., Any] | None = getattr(module, section.factory, None)
    if factory is None or not callable(factory):
        raise ConfigError(
            f"{module.__name__} has no {section.factory}.", field=f"{path}.factory", fix="Name its class."
        )
    known = inspect.signature(factory).parameters
    open_ended = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in known.values())
    for name in section.options:
        if name not in known and not open_ended:
            near = difflib.get_close_matches(name, known, n=1)
            raise ConfigError(
                f"{section.plugin}.{section.factory} takes no {name}.",
                field=f"{path}.options.{name}",
                fix=f"Did you mean {near[0]}?" if near else f"It takes {', '.join(known)}.",
            )
    return factory


def from_plugin(section: PluginSettings, path: str, env: Mapping[str, str]) -> Any:
    """Build what a section names.

    Raises:
        DependencyError, ConfigError: as ``check_plugin``; or the constructor refuses its arguments.
    """
    factory = check_plugin(section, path)
    options = dict(section.options)
    key = key_of(section, env)
    if key is not None:
        options["api_key"] = key
    try:
        return factory(**options)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"{section.plugin}.{section.factory} refuses its options: {error}", field=f"{path}.options"
        ) from error
