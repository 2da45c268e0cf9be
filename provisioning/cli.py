"""``scripts/provision …`` and ``trunkline provision …``: the operator's commands."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from provisioning.apply import apply_line
from provisioning.config import DEFAULT_CONFIG, LoadedConfig, load
from telephony.errors import ConfigError, TrunklineError

app = typer.Typer(no_args_is_help=True, help="The phone line as desired state.", add_completion=False)

ConfigOption = Annotated[Path, typer.Option("--config", help="The operator's file.")]


@app.command()
def validate(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Check the file; nothing is connected to."""
    loaded = _load(config)
    for note in loaded.notes:
        typer.echo(f"warning: {loaded.file}:{note}")
    typer.echo(f"{loaded.file} is valid.")


@app.command()
def apply(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Make livekit-server match the file."""
    loaded = _load(config)
    server = loaded.config.livekit
    try:
        if server.api_key is None or server.api_secret is None:
            raise ConfigError(
                "the key to livekit-server is missing.",
                field="livekit.api_key",
                fix="Set LIVEKIT_API_KEY and LIVEKIT_API_SECRET, or write them to .env.local.",
            )
        result = asyncio.run(
            apply_line(
                loaded.config,
                url=server.url,
                api_key=server.api_key,
                api_secret=server.api_secret.get_secret_value(),
                on_change=lambda change: typer.echo(f"{change.action} {change.key} {change.id}"),
            )
        )
    except TrunklineError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(error.exit_code) from None
    typer.echo(f"{result.writes} changes.")


def _load(path: Path) -> LoadedConfig:
    try:
        return load(path)
    except TrunklineError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(error.exit_code) from None
