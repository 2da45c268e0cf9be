"""``trunkline dnc …``: the numbers that must not be called."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from telephony.api.cli_frame import (
    PLAIN,
    ApiOption,
    DataOption,
    LimitOption,
    Output,
    OutputOption,
    ask,
    moment,
    put,
    put_answer,
    put_json,
    put_table,
    shown,
)
from telephony.dialer.batches.reading import WrongNumberError, read_number, read_table, require_right
from telephony.errors import TrunklineError

if TYPE_CHECKING:
    from telephony.api.client import Client

app = typer.Typer(help="The do-not-call list.", no_args_is_help=True, **PLAIN)

NumberArgument = Annotated[str, typer.Argument(help="With its plus: +74951234567.")]
ReasonOption = Annotated[str | None, typer.Option(help="Why, for people.")]


def _number(text: str) -> str:
    try:
        return read_number(text)
    except WrongNumberError as error:
        sys.stderr.write(f"{error}. {error.fix}\n")
        raise typer.Exit(2) from None


@app.command(epilog='Example: trunkline dnc add +74951234567 --reason "asked by letter"')
def add(
    number: NumberArgument,
    reason: ReasonOption = None,
    api: ApiOption = None,
    data: DataOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Put a number on the list."""
    clean = _number(number)

    async def work(client: Client) -> None:
        entry = await client.send("PUT", f"/v1/do-not-call/{clean}", {"reason": reason})
        put_answer(output, entry, f"{shown(clean)} is not called any more.")

    ask(api, data, work)


@app.command(epilog="Example: trunkline dnc remove +74951234567")
def remove(number: NumberArgument, api: ApiOption = None, data: DataOption = None) -> None:
    """Take a number off the list: it may be called again."""
    clean = _number(number)

    async def work(client: Client) -> None:
        await client.send("DELETE", f"/v1/do-not-call/{clean}")
        put(f"{shown(clean)} may be called again.")

    ask(api, data, work)


@app.command(epilog="Example: trunkline dnc show +74951234567")
def show(
    number: NumberArgument, api: ApiOption = None, data: DataOption = None, output: OutputOption = Output.TEXT
) -> None:
    """Why a number must not be called; exit code 1 for one that may be."""
    clean = _number(number)

    async def work(client: Client) -> None:
        entry = await client.get(f"/v1/do-not-call/{clean}")
        if output is Output.JSON:
            put_json(entry)
        else:
            put_table(_HEADINGS, [_row(entry)], whole=_HEADINGS[:2])

    ask(api, data, work)


_HEADINGS = ("number", "since, UTC", "by", "why")


def _row(entry: dict[str, Any]) -> tuple[object, ...]:
    why = entry["reason"] or ""
    where = f" ({entry['call_id']})" if entry["call_id"] else ""
    return entry["number"], moment(entry["added_at"]), entry["source"], f"{why}{where}"


@app.command("list", epilog="Example: trunkline dnc list --limit 200 -o json")
def list_(
    limit: LimitOption = 50,
    cursor: Annotated[str | None, typer.Option(help="The last number of the page before.")] = None,
    api: ApiOption = None,
    data: DataOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """List the numbers in their order."""

    async def work(client: Client) -> None:
        page = await client.get("/v1/do-not-call", limit=limit, cursor=cursor)
        if output is Output.JSON:
            put_json(page)
            return
        put_table(_HEADINGS, map(_row, page["entries"]), whole=_HEADINGS[:2])
        if page["next_cursor"]:
            put(f"[dim]There are more: --cursor {shown(page['next_cursor'])}[/dim]")

    ask(api, data, work)


@app.command("import", epilog="Example: trunkline dnc import refused.csv")
def import_(
    numbers: Annotated[Path, typer.Argument(help="CSV with a column of numbers.")],
    reason: ReasonOption = None,
    api: ApiOption = None,
    data: DataOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Put the numbers of a file on the list, all or none; other columns are not looked at."""
    try:
        rows = require_right(read_table(numbers.read_bytes(), skip_repeated=True))
    except OSError as error:
        sys.stderr.write(f"{numbers}: The file cannot be read: {error.strerror}.\n")
        raise typer.Exit(2) from None
    except TrunklineError as error:
        sys.stderr.write(f"{error}\n")
        raise typer.Exit(2) from None

    async def work(client: Client) -> None:
        body = {"numbers": [row.number for row in rows], "reason": reason}
        done = await client.send("POST", "/v1/do-not-call", body)
        put_answer(
            output, done, f"{done['added']} numbers were put on the list, {done['known']} were there before."
        )

    ask(api, data, work)
