"""What every test run has: the look through all its logs at the end, and the same logging for every test."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest_plugins = ["tests.log_scan", "tests.contract.options", "pytester"]


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
