"""``scripts/provision …`` and ``trunkline provision …``: the phone line as desired state."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from provisioning.commands import adopt as adopt_command
from provisioning.commands import apply as apply_command
from provisioning.commands import carriers as carriers_command
from provisioning.commands import destroy as destroy_command
from provisioning.commands import doctor as doctor_command
from provisioning.commands import drift as drift_command
from provisioning.commands import explain as explain_command
from provisioning.commands import plan as plan_command
from provisioning.commands import render as render_command
from provisioning.commands import validate as validate_command
from provisioning.commands.frame import ConfigOption, LineOption, Output, OutputOption, YesOption, run
from provisioning.config import DEFAULT_CONFIG
from provisioning.match import Call


class PlaceName(StrEnum):
    """Where a line stands."""

    LOOPBACK = "loopback"
    PRIVATE = "private"
    NAT = "nat"
    PUBLIC = "public"


class RenderName(StrEnum):
    """What can be rendered."""

    LIVEKIT_SERVER = "livekit-server"
    LIVEKIT_SIP = "livekit-sip"
    BRIDGE = "bridge"
    EGRESS = "egress"
    NFTABLES = "nftables"
    OBJECTS = "objects"


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


@app.command(epilog="Example: provision render --place nat --address 203.0.113.10 --to rendered")
def render(
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.TEXT,
    place: Annotated[
        PlaceName | None, typer.Option(help="Where the line stands. Default: as bridge: says.")
    ] = None,
    address: Annotated[
        str | None, typer.Option(metavar="IP", help="The machine's address; with nat the public one.")
    ] = None,
    to: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write files instead of printing.")
    ] = None,
    only: Annotated[
        list[RenderName] | None, typer.Option("--only", help="Only this file; may be repeated.")
    ] = None,
    inline_secrets: Annotated[
        bool, typer.Option("--inline-secrets", help="Put secrets into the files (mode 0600).")
    ] = False,
    browsers: Annotated[
        bool, typer.Option("--browsers", help="Listeners connect from browsers elsewhere.")
    ] = False,
) -> None:
    """Write what the one file means to livekit-server, livekit-sip, the bridge, egress and the firewall."""
    run(
        output,
        lambda screen: render_command.render(
            screen,
            config,
            place=place.value if place is not None else None,
            address=address,
            to=to,
            only=[one.value for one in only or ()],
            inline_secrets=inline_secrets,
            browsers=browsers,
        ),
    )


@app.command(epilog="Example: provision plan --output json | jq .changes")
def plan(
    config: ConfigOption = DEFAULT_CONFIG, line: LineOption = None, output: OutputOption = Output.TEXT
) -> None:
    """Show what apply would change, field by field, and what LiveKit would refuse."""
    run(output, lambda screen: plan_command.plan(screen, config, line))


@app.command(epilog="Example: provision apply --yes")
def apply(
    config: ConfigOption = DEFAULT_CONFIG,
    line: LineOption = None,
    output: OutputOption = Output.TEXT,
    yes: YesOption = False,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for another apply.")] = 30.0,
) -> None:
    """Make LiveKit match the file, in place, so that calls keep working. Run again it writes nothing."""
    run(output, lambda screen: apply_command.apply(screen, config, line, yes=yes, wait_s=wait))


@app.command(epilog="Example: provision drift || echo somebody was at it")
def drift(
    config: ConfigOption = DEFAULT_CONFIG, line: LineOption = None, output: OutputOption = Output.TEXT
) -> None:
    """Name every field that was changed at LiveKit since the last apply; exit code 3 when there is one."""
    run(output, lambda screen: drift_command.drift(screen, config, line))


@app.command("import", epilog="Example: provision import --to config/imported.yaml")
def import_(
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="The file to write; it must not exist.")],
    config: ConfigOption = DEFAULT_CONFIG,
    line: LineOption = None,
    output: OutputOption = Output.TEXT,
    name: Annotated[
        str | None, typer.Option("--name", help="The line's name. Default: that of --config.")
    ] = None,
) -> None:
    """Write what exists at LiveKit into a new file that plans to nothing. LiveKit is only read."""
    run(output, lambda screen: adopt_command.adopt(screen, config, line, to=to, line_name=name))


@app.command(epilog="Example: provision destroy --yes")
def destroy(
    config: ConfigOption = DEFAULT_CONFIG,
    line: LineOption = None,
    output: OutputOption = Output.TEXT,
    yes: YesOption = False,
) -> None:
    """Delete every trunk and rule that is ours, and nothing else."""
    run(output, lambda screen: destroy_command.destroy(screen, config, line, yes=yes))


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
    line: LineOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Replay LiveKit's matching on a call that nobody makes: which room, or which field refuses it."""
    call = Call(to_user=to, from_user=from_, source_ip=source, from_host=from_host)
    run(
        output,
        lambda screen: explain_command.explain(
            screen, config, line, call, request_uri=request_uri, pin=pin, from_file=file
        ),
    )


@app.command(epilog="Example: provision doctor --line var/line --call")
def doctor(
    config: ConfigOption = DEFAULT_CONFIG,
    line: LineOption = None,
    output: OutputOption = Output.TEXT,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="CHECK", help="Only checks that begin so.")
    ] = None,
    fix: Annotated[bool, typer.Option("--fix", help="Mend what is safe to mend, then look again.")] = False,
    call: Annotated[bool, typer.Option("--call", help="Place a simulated call and judge it.")] = False,
    to: Annotated[
        str | None, typer.Option(metavar="URI", help="With --call: whom. Default: the line.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="With --call: where its report goes.")
    ] = None,
) -> None:
    """Find out why calls fail: every check has evidence and a fix. Exit code 1 when a problem is left."""
    run(
        output,
        lambda screen: doctor_command.doctor(
            screen, config, line, only=only or (), fix=fix, with_call=call, to=to, report=report
        ),
    )


@app.command(epilog="Example: provision carriers novofon-trunk")
def carriers(
    name: Annotated[str | None, typer.Argument(help="One carrier; all are listed without.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show what is known of each carrier, with source and confidence, and what to ask of it."""
    run(output, lambda screen: carriers_command.carriers(screen, name, config))
