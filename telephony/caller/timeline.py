"""Where everything lies on the picture of a call: rows, bubbles, wrapped lines. Pure geometry, in pixels.

A call is set like music: the time line is broken into rows at moments of silence, each with the caller's lane
above the agent's, at one scale for all rows.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

PIXELS_PER_S = 72.0
ROW_S = 15.5
"""Longest row: fits a page 1240 pixels wide."""
_LAST_ROW = 1.15
"""The last row may be longer by this factor, rather than leave a row of a second or two behind it."""
CHARACTER = 7.0
"""Width of an average character of the text in bubbles; on the safe side for common fonts."""
LINE = 17
PADDING = 9
_NARROWEST = 96.0
_GAP = 8.0


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the picture, from ``start_s`` to ``end_s``."""

    start_s: float
    end_s: float

    def x(self, at_s: float) -> float:
        """Pixels from the left end of the row, kept inside it."""
        return (min(max(at_s, self.start_s), self.end_s) - self.start_s) * PIXELS_PER_S

    def holds(self, at_s: float) -> bool:
        """Whether a moment lies in this row."""
        return self.start_s <= at_s < self.end_s

    @property
    def width(self) -> float:
        """Of its part with time in it, in pixels."""
        return (self.end_s - self.start_s) * PIXELS_PER_S


@dataclass(frozen=True, slots=True)
class Spoken:
    """What one side said from ``start_s`` to ``end_s``; ``note`` is said about it, ``marked`` stands out."""

    start_s: float
    end_s: float
    text: str
    note: str = ""
    marked: bool = False


@dataclass(frozen=True, slots=True)
class Bubble:
    """Text beside the sound it belongs to."""

    x: float
    width: float
    lines: tuple[str, ...]
    notes: tuple[str, ...]
    spoken: Spoken

    @property
    def height(self) -> float:
        """With its padding, in pixels."""
        return (len(self.lines) + len(self.notes)) * LINE + PADDING


def split_rows(
    duration_s: float, speech: Sequence[tuple[float, float]], *, row_s: float = ROW_S
) -> list[Row]:
    """Break a call into rows of at most ``row_s``, at silence where there is some.

    Args:
        duration_s: of the call.
        speech: (start, end) of everything either side said.
        row_s: longest row.
    """
    rows: list[Row] = []
    start_s = 0.0
    while duration_s - start_s > row_s * _LAST_ROW:
        end_s = _break_between(start_s + 0.5 * row_s, start_s + row_s, speech)
        rows.append(Row(start_s, end_s))
        start_s = end_s
    rows.append(Row(start_s, max(duration_s, start_s + 1.0)))
    return rows


def _break_between(low_s: float, high_s: float, speech: Sequence[tuple[float, float]]) -> float:
    """The last silent moment of a stretch, a little before the speech behind it begins."""
    moment = high_s
    for start_s, end_s in sorted(speech, reverse=True):
        if start_s - 0.25 < moment < end_s:
            moment = start_s - 0.25
    return moment if moment >= low_s else high_s


def place_bubbles(row: Row, spoken: Sequence[Spoken]) -> list[Bubble]:
    """Lay out the bubbles of one lane of one row: they begin where the speech begins and do not overlap."""
    here = sorted(
        (item for item in spoken if row.holds(item.start_s) and item.text), key=lambda item: item.start_s
    )
    right_edge = max(row.width, ROW_S * PIXELS_PER_S)
    bubbles: list[Bubble] = []
    left_edge = 0.0
    for index, item in enumerate(here):
        limit = row.x(here[index + 1].start_s) - _GAP if index + 1 < len(here) else right_edge
        x = row.x(item.start_s)
        wished = max(
            (item.end_s - item.start_s) * PIXELS_PER_S,
            min(max(len(item.text), len(item.note)) * CHARACTER + 2 * PADDING, 250.0),
        )
        if x + wished > limit:
            x = max(left_edge, limit - wished)
        width = max(_NARROWEST, min(wished, limit - x))
        notes = wrap(item.note, width) if item.note else ()
        bubbles.append(Bubble(x, width, wrap(item.text, width), notes, item))
        left_edge = x + width + _GAP
    return bubbles


def wrap(text: str, width: float) -> tuple[str, ...]:
    """Break a text into lines that fit a bubble of this width."""
    room = max(8, int((width - 2 * PADDING) / CHARACTER))
    return tuple(textwrap.wrap(text, room, max_lines=8, placeholder=" …")) or ("",)
