"""Every edition of an assistant that calls were led by, kept on the line's disk.

The record of a call names its assistant's version; the file of that version is here. And a file that was
saved half-edited ends no call: until it is right again, calls are led by the last edition that was.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from telephony.assistants.loader import read_assistant
from telephony.errors import AssistantError
from telephony.logs import get_logger

if TYPE_CHECKING:
    from pathlib import Path

    from telephony.assistants.schema import Assistant

log = get_logger(__name__)

_LATEST = "latest"


class Editions:
    """The editions of one line, as ``NAME/VERSION/NAME.yaml``.

    Args:
        folder: made when the first is kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, assistant: Assistant, path: Path) -> None:
        """Keep the file that this assistant was read from; failing to is no reason to fail a call."""
        try:
            kept = self._file(assistant.name, assistant.version)
            if not kept.is_file():
                _write(kept, path.read_bytes())
            latest = self._folder / assistant.name / _LATEST
            if _text(latest) != assistant.version:
                _write(latest, assistant.version.encode())
        except OSError as error:
            log.warning("edition_not_kept", assistant=assistant.name, reason=str(error))

    def latest(self, name: str) -> Assistant | None:
        """The last edition of that name that was right; None where there was none."""
        version = _text(self._folder / name / _LATEST)
        if not version.isalnum():
            return None
        try:
            return read_assistant(self._file(name, version))
        except AssistantError as error:
            log.warning("edition_not_read", assistant=name, reason=str(error))
            return None

    def _file(self, name: str, version: str) -> Path:
        return self._folder / name / version / f"{name}.yaml"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    new.write_bytes(data)
    os.replace(new, path)
