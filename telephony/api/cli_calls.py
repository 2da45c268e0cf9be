"""``trunkline calls …``: which calls there were, and how each of them went."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

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
from telephony.api.timeline import clock, timeline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telephony.api.client import Client

app = typer.Typer(help="The record of calls.", **PLAIN)

CallArgument = Annotated[str, typer.Argument(help="A call's id, call_….")]
_COLOURS = {"caller": "cyan", "agent": "green", "sip": "yellow", "note": "dim", "end": "bold"}


@app.callback(invoke_without_command=True, epilog="Example: trunkline calls --outcome abandoned -o json")
def calls(
    context: typer.Context,
    outcome: Annotated[str | None, typer.Option(help="answered, abandoned, busy, failed, …")] = None,
    number: Annotated[str | None, typer.Option("--from", help="The calling number.")] = None,
    to: Annotated[str | None, typer.Option("--to", help="The called number.")] = None,
    assistant: Annotated[str | None, typer.Option()] = None,
    since: Annotated[str | None, typer.Option(help="RFC 3339, such as 2026-11-21T00:00:00Z.")] = None,
    live: Annotated[bool, typer.Option("--live", help="Only calls that have not ended.")] = False,
    limit: LimitOption = 20,
    api: ApiOption = None,
    data: DataOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """List calls, newest first."""
    if context.invoked_subcommand is not None:
        return

    async def work(client: Client) -> None:
        page = await client.get(
            "/v1/calls",
            outcome=outcome,
            from_number=number,
            to_number=to,
            assistant=assistant,
            since=since,
            ended=False if live else None,
            limit=limit,
        )
        if output is Output.JSON:
            put_json(page)
            return
        put_table(
            ("began, UTC", "call", "from → to", "became", "ended by", "length"),
            (_row(call) for call in page["calls"]),
            whole=("began, UTC", "call", "length"),
        )

    ask(api, data, work)


def _row(call: dict[str, Any]) -> tuple[object, ...]:
    duration = call["duration_ms"]
    return (
        moment(call["started_at"] or call["created_at"])[5:],
        call["id"],
        f"{call['from_number'] or 'unknown'} → {call['to_number'] or 'unknown'}",
        call["outcome"] or call["state"],
        call["ended_by"],
        "" if duration is None else f"{duration / 1000:.1f} s",
    )


@app.command(epilog="Example: trunkline calls show call_abcDEF123456")
def show(
    call_id: CallArgument,
    api: ApiOption = None,
    data: DataOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """One call: who spoke when, how long each answer took, what happened between, how it ended."""

    async def work(client: Client) -> None:
        call = await client.get(f"/v1/calls/{call_id}")
        events = await _events(client, call_id)
        if output is Output.JSON:
            put_json({**call, "events": events})
            return
        _head(call)
        _lines(call, events)
        _tail(call)

    ask(api, data, work)


async def _events(client: Client, call_id: str) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    while True:
        page = await client.get(
            f"/v1/calls/{call_id}/events", after=events[-1]["seq"] if events else 0, limit=1000
        )
        events += page["events"]
        if not page["events"] or events[-1]["seq"] >= page["last_seq"]:
            return events


def _head(call: dict[str, Any]) -> None:
    ends = [
        (call.get(name) or {}).get("e164") or (call.get(name) or {}).get("as_sent") for name in ("from", "to")
    ]
    put(f"[bold]{shown(call['id'])}[/bold]  {shown(ends[0] or 'unknown')} → {shown(ends[1] or 'unknown')}")
    facts = [call["direction"], f"{moment(call['started_at'])} UTC", call["outcome"] or call["state"]]
    duration = call["duration_ms"]
    facts += [] if duration is None else [f"{duration / 1000:.1f} s"]
    facts += [f"{name} {call[name]}" for name in ("assistant", "trunk_id") if call.get(name)]
    put(f"[dim]{shown(', '.join(facts))}[/dim]\n")


def _lines(call: dict[str, Any], events: list[dict[str, Any]]) -> None:
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="dim", no_wrap=True)
    rows.add_column(no_wrap=True)
    rows.add_column(ratio=1, overflow="fold")
    rows.add_column(justify="right", no_wrap=True)
    for line in timeline(call, events):
        colour = _COLOURS[line.kind]
        remark = f"\n[dim]{shown(line.remark)}[/dim]" if line.remark else ""
        rows.add_row(
            clock(line.at_s),
            f"[{colour}]{shown(line.who)}[/{colour}]",
            f"[{colour}]{shown(line.text)}[/{colour}]{remark}",
            f"[dim]{shown(line.wait)}[/dim]",
        )
    Console(highlight=False).print(rows)


def _tail(call: dict[str, Any]) -> None:
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="dim", no_wrap=True)
    rows.add_column(overflow="fold")
    for name, text in _facts(call):
        rows.add_row(name, shown(text))
    if rows.row_count:
        put("")
        Console(highlight=False).print(rows)


def _facts(call: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What is known of a call besides what happened when: name and text."""
    for name, field in (call.get("fields") or {}).items():
        sure = f", {100 * field['confidence']:.0f} % sure" if field.get("confidence") is not None else ""
        turn = f", turn {field['turn']}" if field.get("turn") is not None else ""
        yield name, f"{field['value']}{sure}{turn}"
    if call.get("missing_fields"):
        yield "missing", ", ".join(call["missing_fields"])
    quality = call.get("quality") or {}
    named = (("mos", "MOS", ""), ("loss_percent", "loss", " %"), ("jitter_ms", "jitter", " ms"))
    measured = [f"{name} {quality[key]:g}{unit}" for key, name, unit in named if key in quality]
    if measured:
        yield "audio", ", ".join(measured)
    for entry in call.get("usage") or []:
        amounts = [f"{entry[key]:g} {unit}" for key, unit in _AMOUNTS if entry.get(key)]
        yield f"{entry['kind']}", f"{entry['provider']} {entry['model']}: {', '.join(amounts)}"
    if call.get("cost"):
        yield "cost", f"{call['cost']['total_micros'] / 1e6:.4f} {call['cost']['currency']}"
    for each in call.get("recordings") or []:
        yield "recording", f"{each['id']} ({each['status']})"
    if call.get("missing_events"):
        yield "events never received", json.dumps(call["missing_events"])


_AMOUNTS = (
    ("audio_s", "s of audio"),
    ("characters", "characters"),
    ("input_tokens", "tokens in"),
    ("output_tokens", "tokens out"),
)


@app.command(epilog="Example: trunkline calls watch call_abcDEF123456 | jq .type")
def watch(call_id: CallArgument, api: ApiOption = None, data: DataOption = None) -> None:
    """Follow a call's events as they happen, one JSON object a line."""

    async def work(client: Client) -> None:
        async for _, text in client.stream(f"/v1/calls/{call_id}/stream"):
            put_json(json.loads(text))

    ask(api, data, work)


@app.command(epilog="Example: trunkline calls transcript call_abcDEF123456")
def transcript(
    call_id: CallArgument,
    api: ApiOption = None,
    data: DataOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """What was said on a call."""

    async def work(client: Client) -> None:
        said = await client.get(f"/v1/calls/{call_id}/transcript")
        if output is Output.JSON:
            put_json(said)
            return
        for line in said["text"].splitlines():
            put(shown(line))

    ask(api, data, work)


@app.command(epilog="Example: trunkline calls recording call_abcDEF123456 --to call.ogg")
def recording(
    call_id: CallArgument,
    to: Annotated[Path, typer.Option("--to", help="The file to write.")],
    api: ApiOption = None,
    data: DataOption = None,
) -> None:
    """Save a call's recording."""

    async def work(client: Client) -> None:
        size = await client.download(f"/v1/calls/{call_id}/recording", to)
        put(f"{shown(to)}: {size} bytes")

    ask(api, data, work)


@app.command(epilog="Example: trunkline calls delete call_abcDEF123456 --yes")
def delete(
    call_id: CallArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    api: ApiOption = None,
    data: DataOption = None,
) -> None:
    """Delete a call for good: record, events, deliveries and recordings."""
    if not yes:
        typer.confirm(f"Delete {call_id} for good?", abort=True)

    async def work(client: Client) -> None:
        await client.send("DELETE", f"/v1/calls/{call_id}")
        put(f"{shown(call_id)} is deleted.")

    ask(api, data, work)
