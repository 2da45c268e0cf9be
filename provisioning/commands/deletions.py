"""Ask before anything is deleted; where nobody can answer, insist on ``--yes``."""

from __future__ import annotations

import os
import select
import signal
import sys
from typing import TYPE_CHECKING

import typer

from provisioning.views.words import WARN, counted
from telephony.errors import ConfigError

if TYPE_CHECKING:
    from provisioning.commands.frame import Screen
    from provisioning.plan import Plan


def may_delete(screen: Screen, plan: Plan, *, yes: bool) -> bool:
    """Whether a plan's deletions are meant; true where there are none.

    Raises:
        ConfigError: there are some, and nobody is there to be asked.
    """
    if yes or not plan.deletions:
        return True
    count = counted(len(plan.deletions), "object")
    if screen.as_json or not sys.stdin.isatty():
        raise ConfigError(
            f"nothing was written: {count} would be deleted.", fix="Say --yes if that is meant."
        )
    if _confirmed(f"Delete {count}?"):
        return True
    screen.aside("nothing was written", WARN)
    return False


def _confirmed(question: str) -> bool:
    """Ask; Ctrl-C and the end of the input mean no. asyncio's own handler would wait for the line first."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        typer.echo(f"{question} [y/N]: ", nl=False)
        return _line_typed().strip().lower() in ("y", "yes")
    except KeyboardInterrupt:
        typer.echo()
        return False
    finally:
        signal.signal(signal.SIGINT, before)


def _line_typed() -> str:
    """The next line. A signal that comes just before the wait would go unseen in it, but for the pipe."""
    woken, waker = os.pipe()
    os.set_blocking(waker, False)
    before = signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    try:
        select.select([sys.stdin, woken], [], [])
        return sys.stdin.readline()
    finally:
        signal.set_wakeup_fd(before)
        os.close(woken)
        os.close(waker)
