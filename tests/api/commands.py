"""The api's commands, run in this process, which its environment leads to an api."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from typer.testing import CliRunner

from telephony.api import cli_batches, cli_calls, cli_dnc, cli_keys, cli_webhooks
from tests.api.threaded import ThreadedApi
from tests.store.databases import migrate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

APPS = {
    "batch": cli_batches.app,
    "calls": cli_calls.app,
    "dnc": cli_dnc.app,
    "keys": cli_keys.app,
    "webhooks": cli_webhooks.app,
}


@contextmanager
def commanded_api(folder: Path, environment: pytest.MonkeyPatch) -> Iterator[ThreadedApi]:
    """An api with an ended call and an open one, which the environment leads to."""
    url = f"sqlite:///{folder}/record.db"
    migrate(url)
    with ThreadedApi(url, folder) as running:
        environment.setenv("TRUNKLINE_API_URL", running.base)
        environment.setenv("TRUNKLINE_API_KEY", running.key)
        environment.setenv("COLUMNS", "200")
        yield running


def run(name: str, *arguments: str, code: int = 0, answer: str = "") -> str:
    """Run a command; returns what it printed."""
    done = CliRunner().invoke(APPS[name], list(arguments), input=answer)
    assert done.exit_code == code, (done.output, done.exception)
    # What went wrong is on standard error; an answer is on standard output alone.
    return done.stdout or done.stderr


def as_json(name: str, *arguments: str, code: int = 0) -> Any:
    """The same with ``--output json``, read."""
    return json.loads(run(name, *arguments, "--output", "json", code=code))
