"""A call on the screen as it happens: colours and columns on a terminal, plain lines elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from telephony.caller.narration import Narrator, Told, figures
from telephony.caller.page import OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console, RenderableType

    from telephony.caller.events import CallerEvent
    from telephony.caller.report import CallReport

_STYLES = {"line": "dim", "caller": "bold blue", "agent": "bold green", "problem": "bold red"}


def watcher(console: Console, *, quiet: bool = False) -> Callable[[CallerEvent], None]:
    """A listener for one call's events that prints them on a console; it prints nothing when quiet."""
    narrator = Narrator()

    def watch(event: CallerEvent) -> None:
        for told in narrator.tell(event):
            _print(console, told)

    return _nothing if quiet else watch


def show_summary(console: Console, report: CallReport) -> None:
    """Print how a call went: its outcome, its figures, its problems, and where its report is."""
    if not console.is_terminal:
        for line in plain_summary(report):
            _plain(console, line)
        return
    grid = Table.grid(padding=(0, 3))
    for name, value in figures(report):
        grid.add_row(Text(name, style="dim"), Text(value, style="bold"))
    if report.report:
        grid.add_row(Text("Report", style="dim"), Text(f"{report.report}/report.html", overflow="fold"))
    colour = "green" if report.ok else "red"
    title = Text(f"{report.script}: {OUTCOMES[report.outcome].lower()}", style=f"bold {colour}")
    console.print(Panel(grid, title=title, title_align="left", border_style=colour, expand=False))
    for problem in report.problems:
        console.print(Text(f"✗ {problem.text}", style="red"))


def plain_summary(report: CallReport) -> list[str]:
    """The same as lines."""
    lines = [f"{report.script}: {OUTCOMES[report.outcome].lower()}"]
    lines += [f"  {name}: {value}" for name, value in figures(report)]
    lines += [f"  Problem: {problem.text}" for problem in report.problems]
    if report.report:
        lines.append(f"  Report: {report.report}/report.html")
    return lines


def plain_line(told: Told) -> str:
    """``  4.3 s  caller   I'd like to book an appointment.  [says it again]``"""
    note = f"  [{told.note}]" if told.note else ""
    return f"{told.at_s:6.1f} s  {told.who:<7}  {told.text}{note}"


def _print(console: Console, told: Told) -> None:
    if not console.is_terminal:
        _plain(console, plain_line(told))
        return
    row = Table.grid(padding=(0, 1), expand=True)
    row.add_column(width=8, justify="right")
    row.add_column(width=8)
    row.add_column(ratio=1)
    row.add_row(
        Text(f"{told.at_s:.1f} s", style="dim"), Text(told.who, style=_STYLES[told.who]), _words(told)
    )
    console.print(row)


def _words(told: Told) -> RenderableType:
    text = Text(told.text, style="dim" if told.who == "line" else "red" if told.who == "problem" else "")
    return text.append(f"  {told.note}", style="cyan") if told.note else text


def _plain(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def _nothing(_: CallerEvent) -> None:
    """Nobody is shown anything."""
