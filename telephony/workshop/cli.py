"""``trunkline assistant …``: make an assistant, check it, talk to it, and try it by its scripts."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from telephony.errors import AssistantError, ConfigError, ScriptError, TrunklineError
from telephony.workshop.place import everything, find, scripts_of, settings
from telephony.workshop.scaffold import DEFAULT, scaffold, templates
from telephony.workshop.show import show_assistant, show_error, show_played

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from telephony.assistants.schema import Assistant
    from telephony.workshop.place import Place
    from telephony.workshop.play import Played

_WRONG_USAGE = 2
_INTERRUPTED = 130

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    help="Make an assistant: its file, its check, a talk in text, its scripts.",
    epilog="Example: trunkline assistant new salon, then: trunkline assistant chat salon",
)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="An assistant's name, or its file.")]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="The operator's file. Default: config/livekit-sip.yaml, if there is one."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]


@app.command(
    epilog="Examples: trunkline assistant new salon · trunkline assistant new survey --from questionnaire"
)
def new(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Its name: lower-case letters, digits, _.")
    ] = "",
    template: Annotated[
        str, typer.Option("--from", help="The sample that is copied; --list shows them.")
    ] = DEFAULT,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Where to. Default: the line's folder of assistants.")
    ] = None,
    config: ConfigOption = None,
    list_them: Annotated[bool, typer.Option("--list", help="Show the samples and what each is for.")] = False,
) -> None:
    """Write a new assistant and a script for it, copied from a sample. Nothing is overwritten."""
    console = _console()
    if list_them or not name:
        for each, about in _guarded(templates).items():
            console.print(f"{each:<14} {about}", markup=False, soft_wrap=True)
        if not name and not list_them:
            console.print("Name the new assistant: trunkline assistant new NAME", markup=False)
            raise typer.Exit(_WRONG_USAGE)
        return
    where = folder or Path(_guarded(lambda: settings(config))[0].assistants.directory or "assistants")
    made = _guarded(lambda: scaffold(name, where, template))
    console.print(f"✓ {made.assistant}", markup=False)
    for other in made.others:
        console.print(f"✓ {other}", markup=False)
    console.print(f"Next: trunkline assistant chat {name}", markup=False)


@app.command(
    epilog="Examples: trunkline assistant check salon · trunkline assistant check · … check salon.yaml --json"
)
def check(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Names or files. Default: all.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read assistants and their scripts and say everything that is wrong. Exit code 2 when something is."""
    places = _guarded(lambda: [find(name, config) for name in names] if names else everything(config))
    results = [_checked(place) for place in places]
    if as_json:
        typer.echo(
            json.dumps({"ok": all(each["ok"] for each in results), "assistants": results}, ensure_ascii=False)
        )
    if any(not each["ok"] for each in results):
        raise typer.Exit(_WRONG_USAGE)


def _checked(place: Place) -> dict[str, Any]:
    from telephony.workshop.notes import notes_on

    console = _console()
    told: dict[str, Any] = {"name": place.name, "path": str(place.path), "ok": True, "problems": []}
    try:
        assistant = place.assistant()
        notes = notes_on(place, assistant)
        told |= {"version": assistant.version, "notes": notes}
        show_assistant(console, assistant, str(place.path), notes)
    except (AssistantError, ScriptError, ConfigError) as error:
        show_error(console, error)
        told |= {"ok": False, "problems": error.message.splitlines()}
    return told


@app.command(
    epilog="Examples: trunkline assistant chat salon · echo goodbye | trunkline assistant chat reception"
)
def chat(
    name: NameArgument,
    config: ConfigOption = None,
    data: Annotated[
        list[str] | None, typer.Option("--data", metavar="KEY=VALUE", help="What the call brings along.")
    ] = None,
) -> None:
    """Talk to an assistant in text: the same flow or model and the same tools as in a call, without audio.

    Tools do what they do in a call, HTTP requests included. Where the line has no language model and the
    assistant needs one, the answers of its scripts stand in.
    """
    console = Console(highlight=False)
    place = _guarded(lambda: find(name, config))

    async def talk() -> None:
        from telephony.workshop.chat import chat as lead
        from telephony.workshop.outside import read_answers, simulated
        from telephony.workshop.talk import open_talk

        assistant, line = place.assistant(), place.config
        answers = read_answers(place.answers())
        async with (
            simulated(answers) as root,
            open_talk(
                assistant,
                line.speech,
                model_url=root if answers.model else None,
                allowed_networks=line.assistants.allowed_networks,
                data=_pairs(data or []),
            ) as opened,
        ):
            await lead(opened, console)

    _run(talk())


@app.command(
    "test",
    epilog="Examples: trunkline assistant test salon · … test salon --call · … test salon --script my.yaml",
)
def try_scripts(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Default: all with scripts."),
    ] = None,
    call: Annotated[
        bool, typer.Option("--call", help="Over the telephone: a line is started and called by SIP.")
    ] = False,
    script: Annotated[Path | None, typer.Option("--script", help="Only this script.")] = None,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Show the conversations too.")] = False,
    report: Annotated[
        Path | None, typer.Option("--report", help="With --call: where sound and report of each call go.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run the scripts of assistants, in text within seconds, or over SIP. Exit code 1 when one goes wrong.

    Nothing real is reached: what the language model and the tools' servers answer stands in
    scripts/NAME.answers.yaml; a line with a language model of its own asks that one.
    """
    places = _guarded(
        lambda: (
            [find(name, config) for name in names]
            if names
            else [place for place in everything(config) if place.scripts()]
        )
    )
    results = [_run(_tried(place, script, call=call, verbose=verbose, report=report)) for place in places]
    played = [each for result in results for each in result]
    if as_json:
        typer.echo(
            json.dumps(
                {"ok": all(p.ok for p in played), "scripts": [p.to_json() for p in played]},
                ensure_ascii=False,
            )
        )
    if not all(each.ok for each in played):
        raise typer.Exit(1)


async def _tried(
    place: Place, wanted: Path | None, *, call: bool, verbose: bool, report: Path | None
) -> list[Played]:
    scripts = scripts_of(place, wanted)
    assistant = place.assistant()
    if call:
        return await _called(place, assistant, scripts, report)
    from telephony.workshop.trial import try_in_text

    console = _console()
    played = []
    for path, script in scripts:
        done = await try_in_text(place, assistant, script)
        done.script = f"{place.name}: {path.name}"
        show_played(console, done, verbose=verbose)
        played.append(done)
    return played


async def _called(
    place: Place, assistant: Assistant, scripts: list[tuple[Path, Any]], report: Path | None
) -> list[Played]:
    from telephony.caller.show import show_summary, watcher
    from telephony.line.screen import Screen
    from telephony.workshop.calling import line_for
    from telephony.workshop.play import Played

    console, screen, played = _console(), Screen(), []
    async with line_for(place, assistant, on_step=screen.step) as line:
        for path, script in scripts:
            folder = report / path.stem if report is not None else None
            made, wrong, fields = await line.call(script, folder=folder, on_event=watcher(console))
            show_summary(console, made)
            problems = [problem.text for problem in made.problems] + wrong
            done = Played(f"{place.name}: {path.name}", problems=problems, fields=fields)
            if not made.ok and not problems:
                done.problems.append(made.cause or made.outcome)
            show_played(console, done, verbose=False)
            played.append(done)
    return played


def _pairs(texts: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    wrong = next((key for key, equals, _ in pairs if not equals), None)
    if wrong is not None:
        raise ConfigError(f"{wrong!r} is no KEY=VALUE.", field="--data", fix="Write it like order=1042.")
    return {key: value for key, _, value in pairs}


def _console() -> Console:
    return Console(stderr=True, highlight=False)


def _guarded(read: Any) -> Any:
    """What reading gives; a sentence and exit code 2 where the file is wrong."""
    try:
        return read()
    except (AssistantError, ScriptError, ConfigError) as error:
        show_error(_console(), error)
        raise typer.Exit(_WRONG_USAGE) from None


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    os.environ.setdefault("LIVEKIT_AGENTS_PRELOAD_LOCAL_INFERENCE", "0")
    try:
        return asyncio.run(work)
    except (AssistantError, ScriptError, ConfigError) as error:
        show_error(_console(), error)
        raise typer.Exit(_WRONG_USAGE) from None
    except TrunklineError as error:
        show_error(_console(), error)
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        raise typer.Exit(_INTERRUPTED) from None
