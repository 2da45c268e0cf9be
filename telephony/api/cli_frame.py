"""What the commands that ask the api have in common: options, output, errors as sentences."""

from __future__ import annotations

import asyncio
import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from telephony.api.client import Client, find_place
from telephony.api.timeline import printable
from telephony.errors import TrunklineError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

_INTERRUPTED = 130


class Output(StrEnum):
    """How answers are printed."""

    TEXT = "text"
    JSON = "json"


PLAIN: dict[str, Any] = {
    "add_completion": False,
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
}
"""How a group of commands is made: for pipes and scripts as much as for people."""

ApiOption = Annotated[
    str | None, typer.Option("--api", help="Where the api is. Default: $TRUNKLINE_API_URL.")
]
DataOption = Annotated[
    Path | None, typer.Option("--data", help="The line's folder, where the api's place and key are.")
]
OutputOption = Annotated[Output, typer.Option("--output", "-o", help="text, or json as the api gives it.")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, max=200)]


def ask(api: str | None, data: Path | None, work: Callable[[Client], Awaitable[None]]) -> None:
    """Do a command's work with a client; what goes wrong is one sentence and an exit code."""

    async def run() -> None:
        async with Client(find_place(api, None, data)) as client:
            await work(client)

    try:
        asyncio.run(run())
    except TrunklineError as error:
        sys.stderr.write(f"{error}\n")
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        raise typer.Exit(_INTERRUPTED) from None


def put_json(value: Any) -> None:
    """One JSON value on standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")


def put_table(
    headings: Sequence[str], rows: Iterable[Sequence[object]], *, whole: Sequence[str] = ()
) -> None:
    """A table; whatever stands in it cannot drive the terminal. Columns in ``whole`` are never broken."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold", no_wrap=heading in whole)
    count = 0
    for row in rows:
        table.add_row(*(shown(cell) for cell in row))
        count += 1
    console = Console()
    console.print(table if count else "[dim]nothing[/dim]")


def put_answer(output: Output, answer: Any, text: str) -> None:
    """What the api gave, as it is or as a line of ours, with markup."""
    if output is Output.JSON:
        put_json(answer)
    else:
        put(text)


def put(text: str) -> None:
    """A line of ours, with markup."""
    Console(highlight=False, soft_wrap=True).print(text)


def shown(value: object) -> str:
    """A value in a table or line: nothing for None, never markup or control characters."""
    return "" if value is None else escape(printable(str(value)))


def moment(text: str | None) -> str:
    """An instant, short: ``2026-11-21 10:00:05``."""
    return "" if not text else text[:19].replace("T", " ")
