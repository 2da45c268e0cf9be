"""``trunkline caller …``: telephone somebody as a script says, and judge how it went."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from telephony.caller.engine import speech_engine
from telephony.caller.run import answer_script, run_script
from telephony.caller.script_file import load_script, shipped_scripts
from telephony.caller.show import show_summary, watcher
from telephony.errors import ScriptError, SipParseError, TrunklineError
from telephony.sip.digest import Credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from telephony.caller.report import CallReport
    from telephony.caller.script import Script

_WRONG_USAGE = 2
_INTERRUPTED = 130

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="A simulated person: telephones, listens, interrupts, reports.",
)

ScriptArgument = Annotated[
    str, typer.Argument(help="A YAML file, or the name of one that comes with it, such as demo.")
]
ReportOption = Annotated[
    Path | None, typer.Option("--report", help="Directory for report.html, report.json and call.wav.")
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="The report as one JSON object on the last line of standard output.")
]
SpeechOption = Annotated[
    Path | None,
    typer.Option("--speech", envvar="TRUNKLINE_SPEECH_SOCKET", help="Socket of a running speech engine."),
]


@app.command(epilog="Example: trunkline caller run demo --to sip:+15550100100@127.0.0.1:5060 --report out")
def run(
    script: ScriptArgument,
    to: Annotated[str, typer.Option("--to", help="Whom to call, a SIP URI.")],
    report: ReportOption = None,
    as_json: JsonOption = False,
    speech: SpeechOption = None,
    user: Annotated[
        str | None, typer.Option("--user", help="User name, where the line asks for one.")
    ] = None,
    password: Annotated[
        str | None,
        typer.Option(
            "--password", envvar="TRUNKLINE_SIP_PASSWORD", help="Its password; better by the variable."
        ),
    ] = None,
) -> None:
    """Make one call. Exit code: 0 it went as scripted, 1 it did not, 2 script or address are wrong."""
    console = Console(stderr=True, highlight=False)

    async def make() -> CallReport:
        loaded, credentials = load_script(script), _credentials(user, password)
        return await _call(loaded, to, report, speech, credentials, console)

    _carry_out(make, console, (ScriptError, SipParseError), as_json=as_json)


@app.command(epilog="Example: trunkline caller answer voicemail --port 5080")
def answer(
    script: ScriptArgument,
    port: Annotated[int, typer.Option("--port", help="SIP port to be called on; 0 is any.")] = 0,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    wait_s: Annotated[float, typer.Option("--wait", help="Seconds for which a call is waited for.")] = 600.0,
    report: ReportOption = None,
    as_json: JsonOption = False,
    speech: SpeechOption = None,
) -> None:
    """Be called once, and answer as the script says. Exit codes as of run."""
    console = Console(stderr=True, highlight=False)

    async def make() -> CallReport:
        return await _be_called(load_script(script), host, port, wait_s, report, speech, console)

    _carry_out(make, console, (ScriptError,), as_json=as_json)


@app.command()
def check(script: ScriptArgument) -> None:
    """Read a script and say what is wrong with it; nothing is called. Exit code 2 when something is."""
    try:
        loaded = load_script(script)
    except ScriptError as error:
        raise _failed(Console(stderr=True, highlight=False), error, _WRONG_USAGE) from None
    typer.echo(f"{loaded.name}: {len(loaded.steps)} steps, {len(loaded.spoken())} lines to speak.")


@app.command()
def scripts() -> None:
    """The scripts that come with it."""
    for name in shipped_scripts():
        typer.echo(f"{name:<10} {load_script(name).about.strip()}")


def _carry_out(
    make: Callable[[], Coroutine[Any, Any, CallReport]],
    console: Console,
    wrong_usage: tuple[type[TrunklineError], ...],
    *,
    as_json: bool,
) -> None:
    """Make a call and show what came of it; whatever is wrong is one sentence and an exit code."""
    try:
        made = asyncio.run(make())
    except wrong_usage as error:
        raise _failed(console, error, _WRONG_USAGE) from None
    except TrunklineError as error:
        raise _failed(console, error, error.exit_code) from None
    except OSError as error:
        console.print(f"✗ the report cannot be written: {error}", markup=False)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        raise typer.Exit(_INTERRUPTED) from None
    show_summary(console, made)
    if as_json:
        typer.echo(json.dumps(made.to_json(), ensure_ascii=False))
    if not made.ok:
        raise typer.Exit(1)


async def _call(
    script: Script,
    to: str,
    report_dir: Path | None,
    socket: Path | None,
    credentials: Credentials | None,
    console: Console,
) -> CallReport:
    async with speech_engine(socket) as speech:
        return await run_script(
            script,
            to,
            speech=speech,
            report_dir=report_dir,
            on_event=watcher(console),
            credentials=credentials,
        )


async def _be_called(
    script: Script,
    host: str,
    port: int,
    wait_s: float,
    report_dir: Path | None,
    socket: Path | None,
    console: Console,
) -> CallReport:
    async with speech_engine(socket) as speech:
        return await answer_script(
            script,
            host=host,
            port=port,
            wait_s=wait_s,
            speech=speech,
            report_dir=report_dir,
            on_event=watcher(console),
        )


def _credentials(user: str | None, password: str | None) -> Credentials | None:
    if user is None:
        return None
    if password is None:
        raise ScriptError(
            "there is a user name and no password.",
            field="--password",
            fix="Give it, or set TRUNKLINE_SIP_PASSWORD.",
        )
    return Credentials(user, password)


def _failed(console: Console, error: TrunklineError, code: int) -> typer.Exit:
    console.print(f"✗ {error}", markup=False, soft_wrap=True)
    return typer.Exit(code)
