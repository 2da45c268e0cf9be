"""What flows through one call's pipeline: whose, where to, and without what is secret."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from telephony.agent.flow_log import MOST_KEPT, FlowLog, is_wanted

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.pure

CALL = "call_" + "a" * 26


def log_of(folder: Path, numbers: list[str], *, wanted: bool = False) -> FlowLog:
    return FlowLog(folder, numbers, wanted=wanted, hide=lambda text: text.replace("4711", "•"))


@pytest.mark.parametrize(
    ("numbers", "wanted", "number", "written"),
    [
        (["+15550100199"], False, "+15550100199", True),
        (["+15550100199"], False, "+15550100100", False),
        (["+15550100199"], False, None, False),
        (["all"], False, None, True),
        ([], True, "+15550100100", True),
    ],
)
def test_only_calls_that_were_asked_for_are_written(
    tmp_path: Path, numbers: list[str], wanted: bool, number: str | None, written: bool
) -> None:
    """What was noted before it was known who calls is written as well, or forgotten."""
    flow = log_of(tmp_path, numbers, wanted=wanted)
    flow.note("caller", state="speaking")
    flow.begin(CALL, number)
    flow.note("words", text="my PIN is 4711", final=True)
    flow.close()
    path = tmp_path / "pipeline" / f"{CALL}.jsonl"
    assert path.exists() == written
    if written:
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        assert [line["what"] for line in lines] == ["caller", "words"]
        assert lines[1]["text"] == "my PIN is •"
        assert path.stat().st_mode & 0o777 == 0o600


def test_memory_is_bounded_until_it_is_known_who_calls(tmp_path: Path) -> None:
    """A call that nobody identifies cannot fill it."""
    flow = log_of(tmp_path, ["+15550100199"])
    for _ in range(MOST_KEPT + 100):
        flow.note("caller", state="speaking")
    flow.begin(CALL, "+15550100199")
    flow.close()
    flow.note("caller", state="speaking")
    assert len((tmp_path / "pipeline" / f"{CALL}.jsonl").read_text().splitlines()) == MOST_KEPT


@pytest.mark.parametrize(
    ("metadata", "wanted"),
    [
        ('{"pipeline_log": true}', True),
        ('{"pipeline_log": "yes"}', False),
        ("", False),
        ("[1]", False),
        ("{", False),
    ],
)
def test_a_jobs_metadata_may_ask_for_it(metadata: str, wanted: bool) -> None:
    """By the truth value alone."""
    assert is_wanted(metadata) is wanted
