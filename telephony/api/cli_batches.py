"""``trunkline batch …``: call a list of numbers, and see how far it is."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

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
    put_json,
    put_table,
    shown,
)
from telephony.dialer.batches.pace import parse_pace
from telephony.dialer.batches.reading import MOST_TOLD, Table, read_table, require_right
from telephony.dialer.batches.retries import parse_retry
from telephony.errors import ConfigError, TrunklineError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from telephony.api.client import Client
    from telephony.dialer.batches.reading import BatchRow

app = typer.Typer(help="Call a list of numbers.", no_args_is_help=True, **PLAIN)

BatchArgument = Annotated[str, typer.Argument(help="A batch's id, batch_…; `last` for the newest.")]
_ORDER = ("answered", "busy", "no_answer", "unreachable", "rejected", "invalid_number")


@app.command(epilog="Example: trunkline batch start numbers.csv --assistant survey --retry busy:10m:2")
def start(
    numbers: Annotated[Path, typer.Argument(help="CSV; its first line names the columns: number, …")],
    assistant: Annotated[str | None, typer.Option(help="Who talks. Default: the line's.")] = None,
    name: Annotated[str | None, typer.Option(help="For people. Default: the file's.")] = None,
    trunk: Annotated[str | None, typer.Option(help="An outbound trunk of the one file.")] = None,
    caller_id: Annotated[str | None, typer.Option("--from", help="The number that is shown.")] = None,
    pace: Annotated[str, typer.Option(help="Calls begun at most: 1/s, 30/min, 100/h.")] = "1/s",
    concurrency: Annotated[int, typer.Option(min=1, max=1000, help="Calls at once at most.")] = 3,
    retry: Annotated[
        list[str] | None,
        typer.Option(help="busy:10m:2 = after busy wait 10 minutes, twice at most. Default: never."),
    ] = None,
    window: Annotated[
        str | None, typer.Option(help="09:00-20:00 by the called person's clock, Monday to Friday.")
    ] = None,
    deadline: Annotated[str | None, typer.Option(help="RFC 3339; after it nobody is called.")] = None,
    skip_repeated: Annotated[
        bool, typer.Option("--skip-repeated", help="Call a repeated number once, in place of refusing.")
    ] = False,
    paused: Annotated[bool, typer.Option("--paused", help="Begin with: trunkline batch resume")] = False,
    follow: Annotated[bool, typer.Option("--follow", help="Show how far it is until it ends.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Read the file and say what is wrong; no more.")
    ] = False,
    api: ApiOption = None,
    data: DataOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Begin to call the numbers of a file."""
    try:
        table, rows = _read(numbers, skip_repeated=skip_repeated)
        body = {
            "name": name or numbers.name,
            "assistant": assistant,
            "trunk": trunk,
            "from": caller_id,
            "pace_per_s": parse_pace(pace),
            "concurrency": concurrency,
            "retry": {rule[0].value: rule[1].model_dump() for rule in map(parse_retry, retry or ())},
            "window": _window(window),
            "deadline": deadline,
            "start": "paused" if paused else "now",
            "rows": [{"to": row.number, "data": row.data} for row in rows],
        }
    except (TrunklineError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        raise typer.Exit(2) from None
    _tell_repeated(table)
    if check:
        put(f"{len(rows)} numbers can be called ({table.encoding}). Data: {shown(_columns(table))}.")
        return

    async def work(client: Client) -> None:
        batch = await client.send(
            "POST", "/v1/batches", {k: v for k, v in body.items() if v is not None}, key=str(uuid4())
        )
        if output is Output.JSON and not follow:
            put_json(batch)
            return
        if output is Output.TEXT:
            put(f"[bold]{shown(batch['id'])}[/bold]  {batch['size']} numbers, {shown(batch['state'])}")
        if follow:
            await _follow(client, batch["id"], output)

    ask(api, data, work)


def _read(path: Path, *, skip_repeated: bool) -> tuple[Table, Sequence[BatchRow]]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"The file cannot be read: {error.strerror}.", field=str(path)) from error
    table = read_table(content, skip_repeated=skip_repeated)
    return table, require_right(table)


def _columns(table: Table) -> str:
    return ", ".join(table.columns) or "none"


def _tell_repeated(table: Table) -> None:
    for each in table.repeated[:MOST_TOLD]:
        sys.stderr.write(f"line {each.line}: {each.message}, so it is left out\n")


def _window(text: str | None) -> dict[str, str] | None:
    if text is None:
        return None
    first, mark, last = text.partition("-")
    if not mark:
        raise ValueError(f"{text!r} is no window such as 09:00-20:00")
    return {"start": first.strip(), "end": last.strip()}


@app.command("list", epilog="Example: trunkline batch list")
def list_(
    limit: LimitOption = 20,
    api: ApiOption = None,
    data: DataOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """List batches, newest first."""

    async def work(client: Client) -> None:
        page = await client.get("/v1/batches", limit=limit)
        if output is Output.JSON:
            put_json(page)
            return
        put_table(
            ("made, UTC", "batch", "name", "state", "done", "became"),
            (
                (
                    moment(each["created_at"])[5:],
                    each["id"],
                    each["name"],
                    each["state"],
                    f"{each['done']}/{each['size']}",
                    _became(each),
                )
                for each in page["batches"]
            ),
            whole=("made, UTC", "batch", "done"),
        )

    ask(api, data, work)


@app.command(epilog="Example: trunkline batch status last --follow")
def status(
    batch_id: BatchArgument = "last",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Until it ends.")] = False,
    api: ApiOption = None,
    data: DataOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """How far a batch is: a bar on a terminal, lines elsewhere, JSON when asked."""

    async def work(client: Client) -> None:
        batch = await _find(client, batch_id)
        if follow and batch["finished_at"] is None:
            await _follow(client, batch["id"], output)
        elif output is Output.JSON:
            put_json(batch)
        else:
            _tell(batch)

    ask(api, data, work)


async def _find(client: Client, batch_id: str) -> dict[str, Any]:
    found: dict[str, Any]
    if batch_id != "last":
        found = await client.get(f"/v1/batches/{batch_id}")
        return found
    newest = (await client.get("/v1/batches", limit=1))["batches"]
    if not newest:
        raise ConfigError("There is no batch.", fix="Begin one with: trunkline batch start")
    found = newest[0]
    return found


async def _follow(client: Client, batch_id: str, output: Output) -> None:
    stream = client.stream(f"/v1/batches/{batch_id}/stream")
    if output is Output.JSON:
        async for _, text in stream:
            put_json(json.loads(text))
        return
    console = Console(stderr=True)
    if not console.is_terminal:
        async for _, text in stream:
            put(_line(json.loads(text)))
        return
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[became]}"),
        console=console,
    )
    batch: dict[str, Any] = {}
    with bar:
        task = bar.add_task("calling", total=None, became="")
        async for _, text in stream:
            batch = json.loads(text)
            bar.update(
                task,
                description=shown(batch["state"]),
                total=batch["size"],
                completed=batch["done"],
                became=shown(_became(batch)),
            )
    if batch:
        _tell(batch)


def _tell(batch: dict[str, Any]) -> None:
    put(f"[bold]{shown(batch['id'])}[/bold]  {shown(batch['name'])}")
    put(_line(batch))
    if batch["reason"]:
        put(f"[yellow]{shown(batch['reason'])}[/yellow]")


def _line(batch: dict[str, Any]) -> str:
    became = _became(batch)
    parts = [
        f"{batch['state']}",
        f"{batch['done']} of {batch['size']} done",
        f"{batch['under_way']} calling",
        f"{batch['attempts']} attempts",
    ]
    return shown(", ".join(parts) + (f": {became}" if became else ""))


def _became(batch: dict[str, Any]) -> str:
    outcomes = batch["outcomes"]
    names = [name for name in _ORDER if name in outcomes]
    names += sorted(name for name in outcomes if name not in _ORDER)
    return ", ".join(f"{outcomes[name]} {name}" for name in names)


def _changing(verb: str, batch_id: str, api: str | None, data: Path | None, output: Output) -> None:
    async def work(client: Client) -> None:
        found = await _find(client, batch_id)
        batch = await client.send("POST", f"/v1/batches/{found['id']}/{verb}")
        if output is Output.JSON:
            put_json(batch)
        else:
            _tell(batch)

    ask(api, data, work)


@app.command(epilog="Example: trunkline batch pause last")
def pause(
    batch_id: BatchArgument,
    api: ApiOption = None,
    data: DataOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Begin no further call; those under way go on."""
    _changing("pause", batch_id, api, data, output)


@app.command(epilog="Example: trunkline batch resume last")
def resume(
    batch_id: BatchArgument,
    api: ApiOption = None,
    data: DataOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Go on, whatever paused it."""
    _changing("resume", batch_id, api, data, output)


@app.command(epilog="Example: trunkline batch cancel last")
def cancel(
    batch_id: BatchArgument,
    api: ApiOption = None,
    data: DataOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Call nobody any more, for good."""
    _changing("cancel", batch_id, api, data, output)


@app.command(epilog="Example: trunkline batch results last --to results.csv")
def results(
    batch_id: BatchArgument,
    to: Annotated[Path | None, typer.Option("--to", help="The file to write. Default: a table here.")] = None,
    limit: LimitOption = 50,
    api: ApiOption = None,
    data: DataOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """What became of each number."""

    async def work(client: Client) -> None:
        found = await _find(client, batch_id)
        if to is not None:
            size = await client.download(f"/v1/batches/{found['id']}/results", to)
            put(f"{shown(to)}: {size} bytes")
            return
        page = await client.get(f"/v1/batches/{found['id']}/rows", limit=limit)
        if output is Output.JSON:
            put_json(page)
            return
        put_table(
            ("row", "number", "state", "became", "calls", "why"),
            (
                (
                    each["row"],
                    each["number"],
                    each["state"],
                    each["outcome"],
                    each["attempts"],
                    each["reason"],
                )
                for each in page["rows"]
            ),
            whole=("number", "state"),
        )
        if page["next_after"] is not None:
            put("[dim]There are more; use --to FILE for all.[/dim]")

    ask(api, data, work)
