"""Write what became of a batch as CSV, one line a number, safe to open in a spreadsheet. Pure.

A cell that a spreadsheet would take for a formula gets an apostrophe before it (OWASP, CSV Injection): the
data of a row came from elsewhere. A number is left as it is, so that the file can be read in again.
"""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

COLUMNS = (
    "row",
    "number",
    "state",
    "outcome",
    "answered_by",
    "attempts",
    "sip_status",
    "reason",
    "call_id",
    "finished_at",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")
_NUMBER = re.compile(r"^\+[1-9]\d{4,14}\Z")


def harmless(value: Any) -> str:
    """A cell that no spreadsheet computes."""
    text = "" if value is None else str(value)
    if text.lstrip().startswith(_FORMULA) and not _NUMBER.match(text):
        return f"'{text}"
    return text


def data_columns(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """The names under which rows have data, in the order in which they come first."""
    return list(dict.fromkeys(name for row in rows for name in row["data"]))


def head(columns: Sequence[str]) -> str:
    """The first line, with the byte order mark by which spreadsheets know UTF-8."""
    return "\ufeff" + _line([*COLUMNS, *(f"data.{name}" for name in columns)])


def lines(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """One line for each row.

    Args:
        rows: each with ``COLUMNS`` and ``data``.
        columns: of the data.
    """
    return "".join(
        _line([*(row[name] for name in COLUMNS), *(row["data"].get(name) for name in columns)])
        for row in rows
    )


def _line(cells: Sequence[Any]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow([harmless(cell) for cell in cells])
    return out.getvalue()
