"""A new assistant: a sample copied under another name, with its script.

Nothing that exists is overwritten, and what is written is right: it is read before anything is kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from telephony.assistants.loader import BUNDLED, SAMPLES, read_assistant, sample_names
from telephony.errors import AssistantError
from telephony.workshop.place import SCRIPTS

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT: Final = "starter"
"""The sample that is copied where none is named: a question or two, a tool, an end."""

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")


@dataclass(frozen=True, slots=True)
class Scaffold:
    """What was written: the assistant, and what belongs to it."""

    assistant: Path
    others: tuple[Path, ...]


def templates() -> dict[str, str]:
    """The samples by name, with what each is for."""
    names = sorted({*sample_names(), "reception"}, key=lambda name: (name != DEFAULT, name))
    return {name: read_assistant(_sample(name)).description for name in names}


def scaffold(name: str, folder: Path, template: str = DEFAULT) -> Scaffold:
    """Write a new assistant into a folder.

    Raises:
        AssistantError: the name is none, or taken; or there is no such sample.
    """
    if not _NAME.fullmatch(name):
        plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "desk"
        raise AssistantError(
            f"{name!r} is no name for an assistant: lower-case letters, digits and _ only.",
            field="NAME",
            fix=f"Write: trunkline assistant new {plain if plain[0].isalpha() else f'a_{plain}'}.",
        )
    if template not in templates():
        raise AssistantError(
            f"there is no sample {template!r}.", field="--from", fix=f"Use one of: {', '.join(templates())}."
        )
    texts = {folder / f"{name}.yaml": _renamed(_sample(template).read_text(encoding="utf-8"), template, name)}
    scripts = _sample(template).parent / SCRIPTS
    for path in [*scripts.glob(f"{template}.yaml"), *sorted(scripts.glob(f"{template}.*.yaml"))]:
        texts[folder / SCRIPTS / path.name.replace(template, name, 1)] = path.read_text(encoding="utf-8")
    for path in texts:
        if path.exists():
            raise AssistantError(f"{path} is there already.", field="NAME", fix="Choose another name.")
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    first, *others = texts
    read_assistant(first)
    return Scaffold(first, tuple(others))


def _sample(name: str) -> Path:
    return SAMPLES / f"{name}.yaml" if name in sample_names() else BUNDLED / f"{name}.yaml"


def _renamed(text: str, old: str, new: str) -> str:
    return re.sub(rf"^name: {old}$", f"name: {new}", text, count=1, flags=re.MULTILINE)
