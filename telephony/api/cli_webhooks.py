"""``trunkline webhooks …``: who is told of calls, what became of it, and events as they come."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import aiohttp
import typer
from standardwebhooks import Webhook, WebhookVerificationError

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
    put_answer,
    put_json,
    put_table,
    shown,
)
from telephony.webhooks.signing import new_secret

if TYPE_CHECKING:
    from telephony.api.client import Client

app = typer.Typer(help="Webhooks to customers.", **PLAIN)

EndpointArgument = Annotated[str, typer.Argument(help="An endpoint's id, whe_….")]
TypesOption = Annotated[list[str] | None, typer.Option("--type", help="Such as call.*; may be repeated.")]
_FORWARD_S = 15.0


@app.callback(invoke_without_command=True, epilog="Example: trunkline webhooks -o json")
def webhooks(
    context: typer.Context,
    api: ApiOption = None,
    data: DataOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """List endpoints."""
    if context.invoked_subcommand is not None:
        return

    async def work(client: Client) -> None:
        found = await client.get("/v1/endpoints")
        if output is Output.JSON:
            put_json(found)
            return
        put_table(
            ("endpoint", "url", "events", "state", "waiting"),
            (
                (
                    each["id"],
                    each["url"],
                    ", ".join(each["types"]),
                    _state(each),
                    each["pending"] or "",
                )
                for each in found["endpoints"]
            ),
        )

    ask(api, data, work)


def _state(endpoint: dict[str, Any]) -> str:
    if not endpoint["enabled"]:
        return f"off: {endpoint['disabled_reason'] or ''}"
    if endpoint["failing_since"]:
        return f"failing since {moment(endpoint['failing_since'])}: {endpoint['last_failure'] or ''}"
    return "on"


@app.command(epilog="Example: trunkline webhooks create https://example.com/hooks --type call.*")
def create(
    url: Annotated[str, typer.Argument(help="Where events are POSTed.")],
    types: TypesOption = None,
    description: Annotated[str, typer.Option()] = "",
    api: ApiOption = None,
    data: DataOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Add an endpoint; its signing secret is shown this once."""

    async def work(client: Client) -> None:
        body = {"url": url, "types": types or ["*"], "description": description}
        made = await client.send("POST", "/v1/endpoints", body)
        put_answer(output, made, f"{shown(made['id'])}\nsecret, shown this once: {shown(made['secret'])}")

    ask(api, data, work)


@app.command(epilog="Example: trunkline webhooks enable whe_…")
def enable(endpoint_id: EndpointArgument, api: ApiOption = None, data: DataOption = None) -> None:
    """Switch an endpoint on again; what it missed: trunkline webhooks replay."""
    _change(endpoint_id, {"enabled": True}, api, data)


@app.command(epilog="Example: trunkline webhooks disable whe_…")
def disable(endpoint_id: EndpointArgument, api: ApiOption = None, data: DataOption = None) -> None:
    """Switch an endpoint off; what waits for it becomes dead letters."""
    _change(endpoint_id, {"enabled": False}, api, data)


def _change(endpoint_id: str, body: dict[str, Any], api: str | None, data: Any) -> None:
    async def work(client: Client) -> None:
        changed = await client.send("PATCH", f"/v1/endpoints/{endpoint_id}", body)
        put(f"{shown(changed['id'])} is {shown(_state(changed))}.")

    ask(api, data, work)


@app.command(epilog="Example: trunkline webhooks delete whe_…")
def delete(endpoint_id: EndpointArgument, api: ApiOption = None, data: DataOption = None) -> None:
    """Remove an endpoint with its queue and its history."""

    async def work(client: Client) -> None:
        await client.send("DELETE", f"/v1/endpoints/{endpoint_id}")
        put(f"{shown(endpoint_id)} is removed.")

    ask(api, data, work)


@app.command(epilog="Example: trunkline webhooks rotate whe_… --overlap 48")
def rotate(
    endpoint_id: EndpointArgument,
    overlap: Annotated[float, typer.Option(min=0, help="Hours the old secret goes on signing too.")] = 24,
    api: ApiOption = None,
    data: DataOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Give an endpoint a new secret; for a while both sign."""

    async def work(client: Client) -> None:
        body = {"overlap_s": overlap * 3600}
        made = await client.send("POST", f"/v1/endpoints/{endpoint_id}/secret", body)
        put_answer(output, made, f"secret, shown this once: {shown(made['secret'])}")

    ask(api, data, work)


@app.command(epilog="Example: trunkline webhooks secret")
def secret() -> None:
    """Make a signing secret for the operator's file."""
    put_json(new_secret())


@app.command("test", epilog="Example: trunkline webhooks test whe_…")
def send_test(
    endpoint_id: EndpointArgument,
    api: ApiOption = None,
    data: DataOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Send one signed webhook.test now, and show what came of it; exit code 1 when it failed."""
    results: list[dict[str, Any]] = []

    async def work(client: Client) -> None:
        results.append(await client.send("POST", f"/v1/endpoints/{endpoint_id}/test"))

    ask(api, data, work)
    [result] = results
    if output is Output.JSON:
        put_json(result)
    elif result["delivered"]:
        put(f"delivered: {result['http_status']} after {result['duration_ms']} ms")
    else:
        put(f"not delivered: {shown(result['error'])} ({result['duration_ms']} ms)")
    if not result["delivered"]:
        raise typer.Exit(1)


@app.command(epilog="Example: trunkline webhooks deliveries --status dead -o json")
def deliveries(
    endpoint_id: Annotated[str | None, typer.Option("--endpoint")] = None,
    call_id: Annotated[str | None, typer.Option("--call")] = None,
    status: Annotated[str | None, typer.Option(help="pending, delivered or dead.")] = None,
    limit: LimitOption = 20,
    api: ApiOption = None,
    data: DataOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """What was sent to whom, newest first; --status dead are the dead letters."""

    async def work(client: Client) -> None:
        page = await client.get(
            "/v1/deliveries", endpoint_id=endpoint_id, call_id=call_id, status=status, limit=limit
        )
        if output is Output.JSON:
            put_json(page)
            return
        put_table(
            ("queued", "delivery", "event", "type", "status", "tries", "answer"),
            (
                (
                    moment(each["created_at"]),
                    each["id"],
                    each["event_id"],
                    each["type"],
                    each["status"],
                    each["attempts"],
                    each["error"] or each["http_status"],
                )
                for each in page["deliveries"]
            ),
        )

    ask(api, data, work)


@app.command(epilog="Example: trunkline webhooks replay --endpoint whe_… --since 2026-11-21T08:00:00Z --dead")
def replay(
    delivery: Annotated[int | None, typer.Option("--delivery", help="This one delivery again.")] = None,
    endpoint_id: Annotated[str | None, typer.Option("--endpoint", help="Events of this endpoint.")] = None,
    call_id: Annotated[str | None, typer.Option("--call")] = None,
    from_seq: Annotated[int | None, typer.Option(min=1)] = None,
    to_seq: Annotated[int | None, typer.Option(min=1)] = None,
    since: Annotated[str | None, typer.Option(help="RFC 3339.")] = None,
    until: Annotated[str | None, typer.Option(help="RFC 3339.")] = None,
    dead: Annotated[bool, typer.Option("--dead", help="Only what it never got.")] = False,
    api: ApiOption = None,
    data: DataOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Send events again: one, a range of a call, or all since an instant."""
    chosen = {
        "delivery_id": delivery,
        "endpoint_id": endpoint_id,
        "call_id": call_id,
        "from_seq": from_seq,
        "to_seq": to_seq,
        "since": since,
        "until": until,
    }
    body: dict[str, Any] = {name: value for name, value in chosen.items() if value is not None}

    async def work(client: Client) -> None:
        queued, done = 0, {"more": True}
        while done["more"]:
            done = await client.send("POST", "/v1/deliveries/replay", {**body, "only_dead": dead})
            queued += done["queued"]
            body["since"] = done["next_since"] if done["more"] else body.get("since")
        put_answer(output, {"queued": queued}, f"{queued} queued")

    ask(api, data, work)


@app.command(
    epilog="Example: trunkline webhooks listen --type call.* --forward-to http://127.0.0.1:3000/hooks"
)
def listen(
    types: TypesOption = None,
    forward_to: Annotated[
        str | None, typer.Option("--forward-to", help="POST each to this URL too, with its headers.")
    ] = None,
    api: ApiOption = None,
    data: DataOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Print events as they come, each verified as a receiver would; Ctrl-C ends it."""

    async def work(client: Client) -> None:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_FORWARD_S)) as session:
            webhook: Webhook | None = None
            async for name, text in client.stream("/v1/webhooks/listen", types=types):
                message = json.loads(text)
                if name == "secret":
                    webhook = Webhook(message["secret"])
                    if output is Output.TEXT:
                        put(f"[dim]listening; the secret of this session is {shown(message['secret'])}[/dim]")
                elif webhook is not None:
                    await _heard(message, webhook, session, forward_to, output)

    ask(api, data, work)


async def _heard(
    message: dict[str, Any],
    webhook: Webhook,
    session: aiohttp.ClientSession,
    forward_to: str | None,
    output: Output,
) -> None:
    try:
        event = webhook.verify(message["body"], message["headers"])
    except WebhookVerificationError as error:
        put(f"[red]a signature does not hold: {shown(error)}[/red]")
        return
    forwarded = await _forward(session, forward_to, message) if forward_to else None
    if output is Output.JSON:
        put_json(event)
        return
    call = event["call_id"] or "line"
    answer = f"  → {forwarded}" if forwarded else ""
    brief = json.dumps(event["data"], ensure_ascii=False)[:160]
    put(
        f"[dim]{moment(event['timestamp'])}[/dim]  {shown(call)} #{event['seq']}  "
        f"[bold]{shown(event['type'])}[/bold]  {shown(brief)}{shown(answer)}"
    )


async def _forward(session: aiohttp.ClientSession, url: str, message: dict[str, Any]) -> str:
    headers = {**message["headers"], "Content-Type": "application/json"}
    try:
        async with session.post(url, data=message["body"].encode(), headers=headers) as response:
            return str(response.status)
    except (aiohttp.ClientError, TimeoutError) as error:
        return type(error).__name__
