"""``trunkline dial``: make a phone ring, and follow the call to its end.

Exit codes: 0 somebody answered; 1 nothing was dialled, with the reason; 4 it was dialled and nobody
answered; 5 nobody knows. Ctrl-C hangs up.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import aiohttp
import typer
from rich.console import Console
from uuid_utils import uuid7

from telephony.api.cli_frame import ApiOption, DataOption, ask, put, put_json, shown
from telephony.api.timeline import clock, timeline
from telephony.errors import StoreError, TrunklineError

if TYPE_CHECKING:
    from telephony.api.client import Client

EXIT_NOT_ANSWERED, EXIT_UNKNOWN = 4, 5
_NOT_DIALLED = frozenset({"blocked", "not_dialled", "no_agent", "too_late"})
_COLOURS = {"caller": "cyan", "agent": "green", "sip": "yellow", "note": "dim", "end": "bold"}
_ASKS, _LOOKS = 5, 30
_PAUSE_S = 1.0

NumberArgument = Annotated[str, typer.Argument(help="Whom to call, such as +15550100123.")]
AssistantOption = Annotated[str | None, typer.Option("--assistant", help="Who talks. Default: the line's.")]
FromOption = Annotated[str | None, typer.Option("--from", help="The caller id: one of the trunk's numbers.")]
TrunkOption = Annotated[str | None, typer.Option("--trunk", help="The outbound trunk, by its name.")]
WithOption = Annotated[
    list[str] | None,
    typer.Option("--with", help="NAME=VALUE that the assistant knows of this call; as often as needed."),
]
TransferOption = Annotated[
    str | None, typer.Option("--transfer-to", help="Whom the assistant may hand the call to.")
]
RingOption = Annotated[float | None, typer.Option("--ring", min=5, max=75, help="Seconds that it rings.")]
LongestOption = Annotated[
    float | None, typer.Option("--max-duration", min=10, help="Seconds that the call lasts at most.")
]
VoicemailOption = Annotated[
    str | None, typer.Option("--leave-message", help="What to leave on a voicemail. Default: hang up.")
]
KeyOption = Annotated[
    str | None, typer.Option("--idempotency-key", help="The same key never rings twice. Default: a new one.")
]
DetachOption = Annotated[bool, typer.Option("--detach", help="Print the call's id and leave it alone.")]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Events as JSON, one a line, and the call as the last one.")
]

EPILOG = (
    "Examples: trunkline dial +15550100123 --assistant survey    "
    'trunkline dial +15550100123 --with name=Anna --with "visit=Friday at ten"    '
    "trunkline dial +15550100123 --json | tail -1 | jq .outcome"
)


def dial(
    number: NumberArgument,
    assistant: AssistantOption = None,
    from_: FromOption = None,
    trunk: TrunkOption = None,
    with_: WithOption = None,
    transfer_to: TransferOption = None,
    ring: RingOption = None,
    max_duration: LongestOption = None,
    leave_message: VoicemailOption = None,
    idempotency_key: KeyOption = None,
    detach: DetachOption = False,
    as_json: JsonOption = False,
    api: ApiOption = None,
    data: DataOption = None,
) -> None:
    """Make a phone ring once and follow the call to its end; Ctrl-C hangs up."""
    policy = {"voicemail": "leave_message", "message": leave_message} if leave_message else None
    wanted = {
        "to": number,
        "from": from_,
        "assistant": assistant,
        "trunk": trunk,
        "data": dict(_pair(text) for text in with_ or ()),
        "transfer_to": transfer_to,
        "ringing_timeout_s": ring,
        "max_call_duration_s": max_duration,
        "answer_policy": policy,
    }
    body = {name: value for name, value in wanted.items() if value is not None}
    ended: dict[str, Any] = {}

    async def work(client: Client) -> None:
        call = await _ask_for(client, body, idempotency_key or f"cli-{uuid7().hex}")
        if detach:
            put_json(call) if as_json else put(shown(call["id"]))
            return
        try:
            await _follow(client, call, as_json=as_json)
        except asyncio.CancelledError:
            await client.send("POST", f"/v1/calls/{call['id']}/hangup")
            raise
        ended.update(await client.get(f"/v1/calls/{call['id']}"))
        if as_json:
            put_json(ended)

    ask(api, data, work)
    if ended and (code := exit_code(ended)):
        raise typer.Exit(code)


def exit_code(call: dict[str, Any]) -> int:
    """What the command exits with for a call as the api shows it."""
    if call["outcome"] == "answered":
        return 0
    if call["outcome"] in ("unknown", None):
        return EXIT_UNKNOWN
    return 1 if call.get("code") in _NOT_DIALLED else EXIT_NOT_ANSWERED


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise typer.BadParameter(f"{text!r} is not NAME=VALUE.", param_hint="--with")
    return name, value


async def _ask_for(client: Client, body: dict[str, Any], key: str) -> dict[str, Any]:
    """Ask again with the same key while the api does not answer: the phone rings once all the same."""
    for left in reversed(range(_ASKS)):
        try:
            call: dict[str, Any] = await client.send("POST", "/v1/calls", body, key=key)
        except StoreError:
            if not left:
                raise
            await asyncio.sleep(_PAUSE_S)
        else:
            return call
    raise AssertionError("unreachable")


async def _follow(client: Client, call: dict[str, Any], *, as_json: bool) -> None:
    """Tell every event until the call has ended, over broken streams too."""
    events: list[dict[str, Any]] = []
    printed: set[tuple[object, ...]] = set()
    console = Console(highlight=False)
    failures = 0
    while failures < _LOOKS:
        try:
            after = events[-1]["seq"] if events else 0
            async for _, text in client.stream(f"/v1/calls/{call['id']}/stream", after=after):
                failures = 0
                events.append(json.loads(text))
                if as_json:
                    put_json(events[-1])
                else:
                    _tell(console, call, events, printed)
                if events[-1]["type"] == "call.ended":
                    return
        except (TrunklineError, aiohttp.ClientError, TimeoutError) as error:
            if not failures:
                sys.stderr.write(f"The api is away: {error}\n")
        failures += 1
        await asyncio.sleep(_PAUSE_S)
    raise StoreError(
        f"The api does not tell any more of {call['id']}.",
        fix=f"See how it went with: trunkline calls show {call['id']}",
        retryable=True,
    )


def _tell(
    console: Console, call: dict[str, Any], events: list[dict[str, Any]], printed: set[tuple[object, ...]]
) -> None:
    for line in timeline(call, events):
        # Several sources tell of one SIP message; people say the same words twice.
        once = line.kind in ("sip", "end")
        key = (line.kind, line.who, line.text, None if once else line.at_s)
        if key in printed:
            continue
        printed.add(key)
        colour = _COLOURS[line.kind]
        remark = f"  [dim]{shown(line.remark)}[/dim]" if line.remark else ""
        who = f"[{colour}]{shown(line.who):>8}[/{colour}]"
        console.print(f"[dim]{clock(line.at_s)}[/dim] {who}  [{colour}]{shown(line.text)}[/{colour}]{remark}")
