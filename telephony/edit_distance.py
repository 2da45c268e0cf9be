"""How far two words or texts are apart (Levenshtein). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def edit_distance(one: Sequence[object], other: Sequence[object]) -> int:
    """How many entries must be changed, put in or left out to make one of the other.

    Args:
        one: a word, by its letters, or a text, by its words.
        other: likewise.
    """
    row = list(range(len(other) + 1))
    for at, entry in enumerate(one, 1):
        before, row[0] = row[0], at
        for place, counterpart in enumerate(other, 1):
            changed = before + (entry != counterpart)
            before, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, changed)
    return row[-1]
