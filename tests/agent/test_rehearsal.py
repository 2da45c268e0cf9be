"""A job process goes through a call's beginning before it is given one."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest

from telephony.agent import rehearsal
from telephony.assistants.loader import load_assistant

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.component


def test_it_leaves_nothing_behind_and_raises_no_alarm(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No file, no thread, no warning; and it was not given up half way."""
    monkeypatch.setattr(rehearsal, "runnable", lambda: 1)
    before = threading.active_count()
    with caplog.at_level(logging.INFO):
        rehearsal.rehearse(load_assistant("reception"), tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert threading.active_count() == before
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert "not_rehearsed" not in caplog.text


def test_a_rehearsal_that_fails_is_only_a_slower_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """livekit-agents would start another process for one that raised, for ever."""

    def broken(*_: Any) -> Any:
        raise RuntimeError("no")

    monkeypatch.setattr(rehearsal, "runnable", lambda: 1)
    monkeypatch.setattr(rehearsal, "phone_session", broken)
    rehearsal.rehearse(load_assistant("reception"), tmp_path)


def test_a_busy_machine_has_no_time_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of ten calls at once the last ones wait for processes to start, not to rehearse."""

    def unexpected(*_: Any) -> Any:
        raise AssertionError("it rehearsed")

    monkeypatch.setattr(rehearsal, "runnable", lambda: 1000)
    monkeypatch.setattr("asyncio.run", unexpected)
    rehearsal.rehearse(load_assistant("reception"), tmp_path)


def test_the_machine_says_how_much_runs() -> None:
    """On Linux at least the thread that asks runs."""
    assert rehearsal.runnable() >= 1
