"""Where an assistant, its scripts and its line's settings are found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from provisioning.config import LineConfig, load_config
from telephony.assistants.loader import assistant_names, find_assistant, read_assistant, sample_names
from telephony.caller.script_file import load_script
from telephony.errors import AssistantError, ScriptError

if TYPE_CHECKING:
    from telephony.assistants.schema import Assistant
    from telephony.caller.script import Script

DEFAULT_CONFIG = Path("config/livekit-sip.yaml")
SCRIPTS = "scripts"
"""The folder of scripts beside the assistants' files."""
ANSWERS = ".answers.yaml"
"""How the file ends that says what the world outside answers while an assistant's scripts run."""


@dataclass(frozen=True, slots=True)
class Place:
    """One assistant's file and its line.

    Attributes:
        path: the file.
        config: the operator's file, read; its defaults where there is none.
        config_path: None where there is none.
    """

    path: Path
    config: LineConfig
    config_path: Path | None

    @property
    def name(self) -> str:
        """The assistant's."""
        return self.path.stem

    def assistant(self) -> Assistant:
        """Read the file.

        Raises:
            AssistantError: every problem in it.
        """
        return read_assistant(self.path)

    def scripts(self) -> list[Path]:
        """Its scripts: ``scripts/NAME.yaml`` and ``scripts/NAME.anything.yaml`` beside it."""
        folder = self.path.parent / SCRIPTS
        found = [folder / f"{self.name}.yaml", *sorted(folder.glob(f"{self.name}.*.yaml"))]
        return [path for path in found if path.is_file() and not path.name.endswith(ANSWERS)]

    def answers(self) -> Path | None:
        """What the world outside answers in a test; None where nothing is asked of it."""
        path = self.path.parent / SCRIPTS / f"{self.name}{ANSWERS}"
        return path if path.is_file() else None


def find(name: str, config: Path | None) -> Place:
    """Find an assistant by name, or by the path of its file.

    Args:
        config: the operator's file; None for the usual one, if there is one.

    Raises:
        AssistantError: there is none.
        ConfigError: the operator's file is wrong.
    """
    line, config_path = settings(config)
    if name.endswith((".yaml", ".yml")) or "/" in name:
        path = Path(name)
        if not path.is_file():
            raise AssistantError(
                f"there is no file {name}.", field="assistant", fix="Name one, or an assistant."
            )
        return Place(path, line, config_path)
    found = find_assistant(name, directories(line))
    if found is None:
        known = sorted({*assistant_names(directories(line)), *sample_names()})
        raise AssistantError(
            f"there is no assistant {name!r}.",
            field="assistant",
            fix=f"Make it: trunkline assistant new {name}. There are: {', '.join(known)}.",
        )
    return Place(found, line, config_path)


def everything(config: Path | None) -> list[Place]:
    """The operator's assistants, the product's own and the samples."""
    line, config_path = settings(config)
    names = sorted({*assistant_names(directories(line)), *sample_names()})
    found = [find_assistant(name, directories(line)) for name in names]
    return [Place(path, line, config_path) for path in found if path is not None]


def settings(config: Path | None) -> tuple[LineConfig, Path | None]:
    """The operator's file; its defaults where none is named and the usual one is not there."""
    path = config or (DEFAULT_CONFIG if DEFAULT_CONFIG.is_file() else None)
    return (load_config(path), path) if path is not None else (LineConfig(), None)


def directories(line: LineConfig) -> list[Path]:
    """Where the operator's assistants are."""
    return [Path(line.assistants.directory)] if line.assistants.directory else []


def scripts_of(place: Place, wanted: Path | None) -> list[tuple[Path, Script]]:
    """The scripts to run, read.

    Args:
        wanted: one of them; None for all of the assistant's.

    Raises:
        ScriptError: there is none, or one is wrong.
    """
    paths = [wanted] if wanted is not None else place.scripts()
    if not paths:
        where = place.path.parent / SCRIPTS / f"{place.name}.yaml"
        raise ScriptError(
            f"{place.name} has no script.",
            field=str(where),
            fix="Write what a caller says, or name one by --script.",
        )
    return [(path, load_script(path)) for path in paths]
