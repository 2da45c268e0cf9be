"""What is wrong in a file, where, and what to write instead. Pure.

A problem stops the command; a note only says what happens instead of what was written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Path = tuple[str | int, ...]
"""Where a value stands in the tree: ``("sip_trunks", 0, "numbers")``."""


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """Line and column in the file, both from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in the file.

    Attributes:
        path: the value at fault.
        message: what is wrong, in one sentence, never with a secret in it.
        position: where; None when the value is missing altogether and has no parent in the file.
        fix: what to write instead, in the imperative.
    """

    path: Path
    message: str
    position: Position | None = None
    fix: str | None = None

    def __str__(self) -> str:
        where = f"{self.position}: " if self.position else ""
        what = f"{dotted(self.path)}: " if self.path else ""
        return f"{where}{what}{self.message}" + (f" {self.fix}" if self.fix else "")

    def to_json(self) -> dict[str, Any]:
        """The published shape of one problem or note."""
        return {
            "path": dotted(self.path),
            "line": self.position.line if self.position else None,
            "column": self.position.column if self.position else None,
            "message": self.message,
            "fix": self.fix,
        }


Note = Problem
"""The same shape for what is allowed but does not happen as written."""


def dotted(path: Iterable[str | int]) -> str:
    """Spell a path as an operator would: ``sip_trunks[0].numbers``."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step}" if text else step
    return text


def position_of(path: Path, positions: Mapping[Path, Position]) -> Position | None:
    """The position of a value, or of the nearest ancestor that the file has."""
    for length in range(len(path), -1, -1):
        if path[:length] in positions:
            return positions[path[:length]]
    return None


def in_reading_order(problems: Iterable[Problem]) -> list[Problem]:
    """Sort by position, and drop what was found twice."""
    unique = {(problem.path, problem.message): problem for problem in problems}
    nowhere = Position(0, 0)
    return sorted(unique.values(), key=lambda problem: problem.position or nowhere)
