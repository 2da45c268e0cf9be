"""``trunkline keys …``: who may ask the api for what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from telephony.api.cli_frame import (
    PLAIN,
    ApiOption,
    DataOption,
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
from telephony.api.keys import Scope

if TYPE_CHECKING:
    from telephony.api.client import Client

app = typer.Typer(help="API keys.", **PLAIN)


@app.callback(invoke_without_command=True, epilog="Example: trunkline keys -o json")
def keys(
    context: typer.Context,
    api: ApiOption = None,
    data: DataOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """List keys."""
    if context.invoked_subcommand is not None:
        return

    async def work(client: Client) -> None:
        found = await client.get("/v1/keys")
        if output is Output.JSON:
            put_json(found)
            return
        put_table(
            ("key", "name", "scopes", "made", "last used", "state"),
            (
                (
                    each["id"],
                    each["name"],
                    ", ".join(each["scopes"]),
                    moment(each["created_at"]),
                    moment(each["last_used_at"]),
                    "revoked" if each["revoked_at"] else "",
                )
                for each in found["keys"]
            ),
        )

    ask(api, data, work)


@app.command(epilog="Example: trunkline keys create reports --scope calls:read --scope recordings:read")
def create(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    scope: Annotated[list[Scope], typer.Option("--scope", help="May be repeated.")],
    expires: Annotated[str | None, typer.Option(help="RFC 3339; default: never.")] = None,
    max_concurrent_calls: Annotated[int | None, typer.Option(min=0, help="Calls out at once.")] = None,
    max_calls_per_day: Annotated[int | None, typer.Option(min=0, help="Calls out in 24 hours.")] = None,
    max_minutes_per_day: Annotated[int | None, typer.Option(min=0, help="Of them, minutes.")] = None,
    max_spend_per_day: Annotated[float | None, typer.Option(min=0, help="Of them, money.")] = None,
    api: ApiOption = None,
    data: DataOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Make a key; it is shown this once."""

    limits = {
        "max_concurrent_calls": max_concurrent_calls,
        "max_calls_per_day": max_calls_per_day,
        "max_minutes_per_day": max_minutes_per_day,
        "max_spend_per_day": max_spend_per_day,
    }
    stated = {name: value for name, value in limits.items() if value is not None}

    async def work(client: Client) -> None:
        scopes = [str(each) for each in scope]
        body: dict[str, Any] = {"name": name, "scopes": scopes, "expires_at": expires}
        if stated:
            body["dial_limits"] = stated
        made = await client.send("POST", "/v1/keys", body)
        put_answer(output, made, f"{shown(made['id'])}\nkey, shown this once: {shown(made['key'])}")

    ask(api, data, work)


@app.command(epilog="Example: trunkline keys revoke fooexampleid2345")
def revoke(
    key_id: Annotated[str, typer.Argument(help="A key's id.")],
    api: ApiOption = None,
    data: DataOption = None,
) -> None:
    """Make a key worthless, at once and for good."""

    async def work(client: Client) -> None:
        await client.send("DELETE", f"/v1/keys/{key_id}")
        put(f"{shown(key_id)} is revoked.")

    ask(api, data, work)
