"""``trunkline guard …``: whether a number would be dialled, check by check, and which setting decides.

Asks the line that runs, which knows what has been dialled; without one, or with ``--config``, decides by
the operator's file alone. Nothing is dialled.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from telephony.api.cli_frame import PLAIN, ApiOption, DataOption, put, put_json, put_table, shown
from telephony.api.client import Client, find_place
from telephony.dialer.guard.decide import decide
from telephony.dialer.guard.of_config import rules_of
from telephony.dialer.guard.usage import Usage
from telephony.dialer.guard.verdict import Wanted
from telephony.errors import ConfigError, StoreError, TrunklineError
from telephony.store.instants import utc_now

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

app = typer.Typer(help="Which calls out are allowed.", no_args_is_help=True, **PLAIN)

DEFAULT_CONFIG = Path("config/livekit-sip.yaml")
_REFUSED, _INTERRUPTED = 1, 130


@app.callback()
def guard() -> None:
    """Which calls out are allowed."""


@app.command(epilog="Example: trunkline guard explain '8 (495) 765-43-21' --at 2026-11-23T20:30+03:00")
def explain(
    number: Annotated[str, typer.Argument(help="Whom to call, in any spelling.")],
    at: Annotated[str | None, typer.Option("--at", help="When, RFC 3339. Default: now.")] = None,
    from_: Annotated[str | None, typer.Option("--from", help="The number to show.")] = None,
    trunk: Annotated[str | None, typer.Option("--trunk", help="Default: the file's choice.")] = None,
    key: Annotated[
        str | None, typer.Option("--key", help="An API key's id, for its caps. Asks the running line.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="Decide by this file alone. Default: ask the line.")
    ] = None,
    api: ApiOption = None,
    data: DataOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="The verdict as one JSON object.")] = False,
) -> None:
    """Say whether a number would be dialled, check by check; exit code 0 when it would, 1 when not."""
    try:
        instant = None if at is None else _instant(at)
        wanted = {"to": number, "from": from_, "trunk": trunk, "key_id": key, "at": at}
        verdict, decided_by = None, ""
        if config is None:
            verdict, decided_by = asyncio.run(_asked(api, data, wanted, must=key is not None))
        if verdict is None:
            file = config or DEFAULT_CONFIG
            verdict = _decided(file, Wanted(number, from_, trunk), instant)
            decided_by = f"{file} alone: what has been dialled is not known, so every count is zero"
    except TrunklineError as error:
        sys.stderr.write(f"{error}\n")
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        raise typer.Exit(_INTERRUPTED) from None
    if as_json:
        put_json({**verdict, "decided_by": decided_by})
    else:
        _show(number, verdict, decided_by)
    raise typer.Exit(0 if verdict["allowed"] else _REFUSED)


async def _asked(
    api: str | None, data: Path | None, wanted: Mapping[str, Any], *, must: bool
) -> tuple[dict[str, Any] | None, str]:
    """The running line's verdict, or None where none runs and nobody said which."""
    must = must or api is not None or data is not None
    try:
        place = find_place(api, None, data)
        async with Client(place) as client:
            return await client.send("POST", "/v1/guard/explain", dict(wanted)), f"the line at {place.url}"
    except (ConfigError, StoreError):
        if must:
            raise
        return None, ""


def _decided(file: Path, wanted: Wanted, at: datetime | None) -> dict[str, Any]:
    from provisioning.config import load_config
    from telephony.api.settings import read_prices

    config = load_config(file)
    rules = rules_of(config, read_prices(config, os.environ))
    verdict = decide(wanted, rules, Usage(known=False), at or utc_now())
    found: dict[str, Any] = json.loads(json.dumps(verdict.to_json()))
    return found


def _instant(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise ConfigError(
            "It must be an instant with its time zone.",
            field="--at",
            fix="Write it like 2026-11-23T20:30+03:00 or 2026-11-23T17:30Z.",
        )
    return found


def _show(number: str, verdict: Mapping[str, Any], decided_by: str) -> None:
    for line in _headlines(number, verdict):
        put(line)
    put("")
    put_table(
        ("", "check", "what was found", "decided by"),
        (
            (
                "✓" if check["passed"] else "✗",
                check["name"],
                " ".join(part for part in (check["sentence"], check["fix"]) if part),
                check["setting"],
            )
            for check in verdict["checks"]
        ),
        whole=("", "check"),
    )
    put("")
    put(f"[dim]Decided by {shown(decided_by)}.[/dim]")


def _headlines(number: str, verdict: Mapping[str, Any]) -> Iterator[str]:
    if verdict["allowed"]:
        yield f"[bold green]✓ {shown(number)} would be dialled[/bold green] as {shown(verdict['number'])}"
        ids = ", ".join(verdict["caller_ids"])
        rings_s, lasts_s = verdict["ringing_timeout_s"], verdict["max_call_duration_s"]
        yield f"  by trunk {shown(verdict['trunk'])}, showing {shown(ids)};"
        yield f"  it rings {rings_s:g} s and lasts {lasts_s:g} s at most."
    else:
        refusal = next(check for check in verdict["checks"] if check["name"] == verdict["refusal"])
        yield f"[bold red]✗ {shown(number)} would not be dialled[/bold red]: {shown(refusal['sentence'])}"
        if refusal["fix"]:
            yield f"  {shown(refusal['setting'])}: {shown(refusal['fix'])}"
        if verdict["retry_at"]:
            yield f"  It may be dialled from {shown(verdict['retry_at'])}."
    for note in verdict["notes"]:
        yield f"  Note: {shown(note)}"
