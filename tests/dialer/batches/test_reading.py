from __future__ import annotations

import contextlib
import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.dialer.batches import results
from telephony.dialer.batches.reading import (
    MOST_TOLD,
    Table,
    WrongNumberError,
    read_number,
    read_table,
    require_right,
)
from telephony.errors import ConfigError

pytestmark = pytest.mark.pure


def read(text: str, encoding: str = "utf-8") -> Table:
    return read_table(text.encode(encoding))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1251", "utf-16"])
@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_a_file_is_read_as_spreadsheets_write_it(encoding: str, mark: str) -> None:
    """Any of the usual encodings and separators; columns beside the number become data."""
    text = f"Телефон{mark}имя\r\n+7 (495) 123-45-67{mark}Ольга\r\n\r\n+15550100123{mark}\r\n"
    table = read(text, encoding)
    assert [(row.number, row.data, row.line) for row in table.rows] == [
        ("+74951234567", {"имя": "Ольга"}, 2),
        ("+15550100123", {}, 4),
    ]
    assert table.columns == ("имя",)
    assert not table.wrong


def test_all_that_is_wrong_is_said_at_once_with_lines_and_fixes() -> None:
    """Each row that cannot be called is named, with what to write, and nothing is begun."""
    table = read(
        "number,name\n89161234567,A\n74951234567,B\n7.4951E+10,C\n,D\n+7495,E\n+74951234567,F,G\n"
        '+74951234567,"x\ny"\n+74951234567,again\n+999123456,H\nhallo,I\n00441632960000,J\n'
    )
    told = {each.line: f"{each.message}. {each.fix}" for each in table.wrong}
    assert list(told) == [2, 3, 4, 5, 6, 7, 10, 11, 12, 13]
    assert "write +79161234567" in told[2]
    assert "+74951234567" in told[3]
    assert "Format the column as text" in told[4]
    assert "missing" in told[5]
    assert "too short" in told[6]
    assert "3 cells" in told[7]
    assert "stands in line 8 already" in told[10]
    assert "country" in told[11]
    assert "Write +441632960000." in told[13]
    with pytest.raises(ConfigError, match="10 rows cannot be called, so nothing was begun") as caught:
        require_right(table)
    assert "line 13: " in str(caught.value)


def test_repeated_numbers_may_be_skipped() -> None:
    """Then the first of them is called, and the others are still named."""
    table = read_table(b"to\n+15550100123\n+1 555 0100 123\n", skip_repeated=True)
    assert [row.line for row in require_right(table)] == [2]
    assert [each.line for each in table.repeated] == [3]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "empty"),
        ("name\nA\n", "No column"),
        ("to,phone\n+15550100123,1\n", "may both be"),
        ("to,a,a\n", "twice"),
        ("to,,b\n+1,2,3\n", "no name"),
        ("to\n\x00\n", "NUL"),
        ('to,a\n+15550100123,"x"y\n', "quotation mark"),
        ('to,a\n+15550100123,"x\n', "quotation mark"),
        ("to\n", "no number"),
    ],
)
def test_what_is_no_table_of_numbers_is_refused(text: str, what: str) -> None:
    """The sentence says what is wrong with the file as a whole."""
    with pytest.raises(ConfigError, match=what):
        require_right(read(text))


def test_of_many_wrong_rows_the_first_are_told() -> None:
    """A file of another kind does not fill the terminal."""
    with pytest.raises(ConfigError, match="and 10 more"):
        require_right(read("to\n" + "x\n" * (MOST_TOLD + 10)))


@given(st.binary(max_size=300))
def test_no_file_breaks_the_reader(content: bytes) -> None:
    """Whatever bytes come: a table, or a sentence."""
    with contextlib.suppress(ConfigError):
        assert all(row.number.startswith("+") for row in read_table(content).rows)


@given(st.text(max_size=30))
def test_a_number_is_e164_or_refused(text: str) -> None:
    """Nothing without a plus becomes a number."""
    with contextlib.suppress(WrongNumberError):
        number = read_number(text)
        assert number.startswith("+")
        assert read_number(number) == number


def test_results_cannot_compute_anything() -> None:
    """What a spreadsheet would run is disarmed; a number can be read in again."""
    data = {"note": '=cmd|"/c calc"!A1', "sum": "-2+3", "at": " @SUM(A1)", "tab": "\t=1", "ok": "a=b"}
    row = dict.fromkeys(results.COLUMNS, None) | {"row": 1, "number": "+15550100123", "data": data}
    columns = results.data_columns([row])
    text = results.head(columns) + results.lines([row], columns)
    assert text.startswith("\ufeff")
    read_back = next(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
    assert read_back["number"] == "+15550100123"
    assert read_back["data.ok"] == "a=b"
    for name in ("note", "sum", "at", "tab"):
        assert read_back[f"data.{name}"].startswith("'")
    assert read_table(text.encode()).rows[0].number == "+15550100123"


@given(st.text(max_size=40))
def test_no_cell_begins_like_a_formula(text: str) -> None:
    """Every cell that is not a number begins harmlessly."""
    cell = results.harmless(text)
    assert not cell.lstrip().startswith(("=", "@", "-", "|", "%")) or cell.startswith("'")
    assert text in cell
