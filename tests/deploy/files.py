"""The production files as the tests read them: parsed, with overrides merged as Compose merges them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
BASE = "docker-compose.yml"
OVERRIDES = ("deploy/compose.desktop.yml", "deploy/compose.cloud.yml")

# Lists that Compose appends to, and lists that it replaces; of volumes, the later one of a target wins.
_APPENDED = {"ports", "secrets", "profiles", "tmpfs", "cap_add", "cap_drop", "security_opt", "env_file"}


def document(name: str) -> dict[str, Any]:
    """One YAML file of the project."""
    loaded = yaml.safe_load((ROOT / name).read_text())
    assert isinstance(loaded, dict)
    return loaded


def services(*names: str) -> dict[str, dict[str, Any]]:
    """The services of a base file with overrides, in the order given."""
    merged: dict[str, dict[str, Any]] = {}
    for name in names or (BASE,):
        for service, content in document(name)["services"].items():
            merged[service] = _merge(merged.get(service, {}), content)
    return merged


def _merge(base: dict[str, Any], override: dict[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in override.items():
        before = result.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            result[key] = _merge(before, value)
        elif key in _APPENDED and isinstance(before, list):
            result[key] = [*before, *value]
        elif key == "volumes" and isinstance(before, list):
            result[key] = list({_target(each): each for each in [*before, *value]}.values())
        else:
            result[key] = value
    return result


def _target(volume: str) -> str:
    return volume.split(":")[1]
