"""Texts that are safe to print and easy to read, whatever an operator or a stranger wrote into them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_GAP = re.compile(r" {2,}(?:fix: |ask: |→ )?")
_LONGEST = 160

GOOD, BAD, WARN, DIM, STRONG = "green", "red", "yellow", "dim", "bold"
"""Styles; a terminal without colour shows none, the words say it all."""


def clean(text: str) -> str:
    """A text in which nothing moves the cursor, hides or reverses letters."""
    return _CONTROL.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def value_text(value: Any) -> str:
    """A field's value in one short line."""
    if value is None:
        return "nothing"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = clean(text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text)} characters)"


def flattened(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """A nested value as dotted names and plain values; lists of plain values stay whole."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from flattened(item, f"{name}.{key}")
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for index, item in enumerate(value):
            yield from flattened(item, f"{name}[{index}]")
    else:
        yield name, value


def line(*parts: str | tuple[str, str]) -> Text:
    """One line of plain and styled parts; nothing in them is read as markup."""
    text = Text()
    for part in parts:
        if isinstance(part, tuple):
            text.append(clean(part[0]), style=part[1])
        else:
            text.append(clean(part))
    return text


def wrapped(text: Text, console: Console) -> list[Text]:
    """A line for a terminal: what does not fit goes on below the last column, not below the first."""
    left = text.plain[: console.width // 2]
    hang = max((gap.end() for gap in _GAP.finditer(left)), default=0)
    if text.cell_len <= console.width or hang > console.width // 2 - 2:
        return list(text.wrap(console, console.width))
    head, rest = text.divide([hang])
    parts = rest.wrap(console, console.width - hang)
    return [Text.assemble(head if n == 0 else " " * hang, part) for n, part in enumerate(parts)]


def counted(number: int, one: str, many: str | None = None) -> str:
    """``1 change``, ``2 changes``."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def columns(rows: Sequence[Sequence[str | Text]], *, indent: int = 2, gap: int = 2) -> list[Text]:
    """Rows with aligned columns; the last column is not padded."""
    cells = [[cell if isinstance(cell, Text) else Text(clean(cell)) for cell in row] for row in rows]
    count = max((len(row) for row in cells), default=0)
    widths = [max((row[n].cell_len for row in cells if n < len(row)), default=0) for n in range(count)]
    result = []
    for row in cells:
        text = Text(" " * indent)
        for n, cell in enumerate(row):
            text.append_text(cell)
            if n < len(row) - 1:
                text.append(" " * (widths[n] - cell.cell_len + gap))
        result.append(text)
    return result
