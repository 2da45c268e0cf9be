"""Read the numbers of a batch from a CSV file, strictly: all that is wrong with it is said at once. Pure.

RFC 4180, with what spreadsheets make of it: a byte order mark, Windows-1251 or UTF-16 in place of UTF-8,
semicolons or tabs in place of commas. The first line names the columns; the one with the number is found by
its name, every other one becomes the data of its row. A number is E.164 with its plus, never guessed.
"""

from __future__ import annotations

import codecs
import csv
import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import phonenumbers

from telephony.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MOST_ROWS = 50_000
MOST_COLUMNS = 50
LONGEST_CELL = 2_000
MOST_TOLD = 50
"""So many wrong rows are told one by one."""

NUMBER_COLUMNS = ("to", "number", "phone", "phone_number", "номер", "телефон", "номер телефона")
_DELIMITERS = (";", ",", "\t")
_SET_APART = str.maketrans("", "", " \u00a0\u202f-()")


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One number to call, and what the assistant knows of it; ``line`` is its line in the file, from 1."""

    number: str
    data: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    line: int = 0


@dataclass(frozen=True, slots=True)
class WrongRow:
    """One row that cannot be called: where, why, and what to do about it."""

    line: int
    message: str
    fix: str


class WrongNumberError(ValueError):
    """A text is no number that can be called; ``fix`` says what to write."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message)
        self.fix = fix


@dataclass(frozen=True, slots=True)
class Table:
    """What a file holds.

    Attributes:
        rows: those that can be called, in the file's order.
        wrong: the others.
        repeated: rows left out since an earlier one has their number; they are among ``wrong`` unless
            duplicates are skipped.
        encoding: how the file is written.
        columns: the names of the columns that became data.
    """

    rows: tuple[BatchRow, ...]
    wrong: tuple[WrongRow, ...]
    repeated: tuple[WrongRow, ...]
    encoding: str
    columns: tuple[str, ...]


def read_number(text: str) -> str:
    """A number in E.164, as it may be written: with blanks, hyphens and brackets.

    Raises:
        WrongNumberError: it is none; nothing is guessed.
    """
    # Our own results put an apostrophe before what a spreadsheet would take for a formula.
    plain = text.strip().removeprefix("'").translate(_SET_APART)
    if not plain:
        raise WrongNumberError("the number is missing", "Write it with its plus, such as +74951234567.")
    if not plain.startswith("+"):
        raise WrongNumberError(*_without_plus(plain))
    if not plain[1:].isascii() or not plain[1:].isdecimal():
        raise WrongNumberError(f"{text.strip()[:40]!r} is no number", "Write digits after the plus.")
    try:
        parsed = phonenumbers.parse(plain)
    except phonenumbers.NumberParseException:
        raise WrongNumberError(f"{plain[:20]} has no country's code", "Write it after the plus.") from None
    if not phonenumbers.is_possible_number(parsed):
        raise WrongNumberError(f"{plain[:20]} is too long or too short", "Count its digits.")
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def _without_plus(plain: str) -> tuple[str, str]:
    if not plain.isascii() or not plain.isdecimal():
        if "E+" in plain.upper():
            return f"{plain[:20]} is what a spreadsheet made of a number", "Format the column as text."
        return f"{plain[:40]!r} is no number", "Write it with its plus, such as +74951234567."
    if len(plain) == 11 and plain[0] == "8":
        return f"{plain} begins with 8 in place of a country's code", f"For Russia write +7{plain[1:]}."
    if plain.startswith("00"):
        return f"{plain[:20]} begins with 00 in place of +", f"Write +{plain[2:17]}."
    return (
        f"{plain[:20]} has no plus",
        f"If {plain[:3]}… begins with its country's code, write +{plain[:15]}.",
    )


def read_table(content: bytes, *, skip_repeated: bool = False) -> Table:
    """Read a file.

    Args:
        content: the whole file.
        skip_repeated: leave a number out that stands in an earlier row, in place of refusing the file.

    Raises:
        ConfigError: it is no table with a column of numbers; single rows are told in ``wrong``.
    """
    text, encoding = _decoded(content)
    lines = _records(text)
    first = next(lines, None)
    if first is None:
        raise ConfigError(
            "The file is empty.", field="csv", fix="Begin it with a line that names the columns."
        )
    names = _names(first[1])
    number_at = _number_column(names)
    rows: list[BatchRow] = []
    wrong: list[WrongRow] = []
    repeated: list[WrongRow] = []
    seen: dict[str, int] = {}
    for line, cells in lines:
        found = _row(line, cells, names, number_at)
        if isinstance(found, WrongRow):
            wrong.append(found)
        elif found.number in seen:
            message = f"{found.number} stands in line {seen[found.number]} already"
            repeated.append(WrongRow(line, message, "Remove one of them, or skip repeated numbers."))
        elif len(rows) == MOST_ROWS:
            raise ConfigError(
                f"The file has more than {MOST_ROWS} numbers.", field="csv", fix="Make several batches of it."
            )
        else:
            seen[found.number] = line
            rows.append(found)
    if not skip_repeated:
        wrong = sorted([*wrong, *repeated], key=lambda each: each.line)
    columns = tuple(name for at, name in enumerate(names) if at != number_at)
    return Table(tuple(rows), tuple(wrong), tuple(repeated), encoding, columns)


def require_right(table: Table) -> Sequence[BatchRow]:
    """The rows of a table without a fault.

    Raises:
        ConfigError: all that is wrong, with lines and fixes.
    """
    if table.wrong:
        told = [f"line {each.line}: {each.message}. {each.fix}" for each in table.wrong[:MOST_TOLD]]
        more = len(table.wrong) - len(told)
        told += [f"and {more} more"] if more else []
        count = len(table.wrong)
        what = "1 row cannot" if count == 1 else f"{count} rows cannot"
        raise ConfigError(f"{what} be called, so nothing was begun.\n" + "\n".join(told), field="csv")
    if not table.rows:
        raise ConfigError("There is no number in the file.", field="csv", fix="Write one in each line.")
    return table.rows


def _decoded(content: bytes) -> tuple[str, str]:
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if content.startswith(mark):
            return _text(content, encoding), encoding
    try:
        return content.decode("utf-8-sig"), "utf-8"
    except UnicodeDecodeError:
        return _text(content, "cp1251"), "cp1251"


def _text(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise ConfigError(
            "The file is neither UTF-8 nor Windows-1251.", field="csv", fix="Save it as CSV in UTF-8."
        ) from error


def _records(text: str) -> Iterator[tuple[int, list[str]]]:
    """The line at which each record begins, and its cells; empty lines are no records."""
    if "\x00" in text:
        raise ConfigError("The file has NUL in it, so it is no text.", field="csv", fix="Save it as CSV.")
    head = text.lstrip("\r\n").partition("\n")[0]
    delimiter = max(_DELIMITERS, key=lambda mark: head.count(mark))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    before = 0
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise ConfigError(
                f"Line {before + 1} has a quotation mark that does not end as it should: {error}.",
                field="csv",
                fix="Write a quotation mark within a cell twice.",
            ) from error
        if cells is None:
            return
        line, before = before + 1, reader.line_num
        if any(cell.strip() for cell in cells):
            yield line, cells


def _names(cells: list[str]) -> list[str]:
    names = [cell.strip() for cell in cells]
    while names and not names[-1]:
        names.pop()
    if not all(names):
        raise ConfigError(
            "A column has no name.", field="csv", fix="Name it in the first line, or remove it."
        )
    if len(names) > MOST_COLUMNS:
        raise ConfigError(f"There are more than {MOST_COLUMNS} columns.", field="csv", fix="Remove some.")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(
            f"The column {twice[0]!r} is there twice.", field="csv", fix="Give each its own name."
        )
    return names


def _number_column(names: Sequence[str]) -> int:
    lower = [name.casefold() for name in names]
    found = [at for at, name in enumerate(lower) if name in NUMBER_COLUMNS]
    if len(found) == 1:
        return found[0]
    if found:
        both = " and ".join(repr(names[at]) for at in found)
        raise ConfigError(f"{both} may both be the number.", field="csv", fix="Name one of them otherwise.")
    shown = ", ".join(NUMBER_COLUMNS)
    raise ConfigError(
        "No column is called as a column of numbers is.", field="csv", fix=f"Call it one of: {shown}."
    )


def _row(line: int, cells: list[str], names: Sequence[str], number_at: int) -> BatchRow | WrongRow:
    while len(cells) > len(names) and not cells[-1].strip():
        cells = cells[:-1]
    if len(cells) != len(names):
        message = f"it has {len(cells)} cells, the first line {len(names)}"
        return WrongRow(line, message, "Put a cell with the separator in it in quotation marks.")
    if any(len(cell) > LONGEST_CELL for cell in cells):
        return WrongRow(line, f"a cell has more than {LONGEST_CELL} characters", "Shorten it.")
    try:
        number = read_number(cells[number_at])
    except WrongNumberError as error:
        return WrongRow(line, str(error), error.fix)
    data = {
        name: cell.strip()
        for at, (name, cell) in enumerate(zip(names, cells, strict=True))
        if at != number_at and cell.strip()
    }
    return BatchRow(number, data, line=line)
