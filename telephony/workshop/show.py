"""What ``trunkline assistant`` prints: colours on a terminal, plain lines elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console

    from telephony.assistants.schema import Assistant
    from telephony.errors import TrunklineError
    from telephony.workshop.play import Line, Played

_STYLES = {"caller": "bold blue", "agent": "bold green", "tool": "dim", "fields": "cyan", "line": "dim"}


def show_line(console: Console, line: Line) -> None:
    """One line of a conversation."""
    text = Text(f"  {line.who:<7} ", style=_STYLES[line.who] if console.is_terminal else "")
    text.append(line.text, style="dim" if console.is_terminal and line.who == "tool" else "not bold")
    console.print(text, soft_wrap=True)


def show_played(console: Console, played: Played, *, verbose: bool) -> None:
    """How a script went; the conversation too where it went wrong, or is asked for."""
    mark = Text("✓ " if played.ok else "✗ ", style="green" if played.ok else "bold red")
    console.print(mark.append(played.script, style="bold"))
    if verbose or not played.ok:
        show_lines(console, played.lines)
    for problem in played.problems:
        console.print(Text(f"  → {problem}", style="red"), soft_wrap=True)


def show_lines(console: Console, lines: Iterable[Line]) -> None:
    """A conversation."""
    for line in lines:
        show_line(console, line)


def show_assistant(console: Console, assistant: Assistant, path: str, notes: Iterable[str]) -> None:
    """What a right file is, in a line, and what may surprise."""
    flow = assistant.flow
    leads = f"a flow of {len(flow.states)} states" if flow is not None else ""
    led = " or ".join(
        part for part in (leads, "instructions" if assistant.instructions.strip() else "") if part
    )
    tools = ", ".join([*assistant.tools, *assistant.http_tools]) or "none"
    console.print(
        Text("✓ ", style="green").append(
            f"{assistant.name} ({assistant.language}, version {assistant.version}): led by {led}; "
            f"tools: {tools}; "
            f"{len(assistant.fields)} fields. {path}",
            style="not bold",
        ),
        soft_wrap=True,
    )
    for note in notes:
        console.print(Text(f"  ! {note}", style="yellow"), soft_wrap=True)


def show_error(console: Console, error: TrunklineError) -> None:
    """What is wrong, each problem on a line of its own, and what to do about it."""
    where = f"{error.field}: " if error.field else ""
    for number, line in enumerate(error.message.splitlines()):
        console.print(Text("✗ ", style="bold red").append(("" if number else where) + line), soft_wrap=True)
    if error.fix:
        console.print(Text("  → ", style="cyan").append(error.fix), soft_wrap=True)
