"""Talk to an assistant in the terminal: type what a caller would say."""

from __future__ import annotations

import asyncio
import re
import sys
from typing import TYPE_CHECKING

from telephony.workshop.play import Line, line_of
from telephony.workshop.show import show_line

if TYPE_CHECKING:
    from rich.console import Console

    from telephony.workshop.talk import Talk

HELP = "Type what a caller says. /keys 12# presses keys, /fields shows what was collected, /quit hangs up."

_KEYS = re.compile(r"/keys?\s+([0-9*#]+)")


async def chat(talk: Talk, console: Console) -> None:
    """Lead one conversation until the agent or the person ends it."""
    console.print(HELP, style="dim", soft_wrap=True)
    show_line(console, Line("agent", talk.greeting))
    while not talk.ended:
        typed = await asyncio.to_thread(_ask, console.is_terminal)
        if typed is None or typed == "/quit":
            return
        if not typed:
            continue
        if not console.is_terminal:
            show_line(console, Line("caller", typed))
        if typed == "/fields":
            told = ", ".join(f"{name}: {value}" for name, value in talk.fields.items()) or "nothing yet"
            show_line(console, Line("fields", told))
            continue
        keys = _KEYS.fullmatch(typed)
        if typed.startswith("/") and keys is None:
            console.print(HELP, style="dim", soft_wrap=True)
            continue
        for shown in await (talk.press(keys.group(1)) if keys else talk.hear(typed)):
            show_line(console, line_of(shown))


def _ask(on_terminal: bool) -> str | None:
    """One line of input; None at its end."""
    if on_terminal:
        sys.stdout.write("  you     ")
        sys.stdout.flush()
    line = sys.stdin.readline()
    return line.strip() if line else None
