"""``scripts/provision …`` and ``trunkline provision …``: the phone line as desired state."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from provisioning.commands import adopt as adopt_command
from provisioning.commands import apply as apply_command
from provisioning.commands import carriers as carriers_command
from provisioning.commands import destroy as destroy_command
from provisioning.commands import drift as drift_command
from provisioning.commands import explain as explain_command
from provisioning.commands import plan as plan_command
from provisioning.commands import validate as validate_command
from provisioning.commands.frame import ConfigOption, Output, OutputOption, YesOption, run
from provisioning.config import DEFAULT_CONFIG
from provisioning.match import Call

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="The phone line as desired state: one file, planned, applied, explained, watched.\n\n"
    "Exit codes: 0 ok, 1 failed, 2 wrong usage, 3 drift found.",
)


@app.command(epilog="Example: provision validate --config config/livekit-sip.yaml")
def validate(config: ConfigOption = DEFAULT_CONFIG, output: OutputOption = Output.TEXT) -> None:
    """Check the file; nothing is connected to. Warnings say what does not happen as written."""
    run(output, lambda screen: validate_command.validate(screen, config))


@app.command(epilog="Example: provision plan --output json | jq .changes")
def plan(config: ConfigOption = DEFAULT_CONFIG, output: OutputOption = Output.TEXT) -> None:
    """Show what apply would change, field by field, and what LiveKit would refuse."""
    run(output, lambda screen: plan_command.plan(screen, config))


@app.command(epilog="Example: provision apply --yes")
def apply(
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.TEXT,
    yes: YesOption = False,
    wait: Annotated[float, typer.Option(help="Seconds to wait for another apply to finish.")] = 30.0,
) -> None:
    """Make LiveKit match the file, in place, so that calls keep working. Run again it writes nothing."""
    run(output, lambda screen: apply_command.apply(screen, config, yes=yes, wait_s=wait))


@app.command(epilog="Example: provision drift || echo somebody was at it")
def drift(config: ConfigOption = DEFAULT_CONFIG, output: OutputOption = Output.TEXT) -> None:
    """Name every field that was changed at LiveKit since the last apply; exit code 3 when there is one."""
    run(output, lambda screen: drift_command.drift(screen, config))


@app.command("import", epilog="Example: provision import --to config/imported.yaml")
def import_(
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="The file to write; it must not exist.")],
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.TEXT,
    line: Annotated[str | None, typer.Option(help="The line's name. Default: that of --config.")] = None,
) -> None:
    """Write what exists at LiveKit into a new file that plans to nothing. LiveKit is only read."""
    run(output, lambda screen: adopt_command.adopt(screen, config, to=to, line_name=line))


@app.command(epilog="Example: provision destroy --yes")
def destroy(
    config: ConfigOption = DEFAULT_CONFIG, output: OutputOption = Output.TEXT, yes: YesOption = False
) -> None:
    """Delete every trunk and rule that is ours, and nothing else."""
    run(output, lambda screen: destroy_command.destroy(screen, config, yes=yes))


@app.command(epilog="Example: provision explain --from +79161234567 --to 84951234567 --source 37.139.38.224")
def explain(
    from_: Annotated[str, typer.Option("--from", metavar="NUMBER", help="User part of the From header.")],
    to: Annotated[str, typer.Option("--to", metavar="NUMBER", help="User part of the To header.")],
    source: Annotated[str, typer.Option(metavar="ADDRESS", help="Where it comes from.")] = "127.0.0.1",
    from_host: Annotated[str, typer.Option(metavar="HOST", help="Host of the From header.")] = "",
    request_uri: Annotated[str, typer.Option(metavar="NUMBER", help="User part of the Request-URI.")] = "",
    pin: Annotated[str, typer.Option(metavar="DIGITS", help="What the caller presses when asked.")] = "",
    file: Annotated[bool, typer.Option("--file", help="Look at the file instead of the server.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.TEXT,
) -> None:
    """Replay LiveKit's matching on a call that nobody makes: which room, or which field refuses it."""
    call = Call(to_user=to, from_user=from_, source_ip=source, from_host=from_host)
    run(
        output,
        lambda screen: explain_command.explain(
            screen, config, call, request_uri=request_uri, pin=pin, from_file=file
        ),
    )


@app.command(epilog="Example: provision carriers novofon-trunk")
def carriers(
    name: Annotated[str | None, typer.Argument(help="One carrier; all are listed without.")] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show what is known of each carrier, with source and confidence, and what to ask of it."""
    run(output, lambda screen: carriers_command.carriers(screen, name))
