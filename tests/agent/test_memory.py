"""A job tells of its memory where it is more than a call needs."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from telephony.agent import memory
from telephony.logs import configure_structlog

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.pure


def warned(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    """What was warned of."""
    configure_structlog()
    with caplog.at_level(logging.WARNING):
        memory.tell()
    return [vars(record) for record in caplog.records if record.getMessage() == "job_memory_high"]


@pytest.mark.skipif(not memory._ROLLUP.exists(), reason="the kernel does not tell")
def test_this_process_has_some_memory() -> None:
    """At least the interpreter, and less than the machine."""
    assert 5 < memory.own_mb() < 10_000


def test_much_is_warned_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The figure and what was expected stand in the warning."""
    rollup = tmp_path / "smaps_rollup"
    rollup.write_text("00400000-7ffc00000000 ---p 00000000 00:00 0 [rollup]\nRss: 999 kB\nPss: 512000 kB\n")
    monkeypatch.setattr(memory, "_ROLLUP", rollup)
    (record,) = warned(caplog)
    assert (record["mb"], record["expected_mb"]) == (500, memory.WARN_MB)


@pytest.mark.parametrize("content", ["", "Pss:\n", "Pss: much kB\n", "Pss: 1000 kB\n"])
def test_little_or_nothing_that_can_be_read_is_not(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A kernel that tells something else costs no call."""
    rollup = tmp_path / "smaps_rollup"
    rollup.write_text(content)
    monkeypatch.setattr(memory, "_ROLLUP", rollup)
    assert warned(caplog) == []
