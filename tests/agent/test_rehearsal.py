"""A job process goes through a call's beginning before it is given one."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest

from telephony.agent import rehearsal
from telephony.assistants.loader import load_assistant
from telephony.logs import configure_structlog

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.component


@pytest.fixture(autouse=True)
def _logging() -> None:
    configure_structlog()


def given_up(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The reasons for which a rehearsal was given up or not begun."""
    return [vars(record)["reason"] for record in caplog.records if record.getMessage() == "not_rehearsed"]


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
    assert given_up(caplog) == []


def test_a_rehearsal_that_fails_is_only_a_slower_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """livekit-agents would start another process for one that raised, for ever."""

    def broken(*_: Any) -> Any:
        raise RuntimeError("no")

    monkeypatch.setattr(rehearsal, "runnable", lambda: 1)
    monkeypatch.setattr(rehearsal, "phone_session", broken)
    with caplog.at_level(logging.INFO):
        rehearsal.rehearse(load_assistant("reception"), tmp_path)
    assert given_up(caplog) == ["no"]


def test_a_busy_machine_has_no_time_for_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of ten calls at once the last ones wait for processes to start, not to rehearse."""
    begun: list[Any] = []
    monkeypatch.setattr(rehearsal, "runnable", lambda: 1000)
    monkeypatch.setattr(rehearsal, "build", begun.append)
    with caplog.at_level(logging.DEBUG):
        rehearsal.rehearse(load_assistant("reception"), tmp_path)
    assert begun == []
    assert given_up(caplog) == ["the processors are busy"]


def test_the_machine_says_how_much_runs() -> None:
    """On Linux at least the thread that asks runs."""
    assert rehearsal.runnable() >= 1
