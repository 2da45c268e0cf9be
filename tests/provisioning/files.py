"""Operator's files for tests, written as an operator would."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

from provisioning.config import LoadedConfig, load_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provisioning.config import LineConfig

SHIPPED = Path(__file__).parents[2] / "config" / "livekit-sip.yaml"


def loaded(text: str, env: Mapping[str, str] | None = None) -> LoadedConfig:
    """Read a file given as text."""
    return load_bytes(dedent(text).encode(), Path("line.yaml"), env or {})


def config(text: str, env: Mapping[str, str] | None = None) -> LineConfig:
    """The meaning of a file given as text."""
    return loaded(text, env).config


def line(trunks: str = "", rules: str = "", *, name: str = "default") -> LineConfig:
    """A file of trunks and rules, each one flow mapping a line."""
    text = f"line: {name}\n"
    for section, entries in (("sip_trunks", trunks), ("routing", rules)):
        listed = "".join(f"    - {entry.strip()}\n" for entry in entries.strip().splitlines())
        if listed and section == "routing":
            text += f"routing:\n  inbound_rules:\n{listed}"
        elif listed:
            text += f"sip_trunks:\n{listed}"
    return config(text)


def trunk(name: str, *numbers: str, more: str = "") -> str:
    """An inbound trunk for calls from this machine."""
    listed = ", ".join(f'"{number}"' for number in numbers)
    text = f'{{name: {name}, numbers: [{listed}], allowed_addresses: ["127.0.0.0/8"]'
    return text + (f", {more}}}" if more else "}")


def rule(name: str, *trunks: str, more: str = "") -> str:
    """A rule for calls of some trunks."""
    return f"{{name: {name}, trunks: [{', '.join(trunks)}]" + (f", {more}}}" if more else "}")


def lines(*entries: str) -> str:
    """Entries, one a line."""
    return "\n".join(entries)
