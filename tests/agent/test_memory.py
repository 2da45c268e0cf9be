"""A job tells of its memory where it is more than a call needs."""

from __future__ import annotations

import logging

import psutil
import pytest

from telephony.agent import memory
from telephony.logs import configure_structlog

pytestmark = pytest.mark.pure


def warned(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    """What was warned of."""
    configure_structlog()
    with caplog.at_level(logging.WARNING):
        memory.tell()
    return [vars(record) for record in caplog.records if record.getMessage() == "job_memory_high"]


@pytest.mark.skipif(not psutil.LINUX, reason="other kernels do not tell a share")
def test_this_process_has_some_memory() -> None:
    """At least the interpreter, and less than the machine."""
    assert 5 < memory.own_mb() < 10_000


def test_much_is_warned_about(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The figure and what was expected stand in the warning."""
    monkeypatch.setattr(memory, "WARN_MB", 1)
    (record,) = warned(caplog)
    assert (record["mb"], record["expected_mb"]) == (pytest.approx(memory.own_mb(), abs=20), 1)


def test_little_is_not(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A call's usual memory is no news."""
    monkeypatch.setattr(memory, "WARN_MB", 10_000)
    assert warned(caplog) == []


def test_a_kernel_that_does_not_tell_costs_no_call(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor is it warned about."""

    def denied(_: psutil.Process) -> None:
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil.Process, "memory_full_info", denied)
    monkeypatch.setattr(memory, "WARN_MB", 1)
    assert (memory.own_mb(), warned(caplog)) == (0.0, [])
