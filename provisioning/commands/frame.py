"""What all commands share: the file, the two kinds of output, errors as one sentence, exit codes.

0 ok, 1 failed, 2 wrong usage, 3 drift found. Nothing ever ends in a traceback: what was not foreseen is
told in one sentence too, and ``TRUNKLINE_DEBUG=1`` shows the rest.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
import threading
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, ParamSpec

import typer
from rich.console import Console

from provisioning.config import ConfigProblemsError, LoadedConfig, environment, load
from provisioning.reading.problem import Problem
from provisioning.refusals import RefusedError
from provisioning.running_line import RunningLine, running_line
from provisioning.sip_service import SipService
from provisioning.views.words import BAD, DIM, WARN, clean, line, wrapped
from telephony.errors import ConfigError, TrunklineError
from telephony.logs import configure_structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator

    from rich.text import Text

Parameters = ParamSpec("Parameters")

INTERRUPTED = 130
_WIDE = 4000


class Output(StrEnum):
    """How a command speaks."""

    TEXT = "text"
    JSON = "json"


ConfigOption = Annotated[
    Path, typer.Option("--config", metavar="FILE", help="The operator's file.", show_default=True)
]
OutputOption = Annotated[
    Output, typer.Option("--output", help="text for people; json in the shape of docs/provisioning/.")
]
LineOption = Annotated[
    Path | None,
    typer.Option(
        "--line",
        metavar="FOLDER",
        help="Folder of a line that runs here, such as var/line.",
    ),
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before deleting.")]


class Screen:
    """Standard output of one command. Colour and width on a terminal, plain long lines elsewhere."""

    def __init__(self, output: Output) -> None:
        self.as_json = output is Output.JSON
        self._out = _console(sys.stdout)
        self._err = _console(sys.stderr)

    @property
    def is_live(self) -> bool:
        """Whether somebody watches, so that progress may move."""
        return self._err.is_terminal and not self.as_json

    @property
    def error_console(self) -> Console:
        """Where progress is drawn."""
        return self._err

    def show(self, lines: Iterable[Text]) -> None:
        """Print a view; nothing when the output is JSON."""
        if not self.as_json:
            for text in lines:
                _print(self._out, text)

    def say(self, text: str, style: str = "") -> None:
        """Print one line for people."""
        self.show([line((text, style))])

    def aside(self, text: str, style: str = DIM) -> None:
        """Say something beside the result, on standard error; it does not disturb JSON."""
        _print(self._err, line((text, style)))

    def give(self, value: dict[str, Any]) -> None:
        """Print the result as JSON; nothing when the output is for people."""
        if self.as_json:
            sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")

    def fail(self, error: TrunklineError) -> None:
        """Say why the command failed."""
        if self.as_json:
            self.give({"error": error_json(error)})
            return
        problems = error.problems if isinstance(error, ConfigProblemsError | RefusedError) else []
        if not problems:
            _print(self._err, line(("error: ", BAD), str(error)))
            return
        heading = str(error).splitlines()[0]
        self._err.print(line(("error: ", BAD), heading))
        file = f"{error.file}:" if isinstance(error, ConfigProblemsError) else ""
        for problem in problems:
            self._problem(problem, file)

    def _problem(self, problem: Problem, file: str) -> None:
        bare = Problem(problem.path, problem.message)
        where = f"{file}{problem.position}: " if problem.position else ""
        _print(self._err, line("  ", (where, DIM), str(bare)))
        if problem.fix:
            _print(self._err, line("      ", (problem.fix, WARN)))


def error_json(error: TrunklineError) -> dict[str, Any]:
    """The published shape of a failure."""
    problems = error.problems if isinstance(error, ConfigProblemsError | RefusedError) else []
    return {
        "message": error.message.splitlines()[0],
        "field": error.field,
        "fix": error.fix,
        "retryable": error.retryable,
        "problems": [problem.to_json() for problem in problems],
    }


def run(output: Output, work: Callable[[Screen], Coroutine[Any, Any, int]]) -> NoReturn:
    """Run a command's work and leave with its exit code."""
    _quiet_logs()
    screen = Screen(output)
    try:
        with _stopped_as_by_ctrl_c():
            code = asyncio.run(work(screen))
    except TrunklineError as error:
        screen.fail(error)
        code = error.exit_code
    except KeyboardInterrupt:
        screen.aside("interrupted; what was begun is finished, the rest is left for the next run", WARN)
        code = INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        code = 1
    except Exception as error:
        if os.environ.get("TRUNKLINE_DEBUG"):
            raise
        name = type(error).__name__
        unforeseen = TrunklineError(
            f"something unforeseen went wrong: {name}: {clean(str(error))[:300]}",
            fix="Run it again with TRUNKLINE_DEBUG=1 and report what it shows.",
        )
        screen.fail(unforeseen)
        code = 1
    raise typer.Exit(code)


@contextlib.contextmanager
def _stopped_as_by_ctrl_c() -> Iterator[None]:
    """A service manager's or a CI job's SIGTERM is a Ctrl-C: what was begun is finished, then it ends."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's
        return
    before = signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def read(path: Path, screen: Screen, *, line: RunningLine | None = None, notes: bool = False) -> LoadedConfig:
    """Read the operator's file, as the running line sees it where one is given; notes only if asked for."""
    env = environment(path)
    if line is not None:
        env |= line.environment
    loaded = load(path, env)
    if notes:
        for note in loaded.notes:
            screen.aside(f"warning: {loaded.file}:{note}", WARN)
    return loaded


def line_at(folder: Path | None) -> RunningLine | None:
    """The running line of a folder, if one is given.

    Raises:
        ConfigError: there is none.
    """
    return None if folder is None else running_line(folder)


def service_for(loaded: LoadedConfig) -> SipService:
    """The file's livekit-server.

    Raises:
        ConfigError: the key to it is missing.
    """
    server = loaded.config.livekit
    if server.api_key is None or server.api_secret is None:
        missing = "api_key" if server.api_key is None else "api_secret"
        raise ConfigError(
            "the key to livekit-server is missing.",
            field=f"livekit.{missing}",
            fix="Set LIVEKIT_API_KEY and LIVEKIT_API_SECRET in the environment or in .env.local.",
        )
    return SipService(
        server.url,
        server.api_key,
        server.api_secret.get_secret_value(),
        timeout_s=server.connection_timeout,
    )


def _print(console: Console, text: Text) -> None:
    """Whole lines into files and pipes; on a terminal what is too long goes on below its own column."""
    if not console.is_terminal:
        console.print(text, soft_wrap=True)
        return
    for part in wrapped(text, console):
        console.print(part, no_wrap=True, crop=False, overflow="ignore")


def _console(stream: Any) -> Console:
    width = None if stream.isatty() else _WIDE
    return Console(file=stream, highlight=False, markup=False, emoji=False, width=width)


def _quiet_logs() -> None:
    configure_structlog()
    logging.getLogger().addHandler(logging.NullHandler())
    logging.getLogger().setLevel(logging.WARNING if os.environ.get("TRUNKLINE_DEBUG") else logging.CRITICAL)
