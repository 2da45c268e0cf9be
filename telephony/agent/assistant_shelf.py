"""Assistants that were read before a call asks for them.

Guarantee: what is given is what ``load_assistant`` would give now; a file that was changed, removed, or
covered by one of the same name in the operator's folder is read again. A file that is there and wrong is
told in the log, and calls go on by its last edition that was right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telephony.assistants.loader import find_assistant, load_assistant
from telephony.errors import AssistantError
from telephony.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from telephony.agent.editions import Editions
    from telephony.assistants.schema import Assistant

log = get_logger(__name__)


class AssistantShelf:
    """The assistants of one process.

    Args:
        directories: where to look before the bundled ones.
        editions: where those are kept that were right; None keeps none.
    """

    def __init__(self, directories: Sequence[Path], editions: Editions | None = None) -> None:
        self._directories = tuple(directories)
        self._editions = editions
        self._read: dict[str, tuple[_Edition | None, Assistant]] = {}

    def get(self, name: str) -> Assistant:
        """The assistant of that name.

        Raises:
            AssistantError: there is none; or its file is wrong, and never was right.
        """
        edition = self._edition(name)
        known = self._read.get(name)
        if known is not None and edition is not None and known[0] == edition:
            return known[1]
        try:
            assistant = load_assistant(name, self._directories)
        except AssistantError as error:
            kept = self._editions.latest(name) if self._editions is not None and edition is not None else None
            if kept is None:
                raise
            log.error("assistant_file_wrong", assistant=name, led_by=kept.version, reason=str(error))
            return kept
        self._read[name] = (edition, assistant)
        if self._editions is not None and edition is not None:
            self._editions.keep(assistant, edition[0])
        return assistant

    def _edition(self, name: str) -> _Edition | None:
        path = find_assistant(name, self._directories)
        try:
            found = path.stat() if path is not None else None
        except OSError:
            # Gone since it was found.
            return None
        return (path, found.st_ino, found.st_mtime_ns, found.st_size) if path and found else None


_Edition = tuple["Path", int, int, int]
