"""The `trunkline` command."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from telephony import logs
from telephony.errors import TrunklineError
from telephony.line.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

app = typer.Typer(
    name="trunkline",
    help="A phone line that an AI answers, on LiveKit.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)

ConfigOption = Annotated[Path, typer.Option("--config", help="The operator's file.")]
DataOption = Annotated[
    Path | None, typer.Option("--data", help="The line's folder. Default: the first free one below var/.")
]
SipPortOption = Annotated[
    int | None,
    typer.Option(
        "--sip-port", min=0, max=65535, help="UDP port for SIP; 0 = any free one. Default: the file's."
    ),
]
BridgeOption = Annotated[
    str, typer.Option("--bridge", help="embedded, none, or livekit-sip:PATH of its executable.")
]
ApiPortOption = Annotated[
    int,
    typer.Option("--api-port", min=0, max=65535, help="HTTP port of the record of calls; 0 = any free one."),
]
NoApiOption = Annotated[
    bool, typer.Option("--no-api", help="Without the record of calls: what happens stays in files.")
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="One JSON object as the last line of standard output.")
]

DEFAULT_CONFIG = Path("config/livekit-sip.yaml")


@app.command(
    epilog="Example: trunkline up --sip-port 5060, then call sip:+15550100100@127.0.0.1 with any softphone."
)
def up(
    config: ConfigOption = DEFAULT_CONFIG,
    data: DataOption = None,
    sip_port: SipPortOption = None,
    bridge: BridgeOption = "embedded",
    api_port: ApiPortOption = 0,
    no_api: NoApiOption = False,
    as_json: JsonOption = False,
) -> None:
    """Start the line in the foreground and print the SIP address to call; Ctrl-C stops it."""
    from telephony.line.line import LineOptions
    from telephony.line.up import run_line

    screen = Screen(quiet=as_json)
    _run(
        screen,
        lambda: run_line(
            LineOptions(config, data, sip_port, bridge, None if no_api else api_port), screen, as_json=as_json
        ),
    )


@app.command(epilog="Example: trunkline demo --json | jq .turns")
def demo(
    config: ConfigOption = DEFAULT_CONFIG,
    data: DataOption = None,
    sip_port: SipPortOption = None,
    bridge: BridgeOption = "embedded",
    script: Annotated[
        Path | None, typer.Option("--script", help="What the person says. Default: the sample call.")
    ] = None,
    calls: Annotated[
        int, typer.Option("--calls", min=1, max=1000, help="How many calls, one after another.")
    ] = 1,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the line up afterwards, until Ctrl-C.")] = False,
    api_port: ApiPortOption = 0,
    no_api: NoApiOption = False,
    as_json: JsonOption = False,
) -> None:
    """Let a simulated person telephone the agent, show the conversation and judge it."""
    from telephony.line.demo import DemoOptions, run_demo
    from telephony.line.line import LineOptions

    screen = Screen(quiet=as_json)
    line = LineOptions(config, data, sip_port, bridge, None if no_api else api_port, waits_for_api=False)
    options = DemoOptions(line, script, calls, keep=keep, as_json=as_json)
    _run(screen, lambda: run_demo(options, screen))


def _run(screen: Screen, make: Any) -> None:
    try:
        result = asyncio.run(_start(make))
    except TrunklineError as error:
        screen.failed(error)
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    if isinstance(result, int) and result:
        raise typer.Exit(result)


async def _start(make: Any) -> Any:
    # Options are checked inside, so that what is wrong with them reads like every other error.
    coroutine: Coroutine[Any, Any, Any] = make()
    return await coroutine


def main() -> None:
    """Entry point of the console script."""
    logs.configure("WARNING")
    mount()
    app(prog_name="trunkline")


def mount() -> None:
    """Add the commands of the other parts; once is enough."""
    if any(group.name == "calls" for group in app.registered_groups):
        return
    from provisioning.cli import app as provision_app
    from telephony.api.cli_batches import app as batch_app
    from telephony.api.cli_calls import app as calls_app
    from telephony.api.cli_dial import EPILOG as DIAL_EPILOG
    from telephony.api.cli_dial import dial
    from telephony.api.cli_dnc import app as dnc_app
    from telephony.api.cli_guard import app as guard_app
    from telephony.api.cli_keys import app as keys_app
    from telephony.api.cli_webhooks import app as webhooks_app
    from telephony.caller.cli import app as caller_app

    app.add_typer(provision_app, name="provision")
    app.add_typer(caller_app, name="caller")
    app.add_typer(calls_app, name="calls")
    app.command("dial", epilog=DIAL_EPILOG)(dial)
    app.add_typer(batch_app, name="batch")
    app.add_typer(dnc_app, name="dnc")
    app.add_typer(webhooks_app, name="webhooks")
    app.add_typer(keys_app, name="keys")
    app.add_typer(guard_app, name="guard")


if __name__ == "__main__":
    main()
