"""What every test run has: the look through all its logs at the end, and the same logging for every test."""

from __future__ import annotations

import logging
import signal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest_plugins = ["tests.log_scan", "tests.contract.options", "pytester"]


def pytest_configure() -> None:
    """Commands under test can be interrupted, also where the run was started in the background of a shell."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _logging_as_found() -> Iterator[None]:
    """A command run inside the test process quietens the root logger; the next test must be heard again."""
    root = logging.getLogger()
    level, handlers, disabled = root.level, root.handlers[:], root.manager.disable
    yield
    root.setLevel(level)
    for added in [each for each in root.handlers if each not in handlers]:
        added.close()
    root.handlers[:] = handlers
    logging.disable(disabled)
