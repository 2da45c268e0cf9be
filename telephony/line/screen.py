"""What a person sees of a line that starts, runs and stops: steps with their times, and a card.

Goes to standard error, so that standard output stays free for one JSON object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from telephony.errors import TrunklineError

if TYPE_CHECKING:
    from telephony.line.line import LineInfo


class Screen:
    """Prints on standard error: colour and boxes on a terminal, plain lines elsewhere."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        self.quiet = quiet

    def step(self, name: str, seconds: float) -> None:
        """One step of the start is done."""
        if not self.quiet:
            self.console.print(f"  [green]✓[/green] {name:<34} {seconds:>6.1f} s")

    def say(self, text: str) -> None:
        """One line of news."""
        if not self.quiet:
            self.console.print(text)

    def restarted(self, name: str, why: str) -> None:
        """A part died and is being started again; said even when quiet."""
        self.console.print(f"  [yellow]↻ {name} died ({why}) and is started again[/yellow]")

    def failed(self, error: BaseException) -> None:
        """What went wrong, in one sentence, and what to do about it."""
        if not isinstance(error, TrunklineError):
            self.console.print(f"[red bold]✗[/red bold] {type(error).__name__}: {error}", markup=True)
            return
        where = f"[bold]{error.field}[/bold]: " if error.field else ""
        self.console.print(f"[red bold]✗[/red bold] {where}", end="")
        self.console.print(error.message, markup=False)
        if error.fix:
            self.console.print("  → ", end="", style="cyan")
            self.console.print(error.fix, markup=False)

    def line_is_up(self, info: LineInfo) -> None:
        """The card of a running line: where to point a softphone, and how to stop it."""
        if self.quiet:
            return
        if not self.console.is_terminal:
            self.console.print(f"The line is up. Call {info.sip}")
            self.console.print(f"LiveKit: {info.livekit_url}, key {info.api_key}. Data and logs: {info.data}")
            if info.api:
                self.console.print(f"Record of calls: {info.api}, or: trunkline calls --data {info.data}")
            return
        rows = Table.grid(padding=(0, 2))
        rows.add_row("Call", f"[bold green]{info.sip}[/bold green]" if info.sip else "(no bridge)")
        rows.add_row("LiveKit", f"{info.livekit_url}  key {info.api_key}")
        rows.add_row("Secret", info.api_secret_file)
        if info.api:
            rows.add_row("Record", f"{info.api}  or: trunkline calls")
        rows.add_row("Data, logs", info.data)
        rows.add_row("Stop", "Ctrl-C")
        self.console.print(Panel(rows, title="The line is up", title_align="left", expand=False))
