"""A job process goes through a call's beginning before it is given one."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from telephony.agent import rehearsal
from telephony.agent.calls_waiting import VARIABLE, CallsWaiting, calls_wait
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


def test_it_lets_the_call_begin_that_took_the_last_process(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process is prepared just when a call has begun: unrehearsed, it would be slow for the next one."""
    busy = iter([9, 9, 9])
    monkeypatch.setattr(rehearsal, "runnable", lambda: next(busy, 1))
    with caplog.at_level(logging.DEBUG):
        rehearsal.rehearse(load_assistant("reception"), tmp_path)
    assert next(busy, None) is None
    assert given_up(caplog) == []


def test_while_calls_wait_for_a_process_there_is_no_rehearsal(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of more calls at once than idle processes the last wait for processes to start, not to rehearse."""
    waiting = CallsWaiting()
    monkeypatch.setenv(VARIABLE, waiting.place)
    monkeypatch.setattr(rehearsal, "runnable", lambda: 1000)
    monkeypatch.setattr("telephony.agent.rehearsal.time.sleep", lambda _: waiting.tell(1))
    with caplog.at_level(logging.DEBUG):
        rehearsal.rehearse(load_assistant("reception"), tmp_path)
    assert given_up(caplog) == ["a call waits for this process"]


def test_whether_calls_wait_is_told_between_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process reads what the worker wrote last; without a worker nobody waits."""
    monkeypatch.delenv(VARIABLE, raising=False)
    assert not calls_wait()
    waiting = CallsWaiting()
    ask = "from telephony.agent.calls_waiting import calls_wait; print(calls_wait())"
    env = {**os.environ, VARIABLE: waiting.place}

    def told() -> str:
        asked = subprocess.run(
            [sys.executable, "-c", ask], env=env, capture_output=True, text=True, check=True
        )
        return asked.stdout.strip()

    assert told() == "False"
    waiting.tell(1000)
    assert told() == "True"
    waiting.tell(0)
    assert told() == "False"


def test_a_busy_machine_has_no_time_for_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the processors stay busy, the process is soon ready without."""
    begun: list[Any] = []
    monkeypatch.setattr(rehearsal, "CALM_WITHIN_S", 0.05)
    monkeypatch.setattr(rehearsal, "runnable", lambda: 1000)
    monkeypatch.setattr(rehearsal, "build", begun.append)
    with caplog.at_level(logging.DEBUG):
        rehearsal.rehearse(load_assistant("reception"), tmp_path)
    assert begun == []
    assert given_up(caplog) == ["the processors are busy"]


def test_the_machine_says_how_much_runs() -> None:
    """On Linux at least the thread that asks runs."""
    assert rehearsal.runnable() >= 1
