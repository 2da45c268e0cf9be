from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from telephony.api import cli_batches
from tests.api.commands import as_json, commanded_api, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.api.threaded import ThreadedApi

pytestmark = pytest.mark.component


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadedApi]:
    """An api which the environment leads to."""
    with commanded_api(tmp_path, monkeypatch) as running:
        yield running


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    """A spreadsheet's file."""
    path = tmp_path / "numbers.csv"
    path.write_bytes("number;name\r\n+15550100123;Анна\r\n+15550100124;Борис\r\n".encode("cp1251"))
    return path


@pytest.mark.usefixtures("api")
def test_a_batch_from_start_to_results(numbers: Path, tmp_path: Path) -> None:
    """Begun paused, seen, resumed, paused, cancelled, and its results saved."""
    options = ("--paused", "--pace", "30/min", "--retry", "busy:10m:2", "--window", "10:00-18:00")
    made = as_json("batch", "start", str(numbers), *options)
    assert (made["state"], made["size"], made["name"]) == ("paused", 2, "numbers.csv")
    assert made["options"]["window"]["start"] == "10:00"
    assert made["options"]["retry"]["busy"] == {"after_s": 600.0, "times": 2}
    assert "0 of 2 done" in run("batch", "status")
    assert made["id"] in run("batch", "list")
    assert as_json("batch", "resume", "last")["state"] == "running"
    assert "Somebody paused it." in run("batch", "pause", made["id"])
    assert "2 cancelled" in run("batch", "cancel", "last")
    assert "The batch was cancelled." in run("batch", "results", "last")
    target = tmp_path / "results.csv"
    run("batch", "results", "last", "--to", str(target))
    assert "Анна" in target.read_text("utf-8-sig")
    assert "2 of 2 done" in run("batch", "status", "last", "--follow")
    assert "is cancelled" in run("batch", "resume", "last", code=1)


def test_what_is_wrong_with_a_file_is_said_before_anybody_is_asked(tmp_path: Path) -> None:
    """All wrong rows with their lines, without an api; --check says what is right."""
    path = tmp_path / "wrong.csv"
    path.write_text("number\n89161234567\n+15550100123\nhello\n")
    told = run("batch", "start", str(path), code=2)
    assert "2 rows cannot be called" in told
    assert "line 2: 89161234567 begins with 8" in told
    assert "line 4: 'hello' is no number" in told
    path.write_text("number,city\n+15550100123,Oslo\n+15550100123,Rome\n")
    assert "stands in line 2 already" in run("batch", "start", str(path), code=2)
    checked = CliRunner().invoke(cli_batches.app, ["start", str(path), "--check", "--skip-repeated"])
    assert "1 numbers can be called (utf-8). Data: city." in checked.stdout
    assert "line 3" in checked.stderr
    for wrong in (["--pace", "fast"], ["--retry", "answered:1m:1"], ["--window", "morning"]):
        assert run("batch", "start", str(path), "--skip-repeated", *wrong, code=2)
    assert "cannot be read" in run("batch", "start", str(tmp_path / "none.csv"), code=2)


@pytest.mark.usefixtures("api")
def test_the_do_not_call_list_from_the_command_line(numbers: Path) -> None:
    """Added, shown, listed, imported, removed."""
    assert "is not called any more" in run("dnc", "add", "+1 555 0100 123", "--reason", "letter")
    assert "letter" in run("dnc", "show", "+15550100123")
    assert "1 numbers were put on the list, 1 were there before" in run("dnc", "import", str(numbers))
    listed = as_json("dnc", "list")
    assert [entry["number"] for entry in listed["entries"]] == ["+15550100123", "+15550100124"]
    assert "may be called again" in run("dnc", "remove", "+15550100124")
    assert run("dnc", "show", "+15550100124", code=1)
    assert "write +79161234567" in run("dnc", "add", "89161234567", code=2)
